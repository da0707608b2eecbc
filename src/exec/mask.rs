//! Takes secrets out of a stream of bytes: every occurrence, in any of the forms in which programs
//! print a text, becomes `***`, also where it comes in pieces.
//!
//! Held back is only what may still become a secret: the longest end of the bytes so far that some
//! form begins with. So what comes out does not depend on how the bytes were cut. Pure.

use std::collections::BTreeSet;

/// What stands for a secret.
const MASK: &[u8] = b"***";

/// A shorter value would be found everywhere, and cannot be masked.
pub(super) const SHORTEST: usize = 4;

/// A line of a secret of several lines is masked by itself if it is at least so long.
const SHORTEST_LINE: usize = 8;

/// The forms of all secrets of a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms {
    /// By their first byte, the longest first.
    by_first: Vec<(u8, Vec<Vec<u8>>)>,
}

impl Forms {
    /// The forms of these values.
    pub(super) fn of<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all: BTreeSet<Vec<u8>> = BTreeSet::new();
        for secret in secrets {
            for value in values(secret) {
                all.extend(forms(value));
            }
        }
        all.retain(|form| form.len() >= SHORTEST);
        let mut by_first: Vec<(u8, Vec<Vec<u8>>)> = Vec::new();
        for form in all {
            match by_first.last_mut().filter(|(first, _)| *first == form[0]) {
                Some((_, forms)) => forms.push(form),
                None => by_first.push((form[0], vec![form])),
            }
        }
        for (_, forms) in &mut by_first {
            forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        }
        Self { by_first }
    }

    /// Whether there is nothing to mask.
    pub(super) fn is_empty(&self) -> bool {
        self.by_first.is_empty()
    }

    /// A whole text without secrets.
    pub(super) fn mask(&self, text: &str) -> String {
        let mut masker = Masker::default();
        let mut out = masker.push(self, text.as_bytes());
        out.extend(masker.finish(self));
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The length of the longest form at the start of `bytes`, and whether a longer one may follow.
    fn at(&self, bytes: &[u8]) -> (usize, bool) {
        let place = self
            .by_first
            .binary_search_by_key(&bytes[0], |(first, _)| *first);
        let Ok(place) = place else {
            return (0, false);
        };
        let forms = &self.by_first[place].1;
        let is_open = forms
            .iter()
            .any(|form| form.len() > bytes.len() && form.starts_with(bytes));
        let found = forms.iter().find(|form| bytes.starts_with(form));
        (found.map_or(0, Vec::len), is_open)
    }
}

/// One stream on its way.
#[derive(Debug, Default)]
pub(super) struct Masker {
    held: Vec<u8>,
    /// So many bytes of `held` belong to a secret whose mask is out already.
    covered: usize,
}

impl Masker {
    /// Takes bytes; gives those that are decided on.
    pub(super) fn push(&mut self, forms: &Forms, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.advance(forms, false)
    }

    /// The end of the stream: gives what was held back.
    pub(super) fn finish(&mut self, forms: &Forms) -> Vec<u8> {
        self.advance(forms, true)
    }

    fn advance(&mut self, forms: &Forms, is_end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let (mut at, mut covered) = (0, self.covered);
        while at < self.held.len() {
            let (length, is_open) = forms.at(&self.held[at..]);
            if is_open && !is_end {
                break;
            }
            if length > 0 {
                // One mask for secrets that overlap.
                if at >= covered {
                    out.extend_from_slice(MASK);
                }
                covered = covered.max(at + length);
            } else if at >= covered {
                out.push(self.held[at]);
            }
            at += 1;
        }
        self.held.drain(..at);
        self.covered = covered.saturating_sub(at);
        out
    }
}

/// The secret, without a line break at its end, and the long lines of one of several lines.
fn values(secret: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = secret.trim_ascii_end();
    let lines = whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| line.len() >= SHORTEST_LINE);
    let values = [secret, whole].into_iter().chain(lines);
    values.filter(|value| value.len() >= SHORTEST)
}

fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    forms.extend(in_base64(value));
    forms.extend(in_url(value));
    if let Ok(text) = std::str::from_utf8(value) {
        forms.extend(in_json(text));
        forms.push(text.replace('\'', "'\\''").into_bytes());
        forms.push(text.replace('\n', "\r\n").into_bytes());
    }
    forms
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What base64 makes of the value, at each of the three places that it can have in a longer text:
/// the digits that depend on it alone, with and without the one that ends a text.
fn in_base64(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for digits in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            let bytes = [&[0, 0][..before], value].concat();
            let encoded = base64(&bytes, digits);
            let start = (before * 8).div_ceil(6);
            let whole = bytes.len() * 8 / 6;
            forms.push(encoded[start..whole].to_vec());
            forms.push(encoded[start..].to_vec());
        }
    }
    forms
}

/// RFC 4648, without padding.
fn base64(bytes: &[u8], digits: &[u8; 64]) -> Vec<u8> {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |at: usize| (0..6).fold(0, |value, place| value << 1 | bit(at * 6 + place));
    let count = (bytes.len() * 8).div_ceil(6);
    (0..count)
        .map(|at| digits[usize::from(digit(at))])
        .collect()
}

