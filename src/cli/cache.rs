//! `pipe cache`: the store of results, whole.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::args::{CacheArgs, CacheCommand};
use super::exit::{Exit, refuse};
use super::options::{self, Surroundings};
use super::session::{plural, tell};
use super::{diagnose, forget, output, rerun, standing};
use crate::cache::{Collected, Limits, Stats, Upkeep, Verified};
use crate::load::LoadError;
use crate::model::{self, Settings};
use crate::sys::clock::rfc3339;

pub(super) fn cache(around: &Surroundings, args: &CacheArgs) -> Exit {
    let typed = args.cache_dir.as_deref();
    match &args.command {
        CacheCommand::Stats { json } => {
            with_store(around, typed, |at, store| stats(at, store, *json))
        }
        CacheCommand::Gc {
            max_size,
            max_age,
            json,
        } => with_store(around, typed, |at, store| {
            match limits(at, max_size.as_deref(), max_age.as_deref()) {
                Ok(limits) => collect(at, store, &limits, *json),
                Err(why) => refuse(&why),
            }
        }),
        CacheCommand::Verify(args) if args.rerun.is_empty() => {
            with_store(around, typed, |at, store| verify(at, store, args.json))
        }
        CacheCommand::Verify(verify) => rerun::rerun(around, verify, args.cache_dir.clone()),
        CacheCommand::Clear => with_store(around, typed, clear),
        CacheCommand::Forget(forget) => forget::forget(around, forget, args.cache_dir.clone()),
    }
}

fn with_store(
    around: &Surroundings,
    typed: Option<&Path>,
    act: impl FnOnce(&Place, Option<&Upkeep>) -> Exit,
) -> Exit {
    let at = match Place::find(around, typed) {
        Ok(at) => at,
        Err(exit) => return exit,
    };
    match Upkeep::find(&at.dir) {
        Ok(store) => act(&at, store.as_ref()),
        Err(why) => refuse(&format!("the store is left alone: {why}")),
    }
}

/// Where the store is that is meant, and its limits.
struct Place {
    dir: PathBuf,
    limits: Limits,
}

impl Place {
    /// A store that is named needs no workspace; otherwise the one around the caller may name one.
    fn find(around: &Surroundings, typed: Option<&Path>) -> Result<Self, Exit> {
        let is_named = options::named_store_dir(around, typed).is_some();
        let (settings, root) = match standing::find(around) {
            Ok(standing) => (standing.loaded.workspace.settings, standing.root),
            Err(error) if !is_named && !matches!(error, LoadError::NoWorkspace { .. }) => {
                tell(&diagnose::events(
                    &[Box::new(error)],
                    &Default::default(),
                    around,
                ));
                return Err(Exit::Invalid);
            }
            Err(_) => (Settings::default(), around.folder.clone()),
        };
        let args = super::args::StoreArgs {
            no_cache: false,
            cache_dir: typed.map(Path::to_path_buf),
        };
        let at = options::store(around, &args, &settings, &root);
        let at = at.ok_or_else(|| {
            refuse("there is no place for a store: set HOME, or name one with `--cache-dir`")
        })?;
        Ok(Self {
            dir: at.dir,
            limits: at.limits,
        })
    }

    fn shown(&self) -> std::path::Display<'_> {
        self.dir.display()
    }

    /// That there is no store is no failure: nothing was stored yet.
    fn empty(&self) -> Exit {
        output::err(&format!("there is no store at `{}`\n", self.shown()));
        Exit::Good
    }
}

/// The limits that hold, where none are typed.
fn limits(at: &Place, size: Option<&str>, age: Option<&str>) -> Result<Limits, String> {
    let told = |option: &str, complaint: model::Complaint| {
        format!("`{option}`: {}; {}", complaint.message, complaint.help)
    };
    let size = size.map(|text| model::size(text).map_err(|wrong| told("--max-size", wrong)));
    let age = age.map(|text| model::duration(text).map_err(|wrong| told("--max-age", wrong)));
    Ok(Limits {
        max_size: size.transpose()?.unwrap_or(at.limits.max_size),
        max_age: age.transpose()?.unwrap_or(at.limits.max_age),
    })
}

fn stats(at: &Place, store: Option<&Upkeep>, as_json: bool) -> Exit {
    let stats = match store.map(Upkeep::stats).transpose() {
        Ok(stats) => stats,
        Err(error) => return refuse(&format!("{error}: {}", error.source)),
    };
    match stats {
        stats if as_json => output::json(&document(at, &stats.unwrap_or_default())),
        Some(stats) => output::out(&text(at, &stats)),
        None => return at.empty(),
    }
    Exit::Good
}

fn document(at: &Place, stats: &Stats) -> serde_json::Value {
    json!({
        "version": 1,
        "dir": at.dir.to_string_lossy(),
        "results": stats.results,
        "bound": stats.bound,
        "contents": stats.contents,
        "lists": stats.lists,
        "damaged": stats.damaged,
        "bytes": stats.size,
        "max_bytes": at.limits.max_size,
        "max_age_s": at.limits.max_age.as_secs(),
        "oldest": stats.oldest.map(rfc3339),
    })
}

