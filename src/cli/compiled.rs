//! Plans kept from earlier runs, so that a run in an unchanged workspace reads no YAML.
//!
//! A kept plan answers one request (what was typed, and where) and is good as long as every file
//! and folder that the workspace was made of, there or not there, is the same by its identity, and
//! so is every variable that a pipeline takes from the caller. Its warnings are said again. Whatever
//! cannot be listed like that (facts of git, axes from the file system, odd patterns of members)
//! makes no kept plan. Damage, another version or another program is a miss.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::args::RunArgs;
use super::options::Surroundings;
use super::session::{Planned, Session};
use crate::cache::{Digest, Identity, margin};
use crate::event::Diagnostic;
use crate::load::looked_at_for_root;
use crate::model::{Axis, EnvMap, EnvText, Settings, Workspace};
use crate::plan::Plan;
use crate::sys;

/// The format's name; another one is a miss.
const MAGIC: &[u8] = b"pipe-plan 3\n";
/// So many plans are kept.
const KEPT: usize = 8;

#[derive(Serialize, Deserialize)]
struct Kept {
    looked_at: Vec<(Vec<u8>, Option<Identity>)>,
    env: Vec<(String, Option<Vec<u8>>)>,
    /// Variables, and whether the caller had set them.
    asked: Vec<(String, bool)>,
    warnings: Vec<Warning>,
    jobs: Option<usize>,
    keep_going: bool,
    store: Option<PathBuf>,
    max_size: Option<u64>,
    max_age: Option<Duration>,
    durable: bool,
    ignore: Vec<String>,
    plan: Plan,
}

/// A warning as JSON, and as drawn.
#[derive(Serialize, Deserialize)]
struct Warning(String, Option<String>);

impl Warning {
    fn of(warning: &Diagnostic) -> Option<Self> {
        let text = serde_json::to_string(warning).ok()?;
        Some(Self(text, warning.rendered.clone()))
    }

    fn again(self) -> Option<Diagnostic> {
        let warning = serde_json::from_str(&self.0).ok()?;
        Some(Diagnostic {
            rendered: self.1,
            ..warning
        })
    }
}

/// A plan that is still good.
pub(super) struct Found {
    pub(super) root: PathBuf,
    pub(super) settings: Settings,
    pub(super) planned: Planned,
}

/// The kept plan for this request, if it is still good.
pub(super) fn find(around: &Surroundings, args: &RunArgs) -> Option<Found> {
    let name = name(around, args)?;
    let root = around
        .start()
        .ancestors()
        .find(|folder| file(folder, &name).exists())?;
    let bytes = sys::fs::read(&file(root, &name)).ok()?;
    let kept = decode(&bytes)?;
    let same = |(path, identity): &(Vec<u8>, Option<Identity>)| {
        identity_of(Path::new(&OsString::from_vec(path.clone()))) == *identity
    };
    let same_variable =
        |(name, value): &(String, Option<Vec<u8>>)| variable(around, name) == *value;
    let as_set = |(name, set): &(String, bool)| variable(around, name).is_some() == *set;
    let is_good = kept.looked_at.iter().all(same)
        && kept.env.iter().all(same_variable)
        && kept.asked.iter().all(as_set);
    // Under `--strict` warnings are errors, which are told where the plan is made.
    if !is_good || args.strict && !kept.warnings.is_empty() {
        return None;
    }
    let warnings = kept.warnings.into_iter().map(Warning::again);
    let settings = Settings {
        ignore: kept.ignore,
        jobs: kept.jobs,
        keep_going: kept.keep_going,
        store: kept.store,
        max_size: kept.max_size,
        max_age: kept.max_age,
        durable: kept.durable,
        ..Settings::default()
    };
    let planned = Planned {
        plan: kept.plan,
        warnings: warnings.collect::<Option<_>>()?,
        targets: args.selection.words.clone(),
    };
    Some(Found {
        root: root.to_path_buf(),
        settings,
        planned,
    })
}

/// Keeps a plan for the same request later. `started` is a moment before the first file was read.
/// That it cannot be kept is no fault.
pub(super) fn keep(session: &Session, args: &RunArgs, planned: &Planned, started: SystemTime) {
    let Some(kept) = kept(session, planned, started) else {
        return;
    };
    let (Some(name), Ok(body)) = (name(session.around, args), postcard::to_allocvec(&kept)) else {
        return;
    };
    let file = file(&session.root, &name);
    let Some(folder) = file.parent() else { return };
    let bytes = [MAGIC, &Digest::of(&body).0, &body].concat();
    if sys::fs::create_dir_all(folder)
        .and_then(|()| sys::fs::write_atomic(&file, &bytes))
        .is_ok()
    {
        prune(folder);
    }
}

