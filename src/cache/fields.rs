//! Field lists of the steps' last keys: `.pipe/fields/RUN`, one file of frames a run.
//!
//! They stand apart from the state so that a run in which nothing is to do reads none of them.
//! Knows nothing of what is in a field list.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::frames::{Appender, Magic, body};
use super::result::Bytes;
use crate::sys::fs::{FsError, create_dir_all, open_regular, remove_file};

const MAGIC: &Magic = b"pipe-fields   1\n";

/// So many files may lie about before it is looked at which are still wanted.
const MANY: usize = 16;

/// Where a field list is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct FieldsAt {
    /// The file's name.
    pub(super) file: String,
    offset: u64,
    length: u32,
}

/// A field list with what is not in the key: which inputs were made by which step.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Listed {
    /// The encoding.
    pub(super) fields: Bytes,
    /// Steps with the paths of what they made.
    pub(super) made_by: Vec<(String, Vec<Bytes>)>,
}

impl Listed {
    /// The step that made `path`.
    pub(super) fn maker(&self, path: &[u8]) -> Option<&str> {
        let made = |(_, paths): &&(String, Vec<Bytes>)| paths.iter().any(|made| made.0 == path);
        self.made_by
            .iter()
            .find(made)
            .map(|(step, _)| step.as_str())
    }
}

/// The folder of field lists.
pub(super) struct Fields {
    folder: PathBuf,
    /// The name of this run's file.
    file: String,
    appender: Mutex<Option<Appender>>,
}

impl Fields {
    /// The folder, and the file for this run; nothing is opened yet.
    pub(super) fn new(folder: PathBuf, run: &str) -> Self {
        Self {
            folder,
            file: run.replace('/', "_"),
            appender: Mutex::new(None),
        }
    }

    /// Writes a field list down.
    pub(super) fn put(&self, listed: &Listed) -> Result<FieldsAt, FsError> {
        let bytes = postcard::to_stdvec(listed).unwrap_or_default();
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        let appender = match &mut *appender {
            Some(appender) => appender,
            none => none.insert(self.open()?),
        };
        let (offset, length) = appender.push(&bytes)?;
        Ok(FieldsAt {
            file: self.file.clone(),
            offset,
            length,
        })
    }

    fn open(&self) -> Result<Appender, FsError> {
        create_dir_all(&self.folder)?;
        Appender::open(&self.folder.join(&self.file), MAGIC)
    }

    /// Reads a field list; `None` where it is gone or damaged.
    pub(super) fn get(&self, at: &FieldsAt) -> Option<Listed> {
        let file: File = open_regular(&self.folder.join(&at.file)).ok()?;
        let end = at.offset.checked_add(u64::from(at.length))?;
        (end <= file.metadata().ok()?.len()).then_some(())?;
        let mut bytes = vec![0; at.length as usize];
        file.read_exact_at(&mut bytes, at.offset).ok()?;
        postcard::from_bytes(body(&bytes)?).ok()
    }

    /// Whether this run wrote one.
    pub(super) fn wrote(&self) -> bool {
        self.appender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Once there are many files: removes those that nothing is `wanted` of any more.
    pub(super) fn tidy(&self, wanted: impl FnOnce() -> HashSet<String>) {
        let entries = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten();
        let files: Vec<_> = entries.map(|entry| entry.path()).collect();
        if files.len() <= MANY {
            return;
        }
        let wanted = wanted();
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if *name != *self.file && !wanted.contains(&*name) {
                // What cannot be removed is looked at again by the next run.
                let _removed = remove_file(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Listed {
        let made_by = vec![("api:gen".to_owned(), vec![Bytes(b"gen/a".to_vec())])];
        Listed {
            fields: Bytes(text.as_bytes().to_vec()),
            made_by,
        }
    }

    #[test]
    fn lists_are_read_back_until_nobody_wants_them() {
        let folder = tempfile::tempdir().unwrap();
        let first = Fields::new(folder.path().join("fields"), "r1");
        let (one, two) = (
            first.put(&listed("one")).unwrap(),
            first.put(&listed("two")).unwrap(),
        );
        let second = Fields::new(folder.path().join("fields"), "r2");
        assert_eq!(second.get(&one), Some(listed("one")));
        assert_eq!(second.get(&two).unwrap().maker(b"gen/a"), Some("api:gen"));
        for old in 0..MANY {
            Fields::new(folder.path().join("fields"), &format!("old{old}"))
                .put(&listed("x"))
                .unwrap();
        }
        second.tidy(|| HashSet::from(["r1".to_owned()]));
        assert!(second.get(&two).is_some());
        assert_eq!(
            std::fs::read_dir(folder.path().join("fields"))
                .unwrap()
                .count(),
            1
        );
    }

    #[test]
    fn damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let fields = Fields::new(folder.path().to_owned(), "r1");
        let before = fields.put(&listed("zero")).unwrap();
        let at = fields.put(&listed("one")).unwrap();
        let path = folder.path().join("r1");
        let whole = std::fs::read(&path).unwrap();
        for byte in 0..whole.len() {
            crate::sys::fs::write_atomic(&path, &whole[..byte]).unwrap();
            assert_eq!(fields.get(&at), None, "cut at {byte}");
            let intact = (byte as u64) < at.offset;
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[byte] ^= 1 << bit;
                crate::sys::fs::write_atomic(&path, &flipped).unwrap();
                assert_eq!(
                    fields.get(&at),
                    intact.then(|| listed("one")),
                    "byte {byte} bit {bit}"
                );
            }
        }
        crate::sys::fs::write_atomic(&path, &whole).unwrap();
        for offset in 0..whole.len() as u64 {
            for length in (0..whole.len() as u32).chain([u32::MAX]) {
                let wrong = FieldsAt {
                    offset,
                    length,
                    ..at.clone()
                };
                assert_eq!(fields.get(&wrong).is_some(), wrong == at || wrong == before);
            }
        }
        assert_eq!(
            fields.get(&FieldsAt {
                length: u32::MAX,
                ..at
            }),
            None
        );
    }
}
