//! What the commands of `tools` printed, so that a run in which nothing changed starts none of
//! them: `.pipe/tools`. Whoever asks says what the answer hangs on. Knows no command and no process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use super::digest::{Digest, Hasher};
use super::encode::push_text;
use super::frames::{Magic, body, frame, frames};
use super::rebuilder::Cache;
use super::tree::{identity_of_file, margin};
use crate::sys::clock;
use crate::sys::fs::{FsError, read, write_atomic};

const MAGIC: &Magic = b"pipe-tools    1\n";
const DOMAIN: &str = "pipe tool";
/// So many answers are kept; beyond that only those that this run asked for.
const MANY: usize = 256;

/// A question to a tool.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// The command.
    pub command: &'a str,
    /// Its working folder.
    pub dir: &'a Path,
    /// The variables that may change the answer.
    pub variables: &'a [(&'a OsStr, &'a OsStr)],
    /// The program, and other files that it is given.
    pub files: &'a [PathBuf],
}

/// The name of a question: another one when anything changes that the answer hangs on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProbeKey(Digest);

/// All answers.
pub(super) struct Probes {
    path: PathBuf,
    inner: OnceLock<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    answers: BTreeMap<Digest, String>,
    used: BTreeSet<Digest>,
    changed: bool,
}

impl Probes {
    /// The answers in `path`; nothing is read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            inner: OnceLock::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let inner = self.inner.get_or_init(|| {
            let answers = parse(&read(&self.path).unwrap_or_default()).unwrap_or_default();
            Mutex::new(Inner {
                answers: answers
                    .into_iter()
                    .map(|(key, text)| (Digest(key), text))
                    .collect(),
                ..Inner::default()
            })
        });
        inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file, if there is something new.
    pub(super) fn save(&self) -> Result<(), FsError> {
        if self.inner.get().is_none() {
            return Ok(());
        }
        let mut inner = self.lock();
        if !std::mem::take(&mut inner.changed) {
            return Ok(());
        }
        if inner.answers.len() > MANY {
            let Inner { answers, used, .. } = &mut *inner;
            answers.retain(|key, _| used.contains(key));
        }
        let answers: Vec<([u8; 32], &String)> = inner
            .answers
            .iter()
            .map(|(key, text)| (key.0, text))
            .collect();
        let bytes = postcard::to_stdvec(&answers).unwrap_or_default();
        write_atomic(&self.path, &[&MAGIC[..], &frame(&bytes)].concat())
    }
}

/// The answers of a file; `None` where it is damaged or of another version.
fn parse(file: &[u8]) -> Option<Vec<([u8; 32], String)>> {
    let (found, _) = frames(file, MAGIC);
    let frame = file.get(found.first()?.clone())?;
    postcard::from_bytes(body(frame)?).ok()
}

impl Cache {
    /// The name of `probe`; `None` where one of its files is not there, or so new that a change of it
    /// could go unseen.
    pub fn probe_key(&self, probe: &Probe<'_>) -> Option<ProbeKey> {
        let mut bytes = Vec::new();
        push_text(&mut bytes, probe.command.as_bytes());
        push_text(&mut bytes, probe.dir.as_os_str().as_encoded_bytes());
        push_text(&mut bytes, &(probe.variables.len() as u64).to_le_bytes());
        for (name, value) in probe.variables {
            push_text(&mut bytes, name.as_encoded_bytes());
            push_text(&mut bytes, value.as_encoded_bytes());
        }
        let now = clock::wall().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        for file in probe.files {
            let identity = identity_of_file(file)?;
            let rested = now.checked_sub(margin(file.parent()?))?;
            let last = identity.mtime.max(identity.ctime);
            (last < i128::try_from(rested.as_nanos()).ok()?).then_some(())?;
            push_text(&mut bytes, file.as_os_str().as_encoded_bytes());
            push_text(&mut bytes, &postcard::to_stdvec(&identity).ok()?);
        }
        let mut hasher = Hasher::of_domain(DOMAIN);
        hasher.update(&bytes);
        Some(ProbeKey(hasher.digest()))
    }

    /// The answer from an earlier run.
    pub fn probed(&self, key: ProbeKey) -> Option<String> {
        let mut inner = self.probes.lock();
        inner.used.insert(key.0);
        inner.answers.get(&key.0).cloned()
    }

    /// Keeps an answer.
    pub fn keep_probe(&self, key: ProbeKey, answer: &str) {
        let mut inner = self.probes.lock();
        inner.answers.insert(key.0, answer.to_owned());
        inner.changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(path: &Path, count: u8) -> Probes {
        let probes = Probes::new(path.to_path_buf());
        for number in 0..count {
            let mut inner = probes.lock();
            inner
                .answers
                .insert(Digest::of(&[number]), number.to_string());
            inner.changed = true;
        }
        probes.save().unwrap();
        Probes::new(path.to_path_buf())
    }

    #[test]
    fn answers_are_read_back_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tools");
        let probes = kept(&path, 3);
        assert_eq!(probes.lock().answers.get(&Digest::of(&[2])).unwrap(), "2");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            write_atomic(&path, &flipped).unwrap();
            assert!(Probes::new(path.clone()).lock().answers.is_empty(), "{at}");
            write_atomic(&path, &whole[..at]).unwrap();
            assert!(Probes::new(path.clone()).lock().answers.is_empty(), "{at}");
        }
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let probes = kept(&dir.path().join("tools"), 255);
        for number in 0..10_u64 {
            let mut inner = probes.lock();
            let key = Digest::of(&number.to_le_bytes());
            inner.answers.insert(key, String::new());
            inner.used.insert(key);
            inner.changed = true;
        }
        probes.save().unwrap();
        assert_eq!(probes.lock().answers.len(), 10);
    }
}
