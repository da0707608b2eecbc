//! Digests of contents and of keys. The only file that names blake3.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A blake3 digest, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0)
            .to_hex()
            .as_str()
            .to_owned()
    }

    /// The digest that has these 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digest = blake3::Hash::from_hex(text).ok()?;
        Some(Self(*digest.as_bytes()))
    }

    /// The first twelve hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Hashes a stream of bytes.
#[derive(Clone, Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// A hasher for contents: its digest of some bytes is [`Digest::of`] them.
    pub fn new() -> Self {
        Self::default()
    }

    /// A hasher of its own domain: equal bytes under another `context` give another digest.
    pub fn of_domain(context: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}
