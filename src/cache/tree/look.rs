//! Looks at one path: what stands there, and its digest, read only where nothing known will do.
//!
//! Looking has two halves, so that many can be read at once: [`Looker::examine`] asks the file
//! system for identities only; what it cannot answer from the stat cache is [`Looker::read`]. A file
//! is opened without following links and without waiting for a FIFO's other end, and its identity
//! must be the same before and after it is read. Knows nothing of patterns and of when to look.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, stat, statat,
};
use rustix::io::Errno;

use super::super::digest::{Digest, Hasher};
use super::super::entry::{EntryPath, Identity};
use super::super::stat::{Content, Known, StatCache};
use super::TreeError;
use super::clock::FsClock;
use crate::glob::{Listing, folder};
use crate::path::RelPath;
use crate::sys::fs::FsError;

/// How often a file is read that changes while it is read.
const ATTEMPTS: usize = 3;
/// Bytes read at once.
const BLOCK: usize = 128 << 10;
/// The type and the owner's exec bit of a mode.
const MODE: u64 = 0o170_100;
/// Digests of links as inputs: the text and what it leads to.
const LINK_DOMAIN: &str = "pipe 2026-11 link as input";

/// What was seen at a path.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) what: What,
    pub(super) exec: bool,
    pub(super) digest: Digest,
    pub(super) identity: Identity,
    /// Whether the identity alone proves the digest.
    pub(super) clean: bool,
}

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Absent,
    File,
    Folder,
    /// A FIFO, a socket, a device, or a link to one.
    Special,
    /// A link; for inputs with where it ends.
    Link(End),
}

/// Where a link ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    NotAsked,
    File,
    Folder,
    Nowhere,
}

/// A folder's names.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) identity: Identity,
    /// Whether the identity alone proves the listing.
    pub(super) clean: bool,
    pub(super) listing: Arc<Listing>,
}

/// What a look at the identities gave.
pub(super) enum Glance {
    Known(Seen),
    Unread(Unread),
}

/// A file that must be read.
pub(super) struct Unread {
    /// The file's identity.
    target: Identity,
    /// The identity that the digest will stand for: of the file, or of the link and the file.
    whole: Identity,
    /// The link's text.
    link: Option<Vec<u8>>,
}

impl Unread {
    /// The identity that its digest will stand for.
    pub(super) fn identity(&self) -> Identity {
        self.whole
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.target.size
    }
}

/// Looks at paths below a root.
#[derive(Debug)]
pub(super) struct Looker {
    root: PathBuf,
    dir: Result<OwnedFd, Errno>,
    pub(super) stat: StatCache,
    pub(super) clock: FsClock,
    /// Whether something was seen that the stat cache does not know.
    pub(super) news: AtomicBool,
}

