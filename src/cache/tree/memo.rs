//! What was seen in this run, each thing by one thread: who comes second waits for the first.
//!
//! A value stands with the logical time at which it was seen. Asking says how old it may be; who is
//! told to make it anew holds a [`Claim`], and a claim that is dropped (an error, a panic) lets the
//! next one try. No lock is held while a value is made. Knows no disk.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::Seq;

const SHARDS: usize = 16;

/// Values by path, with the time at which they were seen.
#[derive(Debug)]
pub(super) struct Memo<V> {
    shards: Vec<Shard<V>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard<V> {
    slots: Mutex<Slots<V>>,
    changed: Condvar,
}

type Slots<V> = HashMap<Box<[u8]>, Slot<V>, RandomState>;

#[derive(Debug)]
struct Slot<V> {
    /// The newest value and its time.
    seen: Option<(Seq, V)>,
    /// Somebody makes a value as of this time.
    making: Option<Seq>,
    /// Somebody waits for it: waking nobody would still be a system call.
    awaited: bool,
}

/// The answer to a question.
pub(super) enum Answer<'a, V> {
    /// The value, new enough.
    Have(V),
    /// Somebody else makes it.
    Wait,
    /// It is for the asker to make; the value is the one from before.
    Make(Claim<'a, V>, Option<V>),
}

/// The duty to make a value.
pub(super) struct Claim<'a, V> {
    memo: &'a Memo<V>,
    key: &'a [u8],
    seq: Seq,
    open: bool,
}

impl<V: Clone> Memo<V> {
    /// Nothing seen yet.
    pub(super) fn new() -> Self {
        let shard = || Shard {
            slots: Mutex::default(),
            changed: Condvar::new(),
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::default(),
        }
    }

    fn shard(&self, key: &[u8]) -> &Shard<V> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// Asks for the value at `key`, seen at `since` or later; `now` is the time of a new one.
    pub(super) fn ask<'a>(&'a self, key: &'a [u8], since: Seq, now: Seq) -> Answer<'a, V> {
        let mut slots = self.shard(key).lock();
        let claim = || Claim {
            memo: self,
            key,
            seq: now,
            open: true,
        };
        let Some(slot) = slots.get_mut(key) else {
            slots.insert(
                key.into(),
                Slot {
                    seen: None,
                    making: Some(now),
                    awaited: false,
                },
            );
            return Answer::Make(claim(), None);
        };
        match (&slot.seen, slot.making) {
            (Some((seq, value)), _) if *seq >= since => Answer::Have(value.clone()),
            (_, Some(seq)) if seq >= since => Answer::Wait,
            (seen, _) => {
                let old = seen.as_ref().map(|(_, value)| value.clone());
                slot.making = Some(now);
                Answer::Make(claim(), old)
            }
        }
    }

    /// Waits for who makes the value at `key`; `None` when they gave up.
    pub(super) fn wait(&self, key: &[u8], since: Seq) -> Option<V> {
        let shard = self.shard(key);
        let mut slots = shard.lock();
        loop {
            let slot = slots.get_mut(key)?;
            match (&slot.seen, slot.making) {
                (Some((seq, value)), _) if *seq >= since => return Some(value.clone()),
                (_, Some(seq)) if seq >= since => slot.awaited = true,
                _ => return None,
            }
            slots = shard
                .changed
                .wait(slots)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The value at `key`, made by `make` where nobody has one or makes one.
    pub(super) fn get<E>(
        &self,
        key: &[u8],
        since: Seq,
        now: Seq,
        make: impl Fn(Option<V>) -> Result<V, E>,
    ) -> Result<V, E> {
        loop {
            match self.ask(key, since, now) {
                Answer::Have(value) => return Ok(value),
                Answer::Make(claim, old) => return Ok(claim.fulfil(make(old)?)),
                Answer::Wait => {
                    if let Some(value) = self.wait(key, since) {
                        return Ok(value);
                    }
                }
            }
        }
    }

    /// Sets the value at `key`.
    pub(super) fn put(&self, key: &[u8], seq: Seq, value: V) {
        let mut slots = self.shard(key).lock();
        let slot = slots.entry(key.into()).or_insert(Slot {
            seen: None,
            making: None,
            awaited: false,
        });
        slot.seen = Some((seq, value));
    }

    /// Whether there is a value at `key`, however old.
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.shard(key)
            .lock()
            .get(key)
            .is_some_and(|slot| slot.seen.is_some())
    }

    /// Drops the value at `key`.
    pub(super) fn forget(&self, key: &[u8]) {
        if let Some(slot) = self.shard(key).lock().get_mut(key) {
            slot.seen = None;
        }
    }

    /// Drops all values whose key `gone` names.
    pub(super) fn forget_all(&self, gone: impl Fn(&[u8]) -> bool) {
        for shard in &self.shards {
            let mut slots = shard.lock();
            slots
                .iter_mut()
                .filter(|(key, _)| gone(key))
                .for_each(|(_, slot)| slot.seen = None);
        }
    }

    /// All values, in any order.
    pub(super) fn all(&self) -> Vec<(Box<[u8]>, V)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let slots = shard.lock();
            let seen = slots
                .iter()
                .filter_map(|(key, slot)| Some((key, &slot.seen.as_ref()?.1)));
            all.extend(seen.map(|(key, value)| (key.clone(), value.clone())));
        }
        all
    }
}

