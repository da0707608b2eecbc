//! Looks for a text in bytes that pass by, chunk by chunk. Knows nothing of what it is for.

use std::io::{self, Read};

/// Looks for one text.
pub(super) struct Finder<'a> {
    wanted: &'a [u8],
    /// How far to go on after a window that ends in each byte (Horspool's rule).
    skip: [usize; 256],
}

impl<'a> Finder<'a> {
    /// For a text that is not empty; an empty one is never found.
    pub(super) fn new(wanted: &'a [u8]) -> Self {
        let mut skip = [wanted.len().max(1); 256];
        for (at, byte) in wanted
            .iter()
            .enumerate()
            .take(wanted.len().saturating_sub(1))
        {
            skip[usize::from(*byte)] = wanted.len() - 1 - at;
        }
        Self { wanted, skip }
    }

    /// Whether the text is in `bytes`.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        let Some(last) = self.wanted.len().checked_sub(1) else {
            return false;
        };
        let mut at = last;
        while let Some(byte) = bytes.get(at) {
            if *byte == self.wanted[last] && bytes[at - last..=at] == *self.wanted {
                return true;
            }
            at += self.skip[usize::from(*byte)];
        }
        false
    }
}

/// A reader that looks for a text in what is read through it.
pub(super) struct Scanner<'a, R> {
    inner: R,
    finder: &'a Finder<'a>,
    /// The end of what went by, too short to hold the text.
    tail: Vec<u8>,
    found: bool,
}

impl<'a, R: Read> Scanner<'a, R> {
    /// Reads from `inner`.
    pub(super) fn new(inner: R, finder: &'a Finder<'a>) -> Self {
        Self {
            inner,
            finder,
            tail: Vec::new(),
            found: false,
        }
    }

    /// Whether the text went by.
    pub(super) fn found(&self) -> bool {
        self.found
    }

    fn look(&mut self, chunk: &[u8]) {
        let reach = self.finder.wanted.len().saturating_sub(1);
        let seam = [&self.tail, &chunk[..chunk.len().min(reach)]].concat();
        self.found = self.finder.is_in(&seam) || self.finder.is_in(chunk);
        let all = if chunk.len() >= reach { chunk } else { &seam };
        self.tail = all[all.len().saturating_sub(reach)..].to_vec();
    }
}

impl<R: Read> Read for Scanner<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if !self.found {
            self.look(&buffer[..count]);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives out a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn finds_what_is_there(text in "[ab]{0,40}", wanted in "[ab]{1,5}", chunk in 1_usize..9) {
            let finder = Finder::new(wanted.as_bytes());
            prop_assert_eq!(finder.is_in(text.as_bytes()), text.contains(&wanted));
            let mut scanner = Scanner::new(Slow(text.as_bytes(), chunk), &finder);
            io::copy(&mut scanner, &mut io::sink()).unwrap();
            prop_assert_eq!(scanner.found(), text.contains(&wanted));
        }
    }

    #[test]
    fn nothing_is_never_found() {
        assert!(!Finder::new(b"").is_in(b"abc"));
    }
}
