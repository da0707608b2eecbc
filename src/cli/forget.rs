//! `pipe cache forget`: takes the results of steps out of `.pipe` and the store, so that they run
//! next time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::args::{ForgetArgs, Selection, StoreArgs};
use super::clean::{identities, lock};
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::output;
use super::plan::{Ahead, look_ahead};
use super::session::{Session, plural};
use crate::cache::{ActionKey, Digest};
use crate::exec::Asked;
use crate::sys::fs::FsError;
use crate::sys::lock::Lock;

pub(super) fn forget(around: &Surroundings, args: &ForgetArgs, cache_dir: Option<PathBuf>) -> Exit {
    let (identities, _lock) = match known(around, args) {
        Ok(known) => known,
        Err(exit) => return exit,
    };
    let selection = Selection {
        words: args.references.clone(),
        profile: args.profile.clone(),
        ..Selection::default()
    };
    let store = StoreArgs {
        no_cache: false,
        cache_dir,
    };
    // What the steps would be looked up under now: `.pipe` may not know them.
    let ahead = match look_ahead(around, &selection, &store, &[], Asked::default()) {
        Ok(ahead) => ahead,
        Err(exit) => return exit,
    };
    match forget_all(&ahead, identities) {
        Ok(0) => output::err("nothing was known of that\n"),
        Ok(count) => output::err(&format!("{} forgotten\n", plural(count, "step"))),
        Err(error) => return refuse(&format!("{error}: {}", error.source)),
    }
    Exit::Good
}

/// The names under which `.pipe` remembers the steps, and the workspace's lock.
fn known(around: &Surroundings, args: &ForgetArgs) -> Result<(BTreeSet<String>, Lock), Exit> {
    let mut session = Session::survey(around)?;
    let state = session.state_dir();
    let lock = lock(&state)?;
    Ok((identities(&mut session, &args.references)?, lock))
}

/// How many steps something was known of.
fn forget_all(ahead: &Ahead, mut identities: BTreeSet<String>) -> Result<usize, FsError> {
    let (cache, steps) = (&ahead.cache, &ahead.plan.steps);
    let mut count = 0;
    for ix in &ahead.plan.named {
        let identity = steps[*ix].identity();
        identities.remove(&identity);
        let key = ahead.decisions[*ix]
            .key
            .as_deref()
            .and_then(Digest::from_hex);
        let here = cache.forget(&identity)?;
        let in_store = key.map_or(Ok(false), |key| cache.forget_key(ActionKey(key)))?;
        count += usize::from(here || in_store);
    }
    for identity in identities {
        count += usize::from(cache.forget(&identity)?);
    }
    cache.save()?;
    Ok(count)
}
