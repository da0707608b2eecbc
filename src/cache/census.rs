//! Keeps a store within its limits without anybody asking: a little at the end of each run that used
//! the store, when there is a reason to.
//!
//! Runs write down how much they have added (`added`). Once that is too much, or a day has gone by, the
//! folders of the store are gone through, a few at the end of each run; what is too old goes. What is
//! left is counted by its age (`census`). Where that is more than may stay, the count tells from which
//! age on all has to go, and it does the next time round. Nothing is ever held in memory but the count.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::collect::{Collected, Collector};
use super::frames::{Magic, body, frame, frames};
use super::local::Limits;
use super::shelves::Shelves;
use super::stock::{Item, What, folders, items};
use crate::sys::clock;
use crate::sys::fs::{FsError, append, create, read, write_atomic};
use crate::sys::lock::{Lock, LockError};

const MAGIC: &Magic = b"pipe-census   1\n";

/// So long a run may take for it.
const SLICE: Duration = Duration::from_millis(30);

/// After so long what is too old is looked for.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Ages are told apart by an eighth of a power of two.
const CLASSES_PER_DOUBLING: f64 = 8.0;

/// What is known of a store's size.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Census {
    /// When all was last gone through; `None` if never.
    finished: Option<SystemTime>,
    /// How much was there then.
    total: u64,
    /// The round that is under way.
    round: Option<Round>,
}

/// Going through all folders.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Round {
    started: SystemTime,
    /// The last folder that was done.
    done: Option<PathBuf>,
    /// What was last used this long before the start goes.
    longest: Duration,
    /// Whether it follows one that has found too much.
    second: bool,
    /// How much is left, by classes of age.
    left: Vec<u64>,
}

/// Does a slice of the work, if there is any. `added` is what the caller has put into the store.
pub(super) fn tend(shelves: &Shelves, limits: &Limits, added: u64) -> Result<(), LockError> {
    if added > 0 {
        let path = shelves.at("added");
        let mut file = append(&path)?;
        file.write_all(&added.to_le_bytes())
            .map_err(|error| FsError::new("write", path, error))?;
    }
    let census = Census::read(shelves);
    if !census.is_due(limits, all_added(shelves), clock::wall()) {
        return Ok(());
    }
    // Whoever is at it already does it.
    let _lock = Lock::acquire(&shelves.at("lock"), false, |_| ())?;
    Ok(census.go_on(shelves, limits)?)
}

/// Writes down that so much was left when all was gone through at `finished`.
pub(super) fn counted(shelves: &Shelves, total: u64, finished: SystemTime) -> Result<(), FsError> {
    create(&shelves.at("added"))?;
    let census = Census {
        finished: Some(finished),
        total,
        round: None,
    };
    census.write(shelves)
}

/// How much was added since the last round began.
fn all_added(shelves: &Shelves) -> u64 {
    let bytes = read(&shelves.at("added")).unwrap_or_default();
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().fold(0, |sum, bytes| {
        sum.saturating_add(u64::from_le_bytes(*bytes))
    })
}

impl Census {
    /// What cannot be read was never counted.
    fn read(shelves: &Shelves) -> Self {
        let bytes = read(&shelves.at("census")).unwrap_or_default();
        let (ranges, _) = frames(&bytes, MAGIC);
        let first = ranges.first().and_then(|range| body(&bytes[range.clone()]));
        first
            .and_then(|body| postcard::from_bytes(body).ok())
            .unwrap_or_default()
    }

    fn write(&self, shelves: &Shelves) -> Result<(), FsError> {
        let body = postcard::to_stdvec(self).unwrap_or_default();
        let bytes = [&MAGIC[..], &frame(&body)].concat();
        write_atomic(&shelves.at("census"), &bytes)
    }

    fn is_due(&self, limits: &Limits, added: u64, now: SystemTime) -> bool {
        let is_fresh = |finished: SystemTime| {
            now.duration_since(finished)
                .is_ok_and(|age| age < DAY.min(limits.max_age))
        };
        self.round.is_some()
            || self.total.saturating_add(added) > limits.max_size
            || !self.finished.is_some_and(is_fresh)
    }

    /// Goes through folders until the time is over, one at least.
    fn go_on(mut self, shelves: &Shelves, limits: &Limits) -> Result<(), FsError> {
        let (begun, collector) = (clock::now(), Collector::new(shelves)?);
        let mut round = match self.round.take() {
            Some(round) => round,
            None => Round::first(shelves, collector.start(), limits)?,
        };
        loop {
            round.go_through(shelves, &collector)?;
            let is_over = round.done.is_none();
            if is_over && round.is_enough(limits) {
                self.total = round.left.iter().sum();
                self.finished = Some(collector.start());
                break;
            }
            if is_over {
                round = round.next(limits);
            }
            if begun.elapsed() >= SLICE {
                self.round = Some(round);
                break;
            }
        }
        self.write(shelves)
    }
}

impl Round {
    fn first(shelves: &Shelves, started: SystemTime, limits: &Limits) -> Result<Self, FsError> {
        // What is added from now on is counted, or is there for the next one.
        create(&shelves.at("added"))?;
        Ok(Self {
            started,
            done: None,
            longest: limits.max_age,
            second: false,
            left: Vec::new(),
        })
    }

    /// The one that takes away what this one has found to be too much.
    fn next(self, limits: &Limits) -> Self {
        Self {
            longest: self
                .longest
                .min(longest(&self.left, limits.max_size / 10 * 9)),
            done: None,
            second: true,
            left: Vec::new(),
            ..self
        }
    }

    /// What is in use may be too much, too: one more round is enough.
    fn is_enough(&self, limits: &Limits) -> bool {
        self.second || self.left.iter().sum::<u64>() <= limits.max_size
    }

    /// Does the next folder. After the last one, none is the one that was done last.
    fn go_through(&mut self, shelves: &Shelves, collector: &Collector<'_>) -> Result<(), FsError> {
        let (folders, done) = (folders(shelves)?.into_iter(), self.done.take());
        let mut open = folders.filter(|folder| Some(folder) > done.as_ref());
        let Some(folder) = open.next() else {
            return Ok(());
        };
        for item in items(&folder)? {
            let goes = self.age(&item) > self.longest || item.what == What::Unfinished;
            if !(goes && collector.take(&item, &mut Collected::default())?) {
                self.count(&item);
            }
        }
        self.done = open.next().map(|_| folder);
        Ok(())
    }

    fn age(&self, item: &Item) -> Duration {
        self.started.duration_since(item.used).unwrap_or_default()
    }

    fn count(&mut self, item: &Item) {
        let class = class(self.age(item));
        if self.left.len() <= class {
            self.left.resize(class + 1, 0);
        }
        self.left[class] += item.size;
    }
}

fn class(age: Duration) -> usize {
    ((age.as_secs_f64() + 1.0).log2() * CLASSES_PER_DOUBLING) as usize
}

/// The age from which on all has to go, so that no more than `size` is left.
fn longest(left: &[u64], size: u64) -> Duration {
    let mut sum = 0_u64;
    let fits = left.iter().take_while(|class| {
        sum = sum.saturating_add(**class);
        sum <= size
    });
    let doublings = fits.count() as f64 / CLASSES_PER_DOUBLING;
    Duration::try_from_secs_f64(doublings.exp2() - 1.0).unwrap_or(Duration::MAX)
}