fn kept(session: &Session, planned: &Planned, started: SystemTime) -> Option<Kept> {
    let workspace = &session.loaded.workspace;
    let uses_git = |text: &str| text.contains("git.");
    if session.loaded.sources.any_text(uses_git) || has_glob_axis(workspace) {
        return None;
    }
    // What changed so shortly before it was read may have changed since within one tick of the
    // file system's clock.
    let rested = nanos(started)? - i128::try_from(margin(&session.root).as_nanos()).ok()?;
    let device = identity_of(&session.root)?.device;
    let mut paths = looked_at_for_root(session.around.start(), &session.root)?;
    paths.extend(session.loaded.looked_at.clone()?);
    paths.sort_unstable();
    paths.dedup();
    let mut looked_at = Vec::with_capacity(paths.len());
    for path in paths {
        let identity = identity_of(&path);
        if identity
            .is_some_and(|found| found.mtime.max(found.ctime) >= rested || found.device != device)
        {
            return None;
        }
        looked_at.push((path.into_os_string().into_vec(), identity));
    }
    let settings = &workspace.settings;
    Some(Kept {
        looked_at,
        env: taken_from_caller(workspace)
            .into_iter()
            .map(|name| (name.to_owned(), variable(session.around, name)))
            .collect(),
        asked: session
            .asked
            .iter()
            .map(|name| (name.clone(), variable(session.around, name).is_some()))
            .collect(),
        warnings: planned
            .warnings
            .iter()
            .map(Warning::of)
            .collect::<Option<_>>()?,
        jobs: settings.jobs,
        keep_going: settings.keep_going,
        store: settings.store.clone(),
        max_size: settings.max_size,
        max_age: settings.max_age,
        durable: settings.durable,
        ignore: settings.ignore.clone(),
        plan: planned.plan.clone(),
    })
}

fn decode(bytes: &[u8]) -> Option<Kept> {
    let (digest, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    (Digest::of(body).0 == *digest).then(|| postcard::from_bytes(body).ok())?
}

fn file(root: &Path, name: &str) -> PathBuf {
    root.join(".pipe/plans").join(name)
}

/// The name of a request: all that a plan depends on beside the workspace and the caller's
/// environment. The program itself is a part of it.
fn name(around: &Surroundings, args: &RunArgs) -> Option<String> {
    let selection = &args.selection;
    let program = identity_of(&sys::env::program().ok()?);
    let host = (sys::host::os(), sys::host::arch(), sys::host::cpus());
    let asked = (
        &selection.words,
        &selection.profile,
        &selection.matrix,
        selection.all,
        &args.args,
    );
    // How warnings are drawn.
    let drawn = (around.color.1, around.width());
    let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
    let folder = (bytes(&around.folder), around.file.as_deref().map(bytes));
    let version = env!("CARGO_PKG_VERSION");
    let request = postcard::to_allocvec(&(version, program, host, asked, drawn, folder)).ok()?;
    Some(Digest::of(&request).hex())
}

/// By which a file or folder is known again; `None` where there is none.
fn identity_of(path: &Path) -> Option<Identity> {
    let facts = std::fs::metadata(path).ok()?;
    let nanos = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some(Identity {
        size: facts.len(),
        mtime: nanos(facts.mtime(), facts.mtime_nsec()),
        ctime: nanos(facts.ctime(), facts.ctime_nsec()),
        inode: facts.ino(),
        device: facts.dev(),
        mode: facts.mode(),
    })
}

fn nanos(time: SystemTime) -> Option<i128> {
    i128::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos()).ok()
}

fn variable(around: &Surroundings, name: &str) -> Option<Vec<u8>> {
    around
        .env
        .get(std::ffi::OsStr::new(name))
        .map(|value| value.as_encoded_bytes().to_vec())
}

fn has_glob_axis(workspace: &Workspace) -> bool {
    let steps = workspace
        .pipelines
        .values()
        .flat_map(|pipeline| pipeline.steps.values());
    let mut axes = steps
        .filter_map(|step| step.matrix.as_ref())
        .flat_map(|matrix| matrix.axes.values());
    axes.any(|axis| matches!(axis.value, Axis::Glob(_)))
}

/// The variables that pipelines take from the caller.
fn taken_from_caller(workspace: &Workspace) -> Vec<&str> {
    let of_pipelines = workspace.pipelines.values().flat_map(|pipeline| {
        let profiles = pipeline.profiles.values().map(|profile| &profile.env);
        let steps = pipeline.steps.values().map(|step| &step.env);
        std::iter::once(&pipeline.env).chain(profiles).chain(steps)
    });
    let all = std::iter::once(&workspace.settings.env).chain(of_pipelines);
    all.flat_map(from_caller).collect()
}

fn from_caller(env: &EnvMap) -> impl Iterator<Item = &str> {
    env.iter()
        .filter(|(_, text)| matches!(text.value, EnvText::FromCaller { .. }))
        .map(|(name, _)| name.as_str())
}

/// Removes all but the newest plans.
fn prune(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut plans: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    plans.sort_unstable();
    for (_, old) in plans.iter().rev().skip(KEPT) {
        // What cannot be removed is tried again by the next run that keeps a plan.
        let _removed = sys::fs::remove_file(old);
    }
}