impl<V> Shard<V> {
    fn lock(&self) -> MutexGuard<'_, Slots<V>> {
        // Values are put in whole: a panic elsewhere leaves nothing half-done here.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Clone> Claim<'_, V> {
    /// Where the value is to be found.
    pub(super) fn key(&self) -> &[u8] {
        self.key
    }

    /// Hands in the value.
    pub(super) fn fulfil(mut self, value: V) -> V {
        self.close(Some(value.clone()));
        value
    }
}

impl<V> Claim<'_, V> {
    fn close(&mut self, value: Option<V>) {
        self.open = false;
        let shard = &self.memo.shards[self.memo.hasher.hash_one(self.key) as usize % SHARDS];
        let mut slots = shard.lock();
        let Some(slot) = slots.get_mut(self.key) else {
            return;
        };
        if slot.making == Some(self.seq) {
            slot.making = None;
        }
        if let Some(value) = value
            && slot.seen.as_ref().is_none_or(|(seq, _)| *seq <= self.seq)
        {
            slot.seen = Some((self.seq, value));
        }
        if std::mem::take(&mut slot.awaited) {
            shard.changed.notify_all();
        }
    }
}

impl<V> Drop for Claim<'_, V> {
    fn drop(&mut self) {
        if self.open {
            self.close(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};

    use super::*;

    fn fine(value: u32) -> Result<u32, ()> {
        Ok(value)
    }

    #[test]
    fn old_values_are_made_again() {
        let memo = Memo::new();
        assert_eq!(memo.get(b"a", 0, 0, |_| fine(1)), Ok(1));
        assert_eq!(memo.get(b"a", 0, 5, |_| fine(2)), Ok(1));
        assert_eq!(
            memo.get(b"a", 5, 5, |old| fine(old.unwrap_or(0) + 1)),
            Ok(2)
        );
        memo.forget(b"a");
        assert_eq!(memo.get(b"a", 0, 6, |old| fine(old.unwrap_or(7))), Ok(7));
        assert!(memo.contains(b"a") && !memo.contains(b"b"));
    }

    #[test]
    fn one_makes_and_the_others_wait() {
        let memo = Memo::new();
        let (made, barrier) = (AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    let value = memo.get(b"a", 1, 1, |_| {
                        made.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        fine(9)
                    });
                    assert_eq!(value, Ok(9));
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn who_gives_up_lets_the_next_one_try() {
        let memo: Memo<u32> = Memo::new();
        let (asked, told) = mpsc::channel();
        std::thread::scope(|scope| {
            let Answer::Make(claim, None) = memo.ask(b"a", 0, 0) else {
                panic!("not asked to make")
            };
            scope.spawn(|| {
                let waits = matches!(memo.ask(b"a", 0, 0), Answer::Wait);
                assert!(asked.send(waits).is_ok());
                assert_eq!(memo.get(b"a", 0, 0, |_| fine(3)), Ok(3));
            });
            assert_eq!(told.recv(), Ok(true));
            drop(claim);
        });
    }
}