impl Looker {
    pub(super) fn new(root: PathBuf, state_dir: &Path) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self {
            dir: openat(CWD, &root, flags, Mode::empty()),
            root,
            stat: StatCache::load(&state_dir.join("stat")),
            clock: FsClock::new(state_dir.join("probe")),
            news: AtomicBool::new(false),
        }
    }

    /// Looks at `path`: at what it leads to if it is a link and `follow` is set.
    pub(super) fn examine(
        &self,
        path: &[u8],
        follow: bool,
        old: Option<&Seen>,
    ) -> Result<Glance, TreeError> {
        let Some(stat) = self.stat_of(path, AtFlags::SYMLINK_NOFOLLOW)? else {
            if self.stat.file(path).is_some() {
                self.news.store(true, Ordering::Relaxed);
            }
            return Ok(Glance::Known(Seen::bare(What::Absent, Identity::default())));
        };
        let identity = identity_of(&stat);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let unread = Unread {
                    target: identity,
                    whole: identity,
                    link: None,
                };
                Ok(self.recall(path, old, unread))
            }
            FileType::Symlink => self.examine_link(path, identity, follow, old),
            FileType::Directory => Ok(Glance::Known(Seen::bare(What::Folder, identity))),
            _ => Ok(Glance::Known(Seen::bare(What::Special, identity))),
        }
    }

    fn examine_link(
        &self,
        path: &[u8],
        identity: Identity,
        follow: bool,
        old: Option<&Seen>,
    ) -> Result<Glance, TreeError> {
        let text = match readlinkat(self.dir(path)?, name(path), Vec::new()) {
            Ok(text) => text.into_bytes(),
            // It was a link a moment ago.
            Err(Errno::INVAL | Errno::NOENT) => return self.examine(path, follow, old),
            Err(error) => return Err(refused("read", path, error)),
        };
        let by_text = |end| {
            let bare = Seen::bare(What::Link(end), identity);
            Ok(Glance::Known(Seen {
                digest: Digest::of(&text),
                ..bare
            }))
        };
        if !follow {
            return by_text(End::NotAsked);
        }
        let Some(stat) = self.stat_of(path, AtFlags::empty())? else {
            return by_text(End::Nowhere);
        };
        let target = identity_of(&stat);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let whole = of_both(&identity, &target);
                Ok(self.recall(
                    path,
                    old,
                    Unread {
                        target,
                        whole,
                        link: Some(text),
                    },
                ))
            }
            FileType::Directory => by_text(End::Folder),
            _ => Ok(Glance::Known(Seen::bare(What::Special, identity))),
        }
    }

    /// What is known of a file by its identity alone.
    fn recall(&self, path: &[u8], old: Option<&Seen>, unread: Unread) -> Glance {
        let seen = old
            .filter(|old| old.clean && old.identity == unread.whole)
            .map(|old| old.digest)
            .or_else(|| match self.stat.file(path)? {
                Known {
                    identity,
                    clean: true,
                    content: Content::File(digest),
                } if identity == unread.whole => Some(digest),
                _ => None,
            });
        match seen {
            Some(digest) => Glance::Known(Seen::of(&unread, digest, true)),
            None => Glance::Unread(unread),
        }
    }

    /// Reads what [`Looker::examine`] could not tell.
    pub(super) fn read(
        &self,
        path: &[u8],
        follow: bool,
        unread: &Unread,
    ) -> Result<Seen, TreeError> {
        let mut changed = None;
        for _ in 0..ATTEMPTS {
            if let Some(seen) = self.try_read(path, changed.as_ref().unwrap_or(unread))? {
                self.note(path, &seen);
                return Ok(seen);
            }
            match self.examine(path, follow, None)? {
                Glance::Known(seen) => return Ok(seen),
                Glance::Unread(again) => changed = Some(again),
            }
        }
        Err(TreeError::Busy(entry_path(path)))
    }

    /// Reads the file once; `None` when it is not the same file before and after.
    fn try_read(&self, path: &[u8], unread: &Unread) -> Result<Option<Seen>, TreeError> {
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        if unread.link.is_none() {
            flags |= OFlags::NOFOLLOW;
        }
        let file = match openat(self.dir(path)?, name(path), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(refused("read", path, error)),
        };
        let identity = |file: &OwnedFd| {
            fstat(file)
                .map(|stat| identity_of(&stat))
                .map_err(|error| refused("read", path, error))
        };
        if identity(&file)? != unread.target {
            return Ok(None);
        }
        let rests = self.clock.rests(&unread.whole, &file);
        let digest =
            contents(file.as_fd(), unread.size()).map_err(|error| refused("read", path, error))?;
        let digest = unread
            .link
            .as_ref()
            .map_or(digest, |text| of_link(text, &digest));
        let same = identity(&file)? == unread.target;
        Ok(same.then(|| Seen::of(unread, digest, rests)))
    }

    /// Remembers whether the stat cache knows this already.
    fn note(&self, path: &[u8], seen: &Seen) {
        if self.stat.file(path) != Some(seen.as_known()) {
            self.news.store(true, Ordering::Relaxed);
        }
    }

    /// What stands at `path`, links not followed.
    pub(super) fn kind(&self, path: &[u8]) -> Result<What, TreeError> {
        let Some(stat) = self.stat_of(path, AtFlags::SYMLINK_NOFOLLOW)? else {
            return Ok(What::Absent);
        };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => What::File,
            FileType::Symlink => What::Link(End::NotAsked),
            FileType::Directory => What::Folder,
            _ => What::Special,
        })
    }

    /// The identity of `path` itself now, and where it is a link to a file also that of both.
    pub(super) fn identities(&self, path: &[u8]) -> Option<(Identity, Identity)> {
        let stat = self.stat_of(path, AtFlags::SYMLINK_NOFOLLOW).ok()??;
        let own = identity_of(&stat);
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Some((own, own));
        }
        let target = self.stat_of(path, AtFlags::empty()).ok().flatten();
        let file = target
            .filter(|target| FileType::from_raw_mode(target.st_mode) == FileType::RegularFile);
        Some((
            own,
            file.map_or(own, |file| of_both(&own, &identity_of(&file))),
        ))
    }

    /// What is in the folder; `None` where there is no folder.
    pub(super) fn list(
        &self,
        path: &[u8],
        old: Option<Folder>,
    ) -> Result<Option<Folder>, TreeError> {
        let Some(identity) = self.folder_identity(path)? else {
            return Ok(None);
        };
        if let Some(old) = old.filter(|old| old.clean && old.identity == identity) {
            return Ok(Some(old));
        }
        if let Some(known) = self.stat.folder(path)
            && known.clean
            && known.identity == identity
            && let Content::Folder(listing) = known.content
        {
            let listing = Arc::new(Listing::from_bytes(listing));
            return Ok(Some(Folder {
                identity,
                clean: true,
                listing,
            }));
        }
        self.list_anew(path, identity)
    }

    fn list_anew(&self, path: &[u8], identity: Identity) -> Result<Option<Folder>, TreeError> {
        let rests = self.clock.folder_rests(&identity);
        let full = self.root.join(OsStr::from_bytes(path));
        let listing = match folder(&full) {
            Ok(listing) => Arc::new(listing),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FsError::new("read the folder", shown(path), error).into()),
        };
        let clean = rests && self.folder_identity(path)? == Some(identity);
        if clean {
            self.news.store(true, Ordering::Relaxed);
        }
        Ok(Some(Folder {
            identity,
            clean,
            listing,
        }))
    }

    /// The identity of a folder that is no link; `None` where there is none.
    pub(super) fn folder_identity(&self, path: &[u8]) -> Result<Option<Identity>, TreeError> {
        let stat = self.stat_of(path, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(stat
            .filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
            .map(|stat| identity_of(&stat)))
    }

    /// Asks the file system; `None` where nothing is (for a link that is followed also: a circle).
    fn stat_of(&self, path: &[u8], flags: AtFlags) -> Result<Option<Stat>, TreeError> {
        match statat(self.dir(path)?, name(path), flags) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(Errno::LOOP) if flags.is_empty() => Ok(None),
            Err(error) => Err(refused("look at", path, error)),
        }
    }

    /// The root, open, so that no look-up begins at `/`.
    fn dir(&self, path: &[u8]) -> Result<BorrowedFd<'_>, TreeError> {
        let dir = self.dir.as_ref().map(OwnedFd::as_fd);
        dir.map_err(|error| refused("look at", path, *error))
    }
}

