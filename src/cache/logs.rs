//! Logs in the store and out of it: the text, and beside it which bytes came from which stream.
//! Knows nothing of how the split is written.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::aside::folder_name;
use super::rebuilder::Cache;
use super::result::{Bytes, Content, StoredLog};
use super::store::{Store, StoreError};
use crate::sys::fs::{FsError, create_dir_all, open_regular, read, write_atomic};

/// So much of a log is stored from its start, and so much from its end.
const KEPT: u64 = 16 << 20;

/// Logs up to this size stand in the record itself.
const INLINE: usize = 4096;

/// Where the stream split of a log is.
pub(super) fn streams_of(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".streams");
    name.into()
}

/// Stores a log; an empty one is not stored.
pub(super) fn store(store: &Store, log: &Path) -> Result<Option<StoredLog>, StoreError> {
    // Most steps print nothing.
    if log
        .symlink_metadata()
        .is_ok_and(|facts| facts.is_file() && facts.len() == 0)
    {
        return Ok(None);
    }
    let mut file = match open_regular(log) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let failed = |error| FsError::new("read", log, error);
    let size = file.metadata().map_err(failed)?.len();
    if size > 2 * KEPT {
        let text = ends(&mut file, size).map_err(failed)?;
        return Ok(Some(StoredLog {
            text: store.keep(text, INLINE)?,
            streams: None,
        }));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    let streams = read(&streams_of(log))
        .ok()
        .map(|bytes| store.keep(bytes, INLINE))
        .transpose()?;
    Ok(Some(StoredLog {
        text: store.keep(text, INLINE)?,
        streams,
    }))
}

/// Start and end of a long log, with a line between them.
fn ends(file: &mut std::fs::File, size: u64) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    Read::by_ref(file).take(KEPT).read_to_end(&mut text)?;
    text.extend_from_slice(
        format!("\n[... {} bytes are not kept ...]\n", size - 2 * KEPT).as_bytes(),
    );
    file.seek(SeekFrom::Start(size - KEPT))?;
    file.take(KEPT).read_to_end(&mut text)?;
    Ok(text)
}

impl Cache {
    /// Writes a stored log into the run's folder.
    pub(super) fn restore_log(
        &self,
        store: &Store,
        identity: &str,
        log: &StoredLog,
    ) -> Result<PathBuf, StoreError> {
        let folder = self.state_dir.join("runs").join(&self.run).join("restored");
        create_dir_all(&folder)?;
        let path = folder.join(format!("{}.log", folder_name(identity)));
        write_content(store, &log.text, &path)?;
        if let Some(streams) = &log.streams {
            write_content(store, streams, &streams_of(&path))?;
        }
        Ok(path)
    }
}

fn write_content(store: &Store, content: &Content, path: &Path) -> Result<(), StoreError> {
    match content {
        Content::Inline(Bytes(bytes)) => write_atomic(path, bytes)?,
        Content::Blob { .. } => write_atomic(path, &store.bytes(content)?)?,
    }
    Ok(())
}
