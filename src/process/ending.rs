//! When a command is asked to end, and when it is ended: a pure state machine over points in time
//! that it is given. Knows no process and no clock.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{EndedBy, Level, Limits};

/// How far the ending of a command has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It runs; its time is over at this moment, if ever.
    Runs(Option<Instant>),
    /// It was asked to end and is ended at this moment.
    Asked(Option<Instant>),
    /// It was ended.
    Killed,
}

/// The ending of one command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    state: State,
    by: Option<EndedBy>,
    grace: Duration,
}

impl Ending {
    /// Of a command that starts at `now`.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        // A time that no clock can hold is never over.
        let over = limits.timeout.and_then(|timeout| now.checked_add(timeout));
        Self {
            state: State::Runs(over),
            by: None,
            grace: limits.grace,
        }
    }

    /// Who ended the command.
    pub(super) fn by(self) -> Option<EndedBy> {
        self.by
    }

    /// When to look again at the latest.
    pub(super) fn next(self) -> Option<Instant> {
        match self.state {
            State::Runs(at) | State::Asked(at) => at,
            State::Killed => None,
        }
    }

    /// Whether a cancel of `level` would still change something.
    pub(super) fn hears(self, level: Level) -> bool {
        match self.state {
            State::Runs(_) => true,
            State::Asked(_) => level == Level::Kill,
            State::Killed => false,
        }
    }

    /// What to send at `now`, where the wish to end the run is `level`.
    pub(super) fn advance(&mut self, now: Instant, level: Level) -> Option<Signal> {
        let over = self.next().is_some_and(|at| at <= now);
        match self.state {
            State::Killed => None,
            _ if level == Level::Kill => self.kill(EndedBy::Cancel),
            State::Runs(_) if level == Level::Stop => self.ask(now, EndedBy::Cancel),
            State::Runs(_) if over => self.ask(now, EndedBy::Timeout),
            State::Asked(_) if over => self.kill(EndedBy::Cancel),
            _ => None,
        }
    }

    fn ask(&mut self, now: Instant, by: EndedBy) -> Option<Signal> {
        self.state = State::Asked(now.checked_add(self.grace));
        self.by = Some(by);
        Some(Signal::TERM)
    }

    /// `by` counts only where nobody asked before.
    fn kill(&mut self, by: EndedBy) -> Option<Signal> {
        self.state = State::Killed;
        self.by.get_or_insert(by);
        Some(Signal::KILL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start(timeout: Option<Duration>) -> (Ending, Instant) {
        let now = crate::sys::clock::now();
        (
            Ending::new(
                Limits {
                    timeout,
                    grace: 5 * SECOND,
                },
                now,
            ),
            now,
        )
    }

    #[test]
    fn a_time_limit_asks_then_kills() {
        let (mut ending, now) = start(Some(SECOND));
        assert_eq!(ending.advance(now, Level::Go), None);
        assert_eq!(ending.advance(now + SECOND, Level::Go), Some(Signal::TERM));
        assert_eq!(ending.advance(now + 2 * SECOND, Level::Stop), None);
        assert_eq!(
            ending.advance(now + 6 * SECOND, Level::Stop),
            Some(Signal::KILL)
        );
        assert_eq!(ending.advance(now + 9 * SECOND, Level::Kill), None);
        assert_eq!(ending.by(), Some(EndedBy::Timeout));
    }

    #[test]
    fn a_second_signal_kills_at_once() {
        let (mut ending, now) = start(None);
        assert_eq!((ending.next(), ending.hears(Level::Stop)), (None, true));
        assert_eq!(ending.advance(now, Level::Stop), Some(Signal::TERM));
        assert_eq!(
            (ending.hears(Level::Stop), ending.hears(Level::Kill)),
            (false, true)
        );
        assert_eq!(ending.advance(now, Level::Kill), Some(Signal::KILL));
        assert_eq!(ending.by(), Some(EndedBy::Cancel));
    }
}