impl Seen {
    /// Something that has no contents of its own.
    fn bare(what: What, identity: Identity) -> Self {
        Self {
            what,
            exec: false,
            digest: Digest::default(),
            identity,
            clean: false,
        }
    }

    /// A file, or a link to one, with the digest that stands for all of it.
    fn of(unread: &Unread, digest: Digest, clean: bool) -> Self {
        let what = if unread.link.is_some() {
            What::Link(End::File)
        } else {
            What::File
        };
        let exec = unread.target.mode & 0o100 != 0;
        Self {
            what,
            exec,
            digest,
            identity: unread.whole,
            clean,
        }
    }

    /// A file that was just written with this digest. It is never clean: it is too young.
    pub(super) fn written(identity: Identity, digest: Digest) -> Self {
        let exec = identity.mode & 0o100 != 0;
        Self {
            what: What::File,
            exec,
            digest,
            identity,
            clean: false,
        }
    }

    /// Whether the stat cache has a use for it: other things are cheap to look at.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.what, What::File | What::Link(End::File))
    }

    /// As the stat cache keeps it.
    pub(super) fn as_known(&self) -> Known<'static> {
        let content = Content::File(self.digest);
        Known {
            identity: self.identity,
            clean: self.clean,
            content,
        }
    }
}

impl Folder {
    /// As the stat cache keeps it.
    pub(super) fn as_known(&self) -> Known<'_> {
        let content = Content::Folder(self.listing.as_bytes());
        Known {
            identity: self.identity,
            clean: self.clean,
            content,
        }
    }
}

