//! What a step's run brought, as it is kept in the store under the step's key.
//!
//! ```text
//! record := "pipe-rec" version:u16 checksum:32 bytes body      body: postcard of [`Record`]
//! ```
//!
//! The checksum is over the body, and the body names its key: a record that is cut, garbled or
//! under another's name is no record. One of another version is nothing to be had, and left alone.
//! Knows no folder and no workspace.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::action::ActionKey;
use super::digest::{Digest, Hasher};
use super::entry::Kind;
use crate::path::RelPath;

const MAGIC: &[u8; 8] = b"pipe-rec";
const VERSION: u16 = 1;
const DOMAIN: &str = "pipe action result";
const HEAD: usize = MAGIC.len() + 2 + 32;

/// The result of an action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The key that it stands under.
    pub(super) key: ActionKey,
    /// The field list: the encoding that the key is over.
    pub(super) fields: Content,
    /// What was made, sorted by path.
    pub(super) outputs: Vec<Stored>,
    /// What the command printed.
    pub(super) log: Option<StoredLog>,
    /// The workspace root, where an output holds it: good only there.
    pub(super) bound_to: Option<Bytes>,
    /// Who made it.
    pub(super) origin: Origin,
    /// The start of the machine on which it was written.
    pub(super) boot: Option<String>,
}

/// A file, link or empty folder that was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Where.
    pub(super) path: RelPath,
    /// What.
    pub(super) kind: Kind,
    /// Whether its owner may execute it.
    pub(super) exec: bool,
    /// The digest of its content.
    pub(super) digest: Digest,
    /// Its content; of a link its text.
    pub(super) content: Content,
}

/// What a command printed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct StoredLog {
    /// The bytes.
    pub(super) text: Content,
    /// Which of them came from which stream; absent where the log was cut.
    pub(super) streams: Option<Content>,
}

/// Bytes: in the record itself when they are few.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Content {
    /// Here.
    Inline(Bytes),
    /// In the content store.
    Blob {
        /// Under this digest.
        digest: Digest,
        /// So many.
        size: u64,
    },
}

/// Which run made a result.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The step's name there.
    pub step: String,
    /// The workspace.
    pub root: String,
    /// The run's id.
    pub run: String,
    /// When the command started, in nanoseconds since 1970.
    pub started: u64,
    /// How long it took, in nanoseconds.
    pub duration: u64,
}

/// Bytes that are written as one piece.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&'de [u8]>::deserialize(deserializer)?;
        Ok(Self(bytes.to_vec()))
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RecordError {
    /// Another version wrote it: leave it alone.
    Version,
    /// It is damaged.
    Damaged,
}

impl Record {
    /// The bytes of a record's file.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Writing plain data to memory cannot fail; an empty body would be read as damage.
        let body = postcard::to_stdvec(self).unwrap_or_default();
        let version = VERSION.to_le_bytes();
        [&MAGIC[..], &version, &checksum(&body).0, &body].concat()
    }

    /// Reads a record's file.
    pub(super) fn decode(key: ActionKey, bytes: &[u8]) -> Result<Self, RecordError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(RecordError::Damaged)?;
        let (version, rest) = rest.split_at_checked(2).ok_or(RecordError::Damaged)?;
        if version != VERSION.to_le_bytes() {
            return Err(RecordError::Version);
        }
        let (sum, body) = rest
            .split_at_checked(HEAD - MAGIC.len() - 2)
            .ok_or(RecordError::Damaged)?;
        if sum != checksum(body).0 {
            return Err(RecordError::Damaged);
        }
        let record: Self = postcard::from_bytes(body).map_err(|_| RecordError::Damaged)?;
        if record.key == key && record.outputs.iter().all(|output| is_safe(&output.path)) {
            Ok(record)
        } else {
            Err(RecordError::Damaged)
        }
    }

    /// Whether a newer version of the program wrote these bytes.
    pub(super) fn is_newer(bytes: &[u8]) -> bool {
        let version = bytes.strip_prefix(MAGIC).and_then(<[u8]>::first_chunk);
        version.is_some_and(|version| u16::from_le_bytes(*version) > VERSION)
    }

    /// All that it has in the content store.
    pub(super) fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let outputs = self.outputs.iter().map(|output| &output.content);
        let log = self
            .log
            .iter()
            .flat_map(|log| std::iter::once(&log.text).chain(&log.streams));
        let all = std::iter::once(&self.fields).chain(outputs).chain(log);
        all.filter_map(|content| match content {
            Content::Inline(_) => None,
            Content::Blob { digest, size } => Some((*digest, *size)),
        })
    }
}

fn checksum(body: &[u8]) -> Digest {
    let mut hasher = Hasher::of_domain(DOMAIN);
    hasher.update(body);
    hasher.digest()
}

/// Whether a path that was read from a file is normal, in the workspace and nothing of `pipe`'s or
/// git's: [`RelPath`]s are normal by construction, but not when they come from a disk.
pub(super) fn is_safe(path: &RelPath) -> bool {
    let normal = RelPath::resolve(&RelPath::root(), path.as_bytes()).as_ref() == Ok(path);
    normal && !matches!(path.parts().next(), None | Some(b".git" | b".pipe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
    }

    fn record() -> Record {
        let content = Content::Inline(Bytes(b"hello".to_vec()));
        Record {
            key: ActionKey(Digest::of(b"key")),
            fields: content.clone(),
            outputs: vec![Stored {
                path: path("dist/a"),
                kind: Kind::File,
                exec: true,
                digest: Digest::of(b"hello"),
                content: Content::Blob {
                    digest: Digest::of(b"hello"),
                    size: 5,
                },
            }],
            log: Some(StoredLog {
                text: content.clone(),
                streams: Some(content),
            }),
            bound_to: None,
            origin: Origin::default(),
            boot: None,
        }
    }

    #[test]
    fn a_record_is_read_back() {
        let record = record();
        assert_eq!(Record::decode(record.key, &record.encode()), Ok(record));
    }

    #[test]
    fn every_length_and_every_flipped_bit_is_a_miss() {
        let record = record();
        let bytes = record.encode();
        for length in 0..bytes.len() {
            assert!(
                Record::decode(record.key, &bytes[..length]).is_err(),
                "length {length}"
            );
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(
                    Record::decode(record.key, &damaged).is_err(),
                    "byte {at} bit {bit}"
                );
            }
        }
        assert!(Record::decode(record.key, &[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn a_record_is_good_only_under_its_own_key() {
        let other = ActionKey(Digest::of(b"other"));
        assert_eq!(
            Record::decode(other, &record().encode()),
            Err(RecordError::Damaged)
        );
    }

    #[test]
    fn an_unknown_version_is_told_apart() {
        let mut bytes = record().encode();
        bytes[8] = 9;
        assert_eq!(
            Record::decode(record().key, &bytes),
            Err(RecordError::Version)
        );
    }

    #[test]
    fn no_record_leads_out_of_the_workspace() {
        for bad in [
            "../x",
            "/etc/x",
            "a/../../x",
            ".git/config",
            ".pipe/state",
            "a//b",
            "",
        ] {
            // What a foreign program might have written.
            let mut bytes = Vec::new();
            bytes.extend(postcard::to_stdvec(bad).unwrap());
            let path: RelPath = postcard::from_bytes(&bytes).unwrap();
            assert!(!is_safe(&path), "{bad}");
        }
        assert!(is_safe(&path("a/.git-x")));
    }
}
