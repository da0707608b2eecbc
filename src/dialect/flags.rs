//! The arguments of a Go build under a mode.
//!
//! Go takes only the last `-ldflags` and the last `-tags`, so what a mode adds goes into the
//! worker's own.

use super::made::At;
use crate::parse::{BuildModeDoc, Text};

/// What a mode asks of the compiler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// Nothing of this machine's paths in the binary.
    pub(super) trimmed: bool,
    /// Nothing for a debugger either.
    pub(super) stripped: bool,
    /// No C libraries.
    pub(super) is_static: bool,
    /// A build tag.
    pub(super) tag: Option<&'static str>,
}

/// For work on it.
pub(super) const DEV: Mode = Mode {
    trimmed: false,
    stripped: false,
    is_static: false,
    tag: None,
};

/// For use.
pub(super) const PROD: Mode = Mode {
    trimmed: true,
    stripped: true,
    is_static: true,
    tag: Some("production"),
};

impl Mode {
    /// This mode, but for what is written.
    pub(super) fn with(self, written: Option<&BuildModeDoc>) -> Self {
        let Some(written) = written else { return self };
        let or = |field: &Option<crate::source::Spanned<bool>>, default| {
            field.as_ref().map_or(default, |field| field.value)
        };
        Self {
            trimmed: or(&written.optimize, self.trimmed),
            stripped: !or(&written.include_debug, !self.stripped),
            is_static: or(&written.is_static, self.is_static),
            tag: self.tag,
        }
    }

    /// A worker's own arguments with what the mode adds; `None` where that is nothing.
    pub(super) fn flags(self, own: &[Text], at: At) -> Option<Vec<Text>> {
        let mut flags = own.to_vec();
        let is_set = |flag: &Text| flag.text.trim_start_matches('-').starts_with("trimpath");
        if self.trimmed && !flags.iter().any(is_set) {
            flags.push(at.text("-trimpath"));
        }
        if self.stripped {
            add(&mut flags, "ldflags", &["-s", "-w"], at);
        }
        if let Some(tag) = self.tag {
            add(&mut flags, "tags", &[tag], at);
        }
        (flags != own).then_some(flags)
    }
}

/// Adds words to the last flag of this name, or the flag.
fn add(flags: &mut Vec<Text>, name: &str, words: &[&str], at: At) {
    let Some((index, start)) = last(flags, name) else {
        flags.push(at.text(format!("-{name}={}", words.join(" "))));
        return;
    };
    let text = &mut flags[index].text;
    let value = text.split_off(start);
    let separator = if name == "tags" && !value.contains(' ') {
        ","
    } else {
        " "
    };
    let there: Vec<&str> = value
        .split(separator)
        .filter(|word| !word.is_empty())
        .collect();
    let missing = words.iter().filter(|word| !there.contains(word));
    let all: Vec<&str> = there.iter().chain(missing).copied().collect();
    text.push_str(&all.join(separator));
}

/// Which text holds the value of the last flag of this name, and from where on.
fn last(flags: &[Text], name: &str) -> Option<(usize, usize)> {
    let value = |(index, flag): (usize, &Text)| {
        let dashed = flag.text.strip_prefix("--");
        let rest = dashed
            .or_else(|| flag.text.strip_prefix('-'))?
            .strip_prefix(name)?;
        match rest.strip_prefix('=') {
            Some(value) => Some((index, flag.text.len() - value.len())),
            None if rest.is_empty() && index + 1 < flags.len() => Some((index + 1, 0)),
            None => None,
        }
    };
    flags.iter().enumerate().rev().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn under(mode: Mode, own: &[&str]) -> Option<Vec<String>> {
        let at = At(Span::default());
        let own: Vec<Text> = own.iter().map(|flag| at.text(*flag)).collect();
        let flags = mode.flags(&own, at)?;
        Some(flags.into_iter().map(|flag| flag.text).collect())
    }

    #[track_caller]
    fn prod(own: &[&str], expected: &[&str]) {
        assert_eq!(under(PROD, own).unwrap(), expected);
    }

    #[test]
    fn a_mode_adds_to_what_is_there() {
        prod(&[], &["-trimpath", "-ldflags=-s -w", "-tags=production"]);
        prod(
            &["-ldflags=-X main.Version=1", "-trimpath=false", "-race"],
            &[
                "-ldflags=-X main.Version=1 -s -w",
                "-trimpath=false",
                "-race",
                "-tags=production",
            ],
        );
        prod(
            &[
                "-ldflags=-w",
                "--ldflags",
                "-w -X a=b",
                "-tags=netgo,osusergo",
            ],
            &[
                "-ldflags=-w",
                "--ldflags",
                "-w -X a=b -s",
                "-tags=netgo,osusergo,production",
                "-trimpath",
            ],
        );
        prod(
            &["-tags", "netgo osusergo", "-ldflags="],
            &[
                "-tags",
                "netgo osusergo production",
                "-ldflags=-s -w",
                "-trimpath",
            ],
        );
    }

    #[test]
    fn nothing_to_add_is_nothing() {
        assert_eq!(under(DEV, &["-race"]), None);
        assert_eq!(
            under(PROD, &["-ldflags=-s -w", "-trimpath", "-tags=production"]),
            None
        );
    }
}
