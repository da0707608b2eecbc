//! When a digest may be trusted by the file's identity alone: the racy rule.
//!
//! A file that changed just before it was hashed may change again without a new time stamp. So it
//! counts as clean only if its times are older than the file system's own clock by a margin. The
//! clock is read by writing a probe file; an earlier reading is always safe, so a new one is taken
//! only where the last says no. Knows nothing of digests.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::fs::{fstat, fstatfs};

use super::super::entry::Identity;
use super::look::identity_of;
use crate::sys::clock::wall;
use crate::sys::fs::Probe;

/// Time stamps of one tick of the kernel's clock may be equal.
const LOCAL: i128 = 20_000_000;
/// A layered file system, whose parts may differ.
const LAYERED: i128 = 100_000_000;
/// Network file systems and unknown ones.
const FOREIGN: i128 = 2_000_000_000;

/// The clock of the file system that the probe file is on.
#[derive(Debug)]
pub(super) struct FsClock {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Unasked,
    /// The probe file cannot be written: nothing is ever clean.
    Broken,
    Running {
        probe: Probe,
        reading: Reading,
    },
}

/// What the clock last said.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Reading {
    /// The time, in nanoseconds since the epoch.
    pub(super) time: i128,
    /// The device that the probe is on.
    pub(super) device: u64,
    /// How much older a file's times must be.
    pub(super) margin: i128,
}

impl Reading {
    /// Whether something with this identity had come to rest at that time. On another device the
    /// clock may be another one.
    pub(super) fn is_after(&self, identity: &Identity) -> bool {
        let last = identity.mtime.max(identity.ctime);
        identity.device == self.device && identity.ctime != 0 && last < self.time - self.margin
    }

    /// The same for a file on another device, whose own margin is `margin`; only for local ones,
    /// which share the machine's clock.
    fn is_after_on(&self, identity: &Identity, margin: i128) -> bool {
        let last = identity.mtime.max(identity.ctime);
        margin < FOREIGN && identity.ctime != 0 && last < self.time - FOREIGN
    }
}

/// A moment by the clock that gives files their times.
#[derive(Clone, Copy, Debug)]
pub struct Tick(Reading);

impl Tick {
    /// Whether the clock has gone on since `other`.
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.0.time > other.0.time
    }

    /// Whether what has this identity was not touched at that moment or later. A clock's own ticks are
    /// in order, so there is no margin but for clocks that may be others.
    pub(super) fn is_after(&self, identity: &Identity) -> bool {
        let last = identity.mtime.max(identity.ctime);
        let is_same_clock = identity.device == self.0.device && self.0.margin < FOREIGN;
        let margin = if is_same_clock { 0 } else { FOREIGN };
        identity.ctime != 0 && last < self.0.time - margin
    }
}

impl FsClock {
    /// This moment; by the machine's clock where the probe file cannot be written.
    pub(super) fn tick(&self) -> Tick {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Unasked = *state {
            *state = self.start();
        }
        let read = match &mut *state {
            State::Running { probe, .. } => read(probe),
            State::Unasked | State::Broken => None,
        };
        let since = wall().duration_since(SystemTime::UNIX_EPOCH);
        let time = since.map_or(0, |since| since.as_nanos() as i128);
        Tick(read.unwrap_or(Reading {
            time,
            device: 0,
            margin: FOREIGN,
        }))
    }

    /// A clock with its probe file at `path`, which is made when it is first needed.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::new(State::Unasked),
        }
    }

    /// Whether the open file `file` has come to rest. Ask before reading it.
    pub(super) fn rests(&self, identity: &Identity, file: impl AsFd) -> bool {
        self.judge(identity, |reading| {
            reading.is_after(identity)
                || (identity.device != reading.device
                    && reading.is_after_on(identity, margin_of(file.as_fd())))
        })
    }

    /// Whether a folder has come to rest. Ask before listing it. Network file systems do not keep
    /// the times of folders well enough.
    pub(super) fn folder_rests(&self, identity: &Identity) -> bool {
        self.judge(identity, |reading| {
            reading.margin < FOREIGN && reading.is_after(identity)
        })
    }

    /// Judges by the last reading, and by a new one if that says no.
    fn judge(&self, identity: &Identity, rests: impl Fn(&Reading) -> bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Unasked = *state {
            *state = self.start();
        }
        let State::Running { probe, reading } = &mut *state else {
            return false;
        };
        if rests(reading) {
            return true;
        }
        // A time far ahead does not come to rest by asking again.
        let ahead = identity.mtime.max(identity.ctime) > reading.time + FOREIGN;
        match read(probe).filter(|_| !ahead) {
            Some(new) => *reading = new,
            None => return false,
        }
        rests(reading)
    }

    fn start(&self) -> State {
        let Ok(mut probe) = Probe::create(&self.path) else {
            return State::Broken;
        };
        match read(&mut probe) {
            Some(reading) => State::Running { probe, reading },
            None => State::Broken,
        }
    }
}

