//! Puts the result of a step into the store: contents first, then the record that names them.
//! Knows no command and no state.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::digest::Digest;
use super::entry::{Entry, EntryPath, Kind};
use super::logs;
use super::made::{Prepared, Ran};
use super::rebuilder::Cache;
use super::result::{Bytes, Content, Origin, Record, Stored};
use super::scan::{Finder, Scanner};
use super::store::{Store, StoreError};
use crate::sys::fs::{FsError, open_regular};

/// Files up to this size stand in the record itself, as long as there is room in it.
const INLINE: usize = 1024;

/// So much room is in a record for such files.
const ROOM: usize = 16 * 1024;

/// Field lists up to this size stand in the record itself.
const INLINE_FIELDS: usize = 32 * 1024;

impl Cache {
    /// Stores a result, its contents first; the words to tell of troubles with.
    pub(super) fn share(
        &self,
        prepared: &Prepared,
        entries: &[Entry],
        ran: &Ran,
        origin: &Origin,
    ) -> Option<String> {
        let store = self.store.as_ref().filter(|store| store.is_open())?;
        let stored = self
            .record(store, prepared, entries, ran, origin)
            .and_then(|record| store.results().put(&record, self.root_bytes()))
            .and_then(|()| self.share_set(store, prepared));
        stored.err().and_then(|error| store.trouble(&error))
    }

    /// Notes where to look for the keys of results with the same weak key.
    pub(super) fn share_set(&self, store: &Store, prepared: &Prepared) -> Result<(), StoreError> {
        if prepared.action.discovered.is_none() {
            return Ok(());
        }
        let (weak, set) = (prepared.action.weak_key(), prepared.discovered_paths());
        store.results().put_set(weak, &set)
    }

    fn record(
        &self,
        store: &Store,
        prepared: &Prepared,
        entries: &[Entry],
        ran: &Ran,
        origin: &Origin,
    ) -> Result<Record, StoreError> {
        let finder = Finder::new(self.root_bytes());
        let mut contents = Contents {
            root: &self.root,
            store,
            finder: &finder,
            is_bound: false,
            room: ROOM,
        };
        let outputs = entries
            .iter()
            .filter_map(|entry| contents.store(entry).transpose())
            .collect::<Result<_, _>>()?;
        let bound_to = contents.is_bound.then(|| Bytes(self.root_bytes().to_vec()));
        Ok(Record {
            key: prepared.key,
            fields: store.keep(prepared.fields.clone(), INLINE_FIELDS)?,
            outputs,
            log: logs::store(store, &ran.log)?,
            bound_to,
            origin: origin.clone(),
            boot: self.boot.clone(),
        })
    }
}

/// Puts outputs into the store.
struct Contents<'a> {
    root: &'a Path,
    store: &'a Store,
    finder: &'a Finder<'a>,
    /// Whether one of them holds the workspace's path.
    is_bound: bool,
    /// How many bytes more the record itself has room for.
    room: usize,
}

impl Contents<'_> {
    /// Stores one output; `None` for one outside of the workspace, which there is none of.
    fn store(&mut self, entry: &Entry) -> Result<Option<Stored>, StoreError> {
        let EntryPath::In(path) = &entry.path else {
            return Ok(None);
        };
        let place = path.under(self.root);
        let content = match entry.kind {
            Kind::File => self.file(entry, &place)?,
            Kind::Link => self.link(&place)?,
            Kind::EmptyFolder | Kind::Absent => Content::Inline(Bytes::default()),
        };
        let Entry {
            kind, exec, digest, ..
        } = *entry;
        Ok(Some(Stored {
            path: path.clone(),
            kind,
            exec,
            digest,
            content,
        }))
    }

    fn link(&mut self, place: &Path) -> Result<Content, StoreError> {
        let text = std::fs::read_link(place).map_err(|error| FsError::new("read", place, error))?;
        let text = text.into_os_string();
        self.is_bound |= self.finder.is_in(text.as_bytes());
        Ok(Content::Inline(Bytes(text.as_bytes().to_vec())))
    }

    fn file(&mut self, entry: &Entry, place: &Path) -> Result<Content, StoreError> {
        let size = entry.identity.size;
        let mut scanner = Scanner::new(open_regular(place)?, self.finder);
        let content = if size <= INLINE.min(self.room) as u64 {
            self.room -= size as usize;
            inline(entry, &mut scanner, place)?
        } else {
            self.blob(entry, &mut scanner, place)?
        };
        self.is_bound |= scanner.found();
        Ok(content)
    }

    fn blob(
        &self,
        entry: &Entry,
        from: &mut dyn io::Read,
        place: &Path,
    ) -> Result<Content, StoreError> {
        let (digest, size) = (entry.digest, entry.identity.size);
        if self.store.contents().renew(digest, size).is_ok() {
            // Looked through all the same: is the workspace's path in it?
            io::copy(from, &mut io::sink()).map_err(|error| FsError::new("read", place, error))?;
        } else {
            self.store
                .contents()
                .put(digest, size, from)
                .map_err(|error| named(error, place))?;
        }
        Ok(Content::Blob { digest, size })
    }
}

fn inline(entry: &Entry, from: &mut dyn io::Read, place: &Path) -> Result<Content, StoreError> {
    // One byte more than expected, so that the end is seen without another read.
    let mut bytes = Vec::with_capacity(entry.identity.size as usize + 1);
    from.read_to_end(&mut bytes)
        .map_err(|error| FsError::new("read", place, error))?;
    if Digest::of(&bytes) != entry.digest {
        return Err(StoreError::Changed(place.to_path_buf()));
    }
    Ok(Content::Inline(Bytes(bytes)))
}

/// A change is told of the file, not of its copy.
fn named(error: StoreError, place: &Path) -> StoreError {
    match error {
        StoreError::Changed(_) => StoreError::Changed(place.to_path_buf()),
        other => other,
    }
}