/// The digest of a link as an input.
fn of_link(text: &[u8], content: &Digest) -> Digest {
    let mut hasher = Hasher::of_domain(LINK_DOMAIN);
    hasher.update(&content.0);
    hasher.update(text);
    hasher.digest()
}

/// The digest of the contents of an open file that is `size` bytes long.
fn contents(file: BorrowedFd<'_>, size: u64) -> Result<Digest, Errno> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BLOCK]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut hasher = Hasher::new();
        let mut total = 0;
        loop {
            let count = match rustix::io::read(file, &mut buffer[..]) {
                Err(Errno::INTR) => continue,
                count => count?,
            };
            hasher.update(&buffer[..count]);
            total += count as u64;
            // The identity is asked again after this: a file that has grown shows there.
            if count == 0 || (total == size && size > 0) {
                return Ok(hasher.digest());
            }
        }
    })
}

/// The identity that `stat` tells.
pub(super) fn identity_of(stat: &Stat) -> Identity {
    let nanos = |seconds: i128, nanos: i128| seconds * 1_000_000_000 + nanos;
    Identity {
        size: wide(stat.st_size),
        mtime: nanos(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
        ctime: nanos(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        inode: wide(stat.st_ino),
        device: wide(stat.st_dev),
        mode: (wide(stat.st_mode) & MODE) as u32,
    }
}

/// The identity of the file that a path leads to.
pub(in crate::cache) fn identity_of_file(path: &Path) -> Option<Identity> {
    Some(identity_of(&stat(path).ok()?))
}

/// The identity of a link and the file it leads to: another one when either changes.
fn of_both(link: &Identity, target: &Identity) -> Identity {
    Identity {
        size: target.size,
        mtime: link.mtime.max(target.mtime),
        ctime: link.ctime.max(target.ctime),
        inode: link.inode ^ target.inode.rotate_left(32),
        device: target.device,
        mode: link.mode & !0o100 | target.mode & 0o100,
    }
}

/// A number of the system's, whose type is another one on each system.
pub(super) fn wide(number: impl Into<i128>) -> u64 {
    let number: i128 = number.into();
    number as u64
}

/// The path as the system wants it: the root has no name of its own.
fn name(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"." } else { path }
}

/// The path as people know it.
fn shown(path: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name(path)))
}

/// The path that a key means: outside of the workspace if it is absolute.
pub(super) fn entry_path(key: &[u8]) -> EntryPath {
    if key.starts_with(b"/") {
        return EntryPath::Outside(String::from_utf8_lossy(key).into_owned());
    }
    EntryPath::In(RelPath::resolve(&RelPath::root(), key).unwrap_or_default())
}

fn refused(action: &'static str, path: &[u8], error: Errno) -> TreeError {
    FsError::new(action, shown(path), error).into()
}