/// How much older than a reading of the clock the times of a file in `folder` must be to say
/// that it came to rest before; the largest where the folder cannot be looked at.
pub fn margin(folder: &Path) -> Duration {
    let margin = File::open(folder).map_or(FOREIGN, margin_of);
    Duration::from_nanos(margin as u64)
}

/// What the file system's clock says now.
fn read(probe: &mut Probe) -> Option<Reading> {
    let file: &File = probe.touch().ok()?;
    let identity = identity_of(&fstat(file).ok()?);
    Some(Reading {
        time: identity.mtime,
        device: identity.device,
        margin: margin_of(file.as_fd()),
    })
}

/// How much older than the clock a file on this file system must be.
#[cfg(target_os = "linux")]
fn margin_of(file: impl AsFd) -> i128 {
    // ext2-4, xfs, btrfs, zfs, tmpfs, f2fs: numbers of statfs(2), which no crate names.
    const LOCAL_KINDS: [u64; 6] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x2fc1_2fc1,
        0x0102_1994,
        0xf2f5_2010,
    ];
    const OVERLAY: u64 = 0x794c_7630;
    let kind = fstatfs(file).map_or(0, |found| super::look::wide(found.f_type));
    match kind {
        OVERLAY => LAYERED,
        kind if LOCAL_KINDS.contains(&kind) => LOCAL,
        _ => FOREIGN,
    }
}

/// Only Linux's file systems are told apart.
#[cfg(not(target_os = "linux"))]
fn margin_of(_file: impl AsFd) -> i128 {
    FOREIGN
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Reading = Reading {
        time: 1_000_000_000_000,
        device: 1,
        margin: LOCAL,
    };

    fn rests(mtime: i128, ctime: i128, device: u64) -> bool {
        NOW.is_after(&Identity {
            mtime,
            ctime,
            device,
            ..Identity::default()
        })
    }

    #[test]
    fn only_what_is_clearly_older_rests() {
        let edge = NOW.time - LOCAL;
        assert!(rests(edge - 1, edge - 1, 1));
        assert!(!rests(edge, edge - 1, 1), "mtime at the margin");
        assert!(!rests(edge - 1, edge, 1), "ctime at the margin");
        assert!(!rests(1, NOW.time, 1), "mtime put back");
        assert!(!rests(NOW.time + 1, 1, 1), "mtime in the future");
        assert!(!rests(1, 0, 1), "no ctime");
        assert!(!rests(1, 1, 2), "another device");
    }

    #[test]
    fn a_tick_is_not_before_itself() {
        let moment = |margin| Tick(Reading { margin, ..NOW });
        let at = |ctime, device| Identity {
            mtime: 1,
            ctime,
            device,
            ..Identity::default()
        };
        assert!(moment(LAYERED).is_after(&at(NOW.time - 1, 1)));
        assert!(!moment(LOCAL).is_after(&at(NOW.time, 1)));
        assert!(
            !moment(LOCAL).is_after(&at(NOW.time - 1, 2)),
            "another clock"
        );
        assert!(!moment(FOREIGN).is_after(&at(NOW.time - 1, 1)), "a network");
        assert!(moment(FOREIGN).is_after(&at(NOW.time - FOREIGN - 1, 2)));
    }

    #[test]
    fn another_local_device_needs_the_large_margin() {
        let old = |ctime| Identity {
            ctime,
            device: 2,
            ..Identity::default()
        };
        assert!(NOW.is_after_on(&old(NOW.time - FOREIGN - 1), LOCAL));
        assert!(!NOW.is_after_on(&old(NOW.time - FOREIGN), LOCAL));
        assert!(!NOW.is_after_on(&old(1), FOREIGN), "a network file system");
    }

    #[test]
    fn without_a_probe_nothing_rests() {
        let clock = FsClock::new("/nonexistent/probe".into());
        assert!(!clock.folder_rests(&Identity {
            ctime: 1,
            ..Identity::default()
        }));
    }
}