/// What libraries make of the value in an address: they differ in which characters they leave, in
/// the case of digits and in what a blank becomes.
fn in_url(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for left in ["-_.~", "-_.~/", "-_.!~*'()"] {
        for (digits, blank) in [
            (b"0123456789ABCDEF", "%20"),
            (b"0123456789ABCDEF", "+"),
            (b"0123456789abcdef", "%20"),
            (b"0123456789abcdef", "+"),
        ] {
            let mut form = Vec::new();
            for byte in value {
                match byte {
                    b' ' => form.extend_from_slice(blank.as_bytes()),
                    byte if byte.is_ascii_alphanumeric() || left.as_bytes().contains(byte) => {
                        form.push(*byte);
                    }
                    byte => form.extend([
                        b'%',
                        digits[usize::from(byte >> 4)],
                        digits[usize::from(byte & 15)],
                    ]),
                }
            }
            forms.push(form);
        }
    }
    forms
}

/// What libraries make of the value in JSON: some leave letters of all languages, some escape what
/// HTML or a script around it could trip over.
fn in_json(value: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for is_ascii in [false, true] {
        for more in ["", "<>&", "/"] {
            let mut form = String::new();
            for c in value.chars() {
                push_json(&mut form, c, is_ascii, more);
            }
            forms.push(form.clone().into_bytes());
        }
    }
    forms
}

fn push_json(to: &mut String, c: char, is_ascii: bool, more: &str) {
    match c {
        '"' | '\\' => to.extend(['\\', c]),
        '/' if more == "/" => to.push_str("\\/"),
        '\n' => to.push_str("\\n"),
        '\r' => to.push_str("\\r"),
        '\t' => to.push_str("\\t"),
        '\u{8}' => to.push_str("\\b"),
        '\u{c}' => to.push_str("\\f"),
        c if c < ' ' || is_ascii && !c.is_ascii() || more.contains(c) => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                to.push_str(&format!("\\u{unit:04x}"));
            }
        }
        c => to.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(secrets: &[&str], pieces: &[&[u8]]) -> String {
        let forms = Forms::of(secrets.iter().map(|secret| secret.as_bytes()));
        let mut masker = Masker::default();
        let mut out: Vec<u8> = Vec::new();
        for piece in pieces {
            out.extend(masker.push(&forms, piece));
        }
        out.extend(masker.finish(&forms));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn secrets_are_masked_in_all_forms() {
        let secret = "p\"ss w/rd<ü>'s";
        for form in [
            secret,
            r#"p\"ss w/rd<ü>'s"#,
            r#"p\"ss w/rd<\u00fc>'s"#,
            r#"p\"ss w\/rd<ü>'s"#,
            r#"p\"ss w/rd\u003cü\u003e's"#,
            "p%22ss%20w%2Frd%3C%C3%BC%3E%27s",
            "p%22ss+w%2frd%3c%c3%bc%3e%27s",
            "p%22ss%20w/rd%3C%C3%BC%3E%27s",
            "p%22ss%20w%2Frd%3C%C3%BC%3E's",
            "p\"ss w/rd<ü>'\\''s",
        ] {
            assert_eq!(
                masked(&[secret], &[b"a ", form.as_bytes(), b" b"]),
                "a *** b",
                "{form}"
            );
        }
    }

    #[test]
    fn secrets_within_base64_are_masked() {
        let secret = "geheim?>~s";
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "z", "zy", "zyx"] {
                let whole = format!("{before}{secret}{after}");
                for digits in [STANDARD, URL_SAFE] {
                    let text = base64(whole.as_bytes(), digits);
                    let out = masked(&[secret], &[&text]);
                    assert!(out.contains("***"), "{whole}: {out}");
                    // A digit at each end holds bits of what stands beside it.
                    let left = out.len() - 3;
                    assert!(
                        left <= (before.len() + after.len()) * 8 / 6 + 2,
                        "{whole}: {out}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        assert_eq!(masked(&["abcd"], &[b"ab", b"c", b"ab"]), "abcab");
        assert_eq!(masked(&["abcd"], &[b"abcdabcd"]), "******");
        assert_eq!(masked(&["abcd", "cdef"], &[b"xabcd", b"efx"]), "x***x");
        assert_eq!(masked(&["abcd\n"], &[b"abcd"]), "***");
        assert_eq!(
            masked(&["first line\nsecond line\n}"], &[b"<second line>}"]),
            "<***>}"
        );
        assert!(Forms::of([&b""[..]]).is_empty());
    }

    #[test]
    fn nothing_is_held_but_what_may_be_a_secret() {
        let forms = Forms::of([&b"aaaa"[..]]);
        let mut masker = Masker::default();
        assert_eq!(masker.push(&forms, b"Password: "), b"Password: ");
        let mut out = Vec::new();
        for _ in 0..1000 {
            out.extend(masker.push(&forms, b"a"));
            assert!(masker.held.len() < 12, "{}", masker.held.len());
        }
        out.extend(masker.push(&forms, b"\n"));
        assert_eq!(out, b"***\n");
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            secrets in proptest::collection::vec("[ab\"/ ]{4,7}", 1..4),
            text in "[ab\"/ \\\\]{0,60}",
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            let out = masked(&secrets, &pieces);
            prop_assert_eq!(&out, &masked(&secrets, &[text.as_bytes()]));
            for secret in secrets {
                prop_assert!(!out.contains(secret), "{} in {}", secret, out);
            }
        }

        #[test]
        fn other_text_is_left_alone(text in "[a-y\n ]{0,80}") {
            prop_assert_eq!(masked(&["zzzz"], &[text.as_bytes()]), text);
        }
    }
}
