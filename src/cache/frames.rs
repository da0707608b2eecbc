//! Files that only grow: frames one after the other, each with its length and a checksum.
//!
//! ```text
//! file  := magic:16 bytes frame*
//! frame := length:u32 checksum:16 bytes body
//! ```
//!
//! A kill leaves whole frames and at most one half of one at the end. Reading stops at the first
//! frame that cannot be whole; the checksum of a frame is looked at when it is used. Knows nothing
//! of what is in the frames.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::digest::Hasher;
use crate::sys::fs::{FsError, append};

const DOMAIN: &str = "pipe frame";
const HEAD: usize = 4 + 16;

/// What a file of frames begins with: its kind and version.
pub(super) type Magic = [u8; 16];

/// How the version of a file of this kind compares with that of `magic`; `None` for no such file.
pub(super) fn version(file: &[u8], magic: &Magic) -> Option<Ordering> {
    fn parts(magic: &Magic) -> Option<(&str, u32)> {
        let line = std::str::from_utf8(magic).ok()?.strip_suffix('\n')?;
        let (kind, number) = line.rsplit_once(' ')?;
        Some((kind, number.parse().ok()?))
    }
    let ((kind, number), (own, own_number)) = (parts(file.first_chunk()?)?, parts(magic)?);
    (kind.trim_end() == own.trim_end()).then(|| number.cmp(&own_number))
}

/// A frame around `body`.
pub(super) fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&checksum(body));
    bytes.extend_from_slice(body);
    bytes
}

/// Where the frames of a file are, and whether all of it could be read. Nothing is checked yet.
pub(super) fn frames(file: &[u8], magic: &Magic) -> (Vec<Range<usize>>, bool) {
    let mut found = Vec::new();
    if !file.starts_with(magic) {
        return (found, file.is_empty());
    }
    let mut at = magic.len();
    while let Some(end) = frame_end(file, at) {
        found.push(at..end);
        at = end;
    }
    (found, at == file.len())
}

fn frame_end(file: &[u8], at: usize) -> Option<usize> {
    let length = u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?);
    let end = at.checked_add(HEAD)?.checked_add(length as usize)?;
    (end <= file.len()).then_some(end)
}

/// The body of a frame, as it stands there.
pub(super) fn unchecked(frame: &[u8]) -> &[u8] {
    frame.get(HEAD..).unwrap_or_default()
}

/// The body of a frame, if it is whole.
pub(super) fn body(frame: &[u8]) -> Option<&[u8]> {
    let body = frame.get(HEAD..)?;
    let length = u32::from_le_bytes(frame[..4].try_into().ok()?);
    (length as usize == body.len() && frame[4..HEAD] == checksum(body)).then_some(body)
}

fn checksum(body: &[u8]) -> [u8; 16] {
    let mut hasher = Hasher::of_domain(DOMAIN);
    hasher.update(body);
    let mut sum = [0; 16];
    sum.copy_from_slice(&hasher.digest().0[..16]);
    sum
}

/// A file of frames that is open at its end.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Appender {
    /// Opens the file, which is made where there is none.
    pub(super) fn open(path: &Path, magic: &Magic) -> Result<Self, FsError> {
        let mut file = append(path)?;
        let failed = |source| FsError::new("write", path, source);
        let mut length = file.metadata().map_err(failed)?.len();
        if length == 0 {
            file.write_all(magic).map_err(failed)?;
            length = magic.len() as u64;
        }
        Ok(Self {
            file,
            path: path.to_path_buf(),
            length,
        })
    }

    /// Writes a frame around `body` in one piece; tells where it begins and how long it is.
    pub(super) fn push(&mut self, body: &[u8]) -> Result<(u64, u32), FsError> {
        let at = self.length;
        self.write(&frame(body))?;
        Ok((at, (self.length - at) as u32))
    }

    /// Writes frames around `bodies` in one piece.
    pub(super) fn push_all(
        &mut self,
        bodies: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), FsError> {
        let frames: Vec<u8> = bodies.flat_map(|body| frame(&body)).collect();
        self.write(&frames)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.file
            .write_all(bytes)
            .map_err(|source| FsError::new("write", &self.path, source))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &Magic = b"pipe test file 1";

    fn file() -> Vec<u8> {
        [&MAGIC[..], &frame(b"one"), &frame(b""), &frame(b"three")].concat()
    }

    fn bodies(file: &[u8]) -> Vec<Option<&[u8]>> {
        frames(file, MAGIC)
            .0
            .into_iter()
            .map(|range| body(&file[range]))
            .collect()
    }

    #[test]
    fn frames_are_read_back() {
        assert_eq!(
            bodies(&file()),
            [Some(&b"one"[..]), Some(b""), Some(b"three")]
        );
        assert!(frames(&file(), MAGIC).1);
        assert!(frames(b"", MAGIC).1);
        assert!(!frames(b"pipe test file 2", MAGIC).1);
    }

    #[test]
    fn versions_are_told_apart() {
        let magic: &Magic = b"pipe-sets     9\n";
        let compared = |file: &[u8]| version(file, magic);
        assert_eq!(compared(b"pipe-sets     9\n..."), Some(Ordering::Equal));
        assert_eq!(compared(b"pipe-sets    10\n"), Some(Ordering::Greater));
        assert_eq!(compared(b"pipe-sets     1\n"), Some(Ordering::Less));
        for other in [
            &b"pipe-sets     x\n"[..],
            b"pipe-state    9\n",
            b"pipe-sets     9",
            b"",
        ] {
            assert_eq!(compared(other), None);
        }
    }

    #[test]
    fn a_cut_file_has_the_frames_before_the_cut() {
        let whole = file();
        for length in 1..whole.len() {
            let cut = &whole[..length];
            assert!(bodies(cut).iter().all(Option::is_some));
            assert!(bodies(&whole).starts_with(&bodies(cut)));
        }
    }

    #[test]
    fn a_flipped_bit_never_makes_another_body() {
        let whole = file();
        let good = bodies(&whole);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(
                bodies(&damaged)
                    .iter()
                    .flatten()
                    .all(|body| good.contains(&Some(body)))
            );
        }
    }

    #[test]
    fn appending_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        Appender::open(&path, MAGIC).unwrap().push(b"one").unwrap();
        let (at, length) = Appender::open(&path, MAGIC).unwrap().push(b"two").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let range = at as usize..at as usize + length as usize;
        assert_eq!(body(&bytes[range]), Some(&b"two"[..]));
    }
}
