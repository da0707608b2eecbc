//! Paths in the workspace: bytes, `/` between the parts, relative to the root.
//!
//! File names are bytes on the systems that `pipe` runs on, so this is no text type. A path is
//! normal by construction: no empty part, no `.`, no `..`; the root itself is the empty path.
//! This room knows nobody.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A normal path relative to the workspace root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RelPath(Box<[u8]>);

/// Why a text is no path in the workspace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// It climbs over the root with `..`.
    #[error("leaves the workspace")]
    Leaves,
    /// It starts with `/`.
    #[error("is absolute")]
    Absolute,
    /// It holds a NUL byte.
    #[error("holds a NUL byte")]
    Nul,
}

impl RelPath {
    /// The workspace root.
    pub fn root() -> Self {
        Self::default()
    }

    /// Resolves `text` as people write it in a file of folder `base`: `//x` is relative to the
    /// root, all else to `base`; `.` and `..` are folded.
    ///
    /// # Errors
    ///
    /// When the result is outside of the workspace, or no path.
    pub fn resolve(base: &Self, text: &[u8]) -> Result<Self, PathError> {
        if text.contains(&0) {
            return Err(PathError::Nul);
        }
        let (start, rest) = match text {
            [b'/', b'/', rest @ ..] => (Self::root(), rest),
            [b'/', ..] => return Err(PathError::Absolute),
            _ => (base.clone(), text),
        };
        if is_normal(rest) {
            return Ok(start.join(rest));
        }
        let mut parts: Vec<&[u8]> = start.parts().collect();
        for part in rest.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop().ok_or(PathError::Leaves)?;
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join(&b'/').into()))
    }

    /// The path of `path` below `root`, if it is below.
    pub fn below(root: &Path, path: &Path) -> Option<Self> {
        let rest = path.strip_prefix(root).ok()?;
        Self::resolve(&Self::root(), rest.as_os_str().as_bytes()).ok()
    }

    /// The bytes, `/` between the parts, none at either end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts from the root down.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
    }

    /// The last part; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        self.parts().next_back().unwrap_or_default()
    }

    /// The folder that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].into()))
    }

    /// This path and one part more.
    #[must_use]
    pub fn join(&self, part: &[u8]) -> Self {
        if self.is_root() {
            return Self(part.into());
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + part.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(part);
        Self(bytes.into())
    }

    /// Whether `self` is `folder` or lies below it.
    pub fn is_in(&self, folder: &Self) -> bool {
        folder.is_root()
            || self
                .0
                .strip_prefix(folder.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The path to give to the operating system.
    pub fn under(&self, root: &Path) -> PathBuf {
        if self.is_root() {
            root.to_path_buf()
        } else {
            root.join(OsStr::from_bytes(&self.0))
        }
    }

    /// How a process whose working folder is `from` names this path: `.`, `a/b`, `../a`.
    pub fn relative_to(&self, from: &Self) -> Cow<'_, [u8]> {
        if self.is_in(from) && self.0.len() > from.0.len() {
            let slash = usize::from(!from.is_root());
            return Cow::Borrowed(&self.0[from.0.len() + slash..]);
        }
        let common = self
            .parts()
            .zip(from.parts())
            .take_while(|(a, b)| a == b)
            .count();
        let up = from.parts().count() - common;
        let parts: Vec<&[u8]> = std::iter::repeat_n(&b".."[..], up)
            .chain(self.parts().skip(common))
            .collect();
        if parts.is_empty() {
            Cow::Borrowed(b".")
        } else {
            Cow::Owned(parts.join(&b'/'))
        }
    }
}

/// Whether `text` is names with single slashes between: nothing has to be folded.
fn is_normal(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'/')
        .all(|part| !matches!(part, b"" | b"." | b".."))
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            f.write_str(".")
        } else if let Ok(text) = std::str::from_utf8(&self.0) {
            f.write_str(text)
        } else {
            f.write_str(&String::from_utf8_lossy(&self.0))
        }
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// Bytes that are not UTF-8 stand in text as characters of this private range, so that any file
/// name can pass through expressions and come out as it was.
const RAW: u32 = 0x10_FE00;

/// File name bytes as text; [`to_bytes`] gives the bytes back, whatever they were.
pub fn to_text(bytes: &[u8]) -> String {
    as_text(bytes).into_owned()
}

/// The same without a copy of what is plain text, as nearly all names are.
pub fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(with_raw(bytes)),
    }
}

fn with_raw(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_raw(c) {
                let mut buffer = [0; 4];
                text.extend(c.encode_utf8(&mut buffer).bytes().filter_map(raw));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(raw));
    }
    text
}

/// The bytes that `text` stands for.
pub fn to_bytes(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        if is_raw(c) {
            bytes.push((c as u32 - RAW) as u8);
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    bytes
}

/// What a process gets for `text`: the bytes that it stands for.
pub fn to_os(text: &str) -> OsString {
    OsString::from_vec(to_bytes(text))
}

fn is_raw(c: char) -> bool {
    (RAW..RAW + 256).contains(&(c as u32))
}

fn raw(byte: u8) -> Option<char> {
    char::from_u32(RAW + u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
    }

    #[test]
    fn resolves_as_people_write() {
        let base = path("a/b");
        for (text, want) in [
            ("x", "a/b/x"),
            ("./x/", "a/b/x"),
            ("../x", "a/x"),
            ("//x//y", "x/y"),
            ("../..", "."),
            (".", "a/b"),
        ] {
            assert_eq!(
                RelPath::resolve(&base, text.as_bytes()).map(|p| p.to_string()),
                Ok(want.to_owned()),
                "{text}"
            );
        }
        assert_eq!(RelPath::resolve(&base, b"../../.."), Err(PathError::Leaves));
        assert_eq!(RelPath::resolve(&base, b"/x"), Err(PathError::Absolute));
        assert_eq!(RelPath::resolve(&base, b"a\0"), Err(PathError::Nul));
    }

    #[test]
    fn relative_paths() {
        for (to, from, want) in [
            ("a/b", "a", "b"),
            ("a", "a", "."),
            ("a", "b/c", "../../a"),
            ("a/b", ".", "a/b"),
            (".", ".", "."),
            (".", "a", ".."),
            ("ab/c", "a", "../ab/c"),
        ] {
            assert_eq!(
                *path(to).relative_to(&path(from)),
                *want.as_bytes(),
                "{to} from {from}"
            );
        }
    }

    #[test]
    fn any_bytes_pass_through_text() {
        let private = char::from_u32(RAW + 65).unwrap().to_string();
        for bytes in [
            &b"plain"[..],
            b"a\xffb\xc3\x28",
            "gr\u{fc}n\u{1f600}".as_bytes(),
            private.as_bytes(),
        ] {
            assert_eq!(to_bytes(&to_text(bytes)), bytes);
        }
    }
}