fn text(at: &Place, stats: &Stats) -> String {
    let bound = match stats.bound {
        0 => String::new(),
        bound => format!(", {bound} of them good in one workspace only"),
    };
    let damaged = match stats.damaged {
        0 => String::new(),
        damaged => format!("damaged   {} in quarantine\n", files(damaged)),
    };
    let lists = match stats.lists {
        0 => String::new(),
        lists => format!("lists     {lists} of discovered inputs\n"),
    };
    let oldest = stats.oldest.map_or("-".to_owned(), when);
    format!(
        "store     {}\nresults   {}{bound}\ncontents  {}\n{lists}size      {} of {} at most\noldest    last used {oldest}; what nobody uses for {} goes\n{damaged}",
        at.shown(),
        stats.results,
        stats.contents,
        space(stats.size),
        space(at.limits.max_size),
        age(at.limits.max_age),
    )
}

fn collect(at: &Place, store: Option<&Upkeep>, limits: &Limits, as_json: bool) -> Exit {
    let done = match store.map(|store| store.collect(limits)).transpose() {
        Ok(done) => done,
        Err(error) => return refuse(&format!("{error}: {}", error.source)),
    };
    let Collected {
        removed,
        freed,
        left,
        spared,
    } = done.unwrap_or_default();
    if as_json {
        output::json(&json!({
            "version": 1, "removed": removed, "freed_bytes": freed, "left_bytes": left, "in_use": spared,
        }));
        return Exit::Good;
    }
    if store.is_none() {
        return at.empty();
    }
    let spared = match spared {
        0 => String::new(),
        spared => format!("; {} more in use", files(spared)),
    };
    output::err(&format!(
        "{} removed, {} freed, {} left{spared}\n",
        files(removed),
        space(freed),
        space(left)
    ));
    Exit::Good
}

fn verify(at: &Place, store: Option<&Upkeep>, as_json: bool) -> Exit {
    let verified = match store.map(Upkeep::verify).transpose() {
        Ok(verified) => verified,
        Err(error) => return refuse(&format!("{error}: {}", error.source)),
    };
    if store.is_none() && !as_json {
        return at.empty();
    }
    let verified = verified.unwrap_or_default();
    match as_json {
        true => output::json(&verified_document(&verified)),
        false => output::err(&verified_text(&verified)),
    }
    match verified.damaged.is_empty() {
        true => Exit::Good,
        false => Exit::Failed,
    }
}

fn verified_document(verified: &Verified) -> serde_json::Value {
    let damaged = verified.damaged.iter().map(|path| path.to_string_lossy());
    json!({
        "version": 1,
        "results": verified.results,
        "contents": verified.contents,
        "lists": verified.lists,
        "incomplete": verified.incomplete,
        "other_version": verified.foreign,
        "damaged": damaged.collect::<Vec<_>>(),
    })
}

fn verified_text(verified: &Verified) -> String {
    let mut text = String::new();
    for path in &verified.damaged {
        text.push_str(&format!(
            "damaged: `{}` was moved to quarantine\n",
            path.display()
        ));
    }
    let mut words = vec![
        plural(verified.results as usize, "result"),
        plural(verified.contents as usize, "content"),
    ];
    if verified.lists > 0 {
        words.push(plural(verified.lists as usize, "list"));
    }
    if let Some(last) = words.last_mut() {
        last.push_str(" looked at");
    }
    let counts = [
        (verified.damaged.len() as u64, "damaged"),
        (verified.incomplete, "without all contents"),
        (verified.foreign, "of another version"),
    ];
    words.extend(
        counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}")),
    );
    format!("{text}{}\n", words.join(", "))
}

fn clear(at: &Place, store: Option<&Upkeep>) -> Exit {
    let Some(store) = store else {
        return at.empty();
    };
    let waiting = |holder: Option<u32>| {
        let holder = holder.map_or(String::new(), |pid| format!(" (process {pid})"));
        output::err(&format!(
            "waiting for another process that cleans up the store{holder}\n"
        ));
    };
    match store.clear(waiting) {
        Ok(done) => {
            let (count, freed) = (files(done.removed), space(done.freed));
            output::err(&format!("{count} removed, {freed} freed\n"));
            Exit::Good
        }
        Err(error) => refuse(&error.to_string()),
    }
}

fn files(count: u64) -> String {
    plural(count as usize, "file")
}

/// `512 B`, `1.5 KiB`, `20 GiB`.
fn space(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let text = format!("{amount:.1}");
    format!("{} {}", text.trim_end_matches(".0"), units[unit])
}

/// `30d`, `12h`, `90s`.
fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let fits = units
        .iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

fn when(time: SystemTime) -> String {
    rfc3339(time)
}
