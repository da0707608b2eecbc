//! The colours and signs of this room, in one place.
//!
//! A [`Paint`] knows whether there is colour; who decides that, and from what, it does not know.

use anstyle::{AnsiColor, Style};

/// The step ran and succeeded.
pub(super) const DONE: &str = "✓";
/// The step failed.
pub(super) const FAILED: &str = "✗";
/// Its outputs came from the store.
pub(super) const RESTORED: &str = "↓";
/// Nothing was to do.
pub(super) const SAME: &str = "=";
/// It was not its turn: blocked, skipped or cancelled.
pub(super) const LEFT: &str = "-";
/// Stands for what does not fit.
pub(super) const ELLIPSIS: &str = "…";
/// The part of the bar that is done.
pub(super) const BAR_DONE: &str = "━";
/// The part of the bar that is to come; another character, so that it shows without colour too.
pub(super) const BAR_REST: &str = "┄";

/// Ends all colours.
pub(super) const RESET: &str = "\x1b[0m";

/// Paints words, or leaves them as they are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paint {
    /// Whether there is colour at all.
    pub(super) color: bool,
}

impl Paint {
    /// What went well.
    pub(super) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// What failed.
    pub(super) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    /// What people should look at.
    pub(super) fn warn(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    /// The names of steps.
    pub(super) fn name(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    /// What is there for whoever looks for it.
    pub(super) fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Paint;

    #[test]
    fn paints_only_where_there_is_colour() {
        assert_eq!(Paint { color: false }.bad("x"), "x");
        assert_eq!(Paint { color: true }.good("x"), "\x1b[32mx\x1b[0m");
        assert_eq!(Paint { color: true }.good(""), "");
    }
}
