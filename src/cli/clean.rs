//! `pipe clean`: removes outputs, only what records say that the steps made.

use std::collections::BTreeSet;
use std::path::Path;

use super::args::{CleanArgs, Selection};
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::output;
use super::session::Session;
use crate::cache;
use crate::sys::fs::FsError;
use crate::sys::lock::Lock;

pub(super) fn clean(around: &Surroundings, args: &CleanArgs) -> Exit {
    let mut session = match Session::survey(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let state = session.state_dir();
    if !state.is_dir() {
        output::err("nothing to remove: nothing was made here\n");
        return Exit::Good;
    }
    let _lock = match lock(&state) {
        Ok(lock) => lock,
        Err(exit) => return exit,
    };
    let identities = match identities(&mut session, &args.references) {
        Ok(identities) => identities,
        Err(exit) => return exit,
    };
    let cache = match session.cache(&crate::plan::Plan::default()) {
        Ok(cache) => cache,
        Err(exit) => return exit,
    };
    let mut removed = 0;
    for identity in identities {
        let cleaned = match cache.clean(&identity, args.dry_run) {
            Ok(cleaned) => cleaned,
            Err(error) => return refuse(&format!("{error}: {}", error.source)),
        };
        for path in &cleaned.kept {
            output::err(&format!("kept {path}: it is not what `{identity}` made\n"));
        }
        if args.dry_run {
            cleaned
                .removed
                .iter()
                .for_each(|path| output::out(&format!("{path}\n")));
        }
        removed += cleaned.removed.len();
    }
    let word = if args.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    output::err(&format!(
        "{removed} file{} {word}\n",
        if removed == 1 { "" } else { "s" }
    ));
    Exit::Good
}

/// Waits for the workspace.
pub(super) fn lock(state: &Path) -> Result<Lock, Exit> {
    let refused = |error: FsError| refuse(&format!("{error}: {}", error.source));
    cache::make_state_dir(state).map_err(refused)?;
    let waiting = |_| output::err("waiting for a pipe run in this workspace\n");
    let lock = Lock::acquire(&state.join("lock"), true, waiting);
    let lock = lock.map_err(|error| refuse(&error.to_string()))?;
    cache::mark_state_dir(state).map_err(refused)?;
    cache::sweep(state);
    Ok(lock)
}

/// Under which names `.pipe` remembers the steps: under no profile and under each.
pub(super) fn identities(
    session: &mut Session,
    references: &[String],
) -> Result<BTreeSet<String>, Exit> {
    if references.is_empty() {
        return Ok(session
            .cache(&crate::plan::Plan::default())?
            .identities()
            .into_iter()
            .collect());
    }
    let profiles = session.profiles_in_scope();
    let mut identities = BTreeSet::new();
    for profile in std::iter::once(None).chain(profiles.into_iter().map(Some)) {
        let selection = Selection {
            words: references.to_vec(),
            profile,
            ..Selection::default()
        };
        let (plan, _) = session.records(&selection)?;
        identities.extend(plan.named.iter().map(|ix| plan.steps[*ix].identity()));
    }
    Ok(identities)
}
