//! One at a time runs the command for a key: who wants the same waits, and finds the result in the
//! store. Whoever fails, or is killed, makes way for the next. Knows no command.

use std::path::PathBuf;

use super::action::ActionKey;
use super::made::Prepared;
use super::rebuilder::Cache;
use super::store::Store;
use super::tree::Seq;
use crate::plan::{CacheMode, PlanStep};
use crate::sys::lock::{Claim, LockError};
use crate::sys::parent::is_ancestor;

/// Whose turn it is to run a command.
pub enum Turn {
    /// The caller's; others wait as long as it has the flight, if there is one.
    Ours(Option<Flight>),
    /// Somebody else is at it.
    Theirs(Elsewhere),
}

/// The right to run the command for a key, until it is dropped.
#[derive(Debug)]
pub struct Flight {
    key: ActionKey,
    _claim: Claim,
}

/// Somebody else runs the command for a key.
#[derive(Debug)]
pub struct Elsewhere {
    key: ActionKey,
    path: PathBuf,
    holder: Option<u32>,
}

impl Elsewhere {
    /// The process that runs it; `None` where that cannot be told, or where it is this one.
    pub fn holder(&self) -> Option<u32> {
        self.holder.filter(|pid| *pid != std::process::id())
    }

    /// Waits until it is the caller's turn.
    pub fn wait(self) -> Option<Flight> {
        let claim = Claim::wait(&self.path).ok()?;
        Some(Flight {
            key: self.key,
            _claim: claim,
        })
    }
}

impl Cache {
    /// Whether the caller may run the command now. There is nothing to wait for where the result would
    /// not be taken: when all is forced, when it is good in another workspace only, and when the caller
    /// was started by the one who runs it.
    pub fn turn(&self, step: &PlanStep, prepared: &Prepared, since: Seq) -> Turn {
        let store = self.store.as_ref().filter(|store| store.is_open());
        let Some(store) = store.filter(|_| step.cache == CacheMode::Shared) else {
            return Turn::Ours(None);
        };
        let key = flight_key(prepared);
        let Some(path) = store.results().flight(key) else {
            return Turn::Ours(None);
        };
        match Claim::take(&path) {
            Ok(claim) => Turn::Ours(Some(Flight { key, _claim: claim })),
            Err(LockError::Held(holder))
                if self.read_store
                    && !self.is_bound(store, step, prepared, since)
                    && !holder.is_some_and(is_ancestor) =>
            {
                Turn::Theirs(Elsewhere { key, path, holder })
            }
            // Without the right to run it alone it is run all the same.
            Err(_) => Turn::Ours(None),
        }
    }

    /// A flight that was waited for, unless those who still wait would wait in vain: what was made
    /// meanwhile is good in other workspaces only.
    pub fn still_alone(
        &self,
        step: &PlanStep,
        prepared: &Prepared,
        since: Seq,
        flight: Flight,
    ) -> Option<Flight> {
        let store = self.store.as_ref()?;
        let is_for_it = flight.key == flight_key(prepared);
        let may = is_for_it && !self.is_bound(store, step, prepared, since);
        may.then_some(flight)
    }

    fn is_bound(&self, store: &Store, step: &PlanStep, prepared: &Prepared, since: Seq) -> bool {
        self.candidates(store, step, prepared, since)
            .any(|candidate| !store.results().bound_to(candidate.key).is_empty())
    }
}

/// The key without what only the command finds out: two may run it for the same.
fn flight_key(prepared: &Prepared) -> ActionKey {
    match prepared.action.discovered {
        Some(_) => prepared.action.weak_key(),
        None => prepared.key,
    }
}
