//! A workspace in a temporary folder, and steps whose commands are closures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::{Cache, CacheOptions, CaptureError, Made, MissReason, Prepared, Ran, Upstream};
use crate::expand::Template;
use crate::glob::Pattern;
use crate::path::RelPath;
use crate::plan::{
    CacheMode, Dialect, EnvPolicy, Output, OutputKind, Owned, Plan, PlanStep, Retries, Shell,
    Sources, StepIx,
};
use crate::sys::clock;
use crate::sys::fs::{create_dir_all, set_mode, write_atomic};

/// A path in the workspace.
pub(super) fn path(text: &str) -> RelPath {
    RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
}

/// A pattern.
pub(super) fn pattern(text: &str) -> Pattern {
    Pattern::parse(&RelPath::root(), text).unwrap()
}

/// An output as people write it: `a`, `a/`, `a/*.x`.
pub(super) fn output(text: &str) -> Output {
    let (negated, text) = text
        .strip_prefix('!')
        .map_or((false, text), |rest| (true, rest));
    let kind = match text.strip_suffix('/') {
        Some(folder) => OutputKind::Folder(path(folder)),
        None if text.contains('*') => OutputKind::Glob(pattern(text)),
        None => OutputKind::File(path(text)),
    };
    Output {
        kind,
        optional: false,
        negated,
    }
}

/// A step that reads `src/**` and makes `outputs`.
pub(super) fn step(name: &str, outputs: &[&str]) -> PlanStep {
    PlanStep {
        name: name.to_owned(),
        profile: None,
        description: None,
        scripts: vec![Template::text(format!("make {name}"))],
        shell: Shell {
            words: vec!["sh".to_owned(), "-ec".to_owned()],
            dialect: Dialect::Posix,
        },
        args: Vec::new(),
        dir: RelPath::root(),
        env: BTreeMap::new(),
        path: Vec::new(),
        pass_env: Vec::new(),
        secrets: Vec::new(),
        env_policy: EnvPolicy::Strict,
        sources: Some(Sources {
            patterns: vec![pattern("src/**")],
            ..Sources::default()
        }),
        outputs: outputs.iter().map(|text| output(text)).collect(),
        depfile: None,
        needs: Vec::new(),
        after: Vec::new(),
        need_names: BTreeMap::new(),
        cache: CacheMode::Shared,
        salt: Vec::new(),
        timeout: None,
        grace: Duration::from_secs(1),
        retries: Retries::NONE,
        on_failure: Vec::new(),
        allow_background: false,
        tty: false,
        interactive: false,
        incremental: false,
        tools: Default::default(),
        requires: Vec::new(),
        verify: Vec::new(),
        weight: 1,
        limits: Vec::new(),
        allow_failure: false,
        same_as: None,
        hint: None,
        skip: false,
    }
}

/// A workspace, and a store that it may share with others.
pub(super) struct Place {
    pub(super) folder: tempfile::TempDir,
    store: std::rc::Rc<tempfile::TempDir>,
    pub(super) steps: Vec<PlanStep>,
    pub(super) options: CacheOptions,
    runs: usize,
}

impl Place {
    /// A workspace with one source file, `src/a`.
    pub(super) fn new(steps: Vec<PlanStep>) -> Self {
        Self::sharing(steps, std::rc::Rc::new(tempfile::tempdir().unwrap()))
    }

    /// Another workspace on the same store.
    pub(super) fn sibling(&self) -> Self {
        Self::sharing(self.steps.clone(), self.store.clone())
    }

    fn sharing(steps: Vec<PlanStep>, store: std::rc::Rc<tempfile::TempDir>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = CacheOptions {
            root: folder.path().to_path_buf(),
            state_dir: folder.path().join(".pipe"),
            store: Some(store.path().join("pipe").into()),
            ignore: Vec::new(),
            run: "r0".to_owned(),
            read_store: true,
        };
        let place = Self {
            folder,
            store,
            steps,
            options,
            runs: 0,
        };
        place.write("src/a", "one");
        place
    }

    /// The folder of the store.
    pub(super) fn store(&self) -> PathBuf {
        self.store.path().join("pipe")
    }

    /// The plan of all steps.
    pub(super) fn plan(&self) -> Plan {
        let owned = self.steps.iter().map(|step| Owned {
            step: step.name.clone(),
            outputs: step.outputs.clone(),
        });
        Plan {
            steps: self.steps.clone(),
            named: Vec::new(),
            owned: owned.collect(),
            ignore: Vec::new(),
        }
    }

    /// Opens the cache as another run does.
    pub(super) fn open(&mut self) -> Cache {
        self.runs += 1;
        self.options.run = format!("r{}", self.runs);
        Cache::open(self.options.clone(), &self.plan()).unwrap()
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        write(&self.at(path), text);
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.at(path)).ok()
    }

    /// Runs all steps in a run of its own; the command of each step is `make`.
    pub(super) fn run(&mut self, make: impl Fn(&str, &Path)) -> Report {
        let cache = self.open();
        let mut report = Report {
            notes: cache.notes(),
            ..Report::default()
        };
        let mut made: BTreeMap<StepIx, Made> = BTreeMap::new();
        for (ix, step) in self.steps.iter().enumerate() {
            let upstream: Vec<(StepIx, Made)> = made.clone().into_iter().collect();
            let upstream = Upstream::new(upstream.iter().map(|(ix, made)| (*ix, made)));
            let done = bring(
                &cache,
                step,
                &upstream,
                self.folder.path(),
                &make,
                &mut report,
            );
            made.insert(ix, done);
        }
        cache.save().unwrap();
        cache.leave_store();
        report.notes.extend(cache.notes());
        report
    }
}

/// What a run did.
#[derive(Default, Debug)]
pub(super) struct Report {
    /// `executed`, `restored` or `up to date`, by step.
    pub(super) did: Vec<&'static str>,
    pub(super) why: Vec<MissReason>,
    pub(super) notes: Vec<String>,
    pub(super) log: Option<PathBuf>,
}

/// The story of one step, as exec tells it.
fn bring(
    cache: &Cache,
    step: &PlanStep,
    upstream: &Upstream<'_>,
    root: &Path,
    make: &dyn Fn(&str, &Path),
    report: &mut Report,
) -> Made {
    let since = cache.tree().now();
    let prepared = cache.prepare(step, upstream, since).unwrap();
    let (did, made) = match cache.up_to_date(step, &prepared, since) {
        Ok(made) => ("up to date", made),
        Err(why) => {
            report.why = why;
            match cache.restore(step, &prepared, since) {
                Some(made) => ("restored", made),
                None => (
                    "executed",
                    execute(cache, step, &prepared, root, make, report).unwrap(),
                ),
            }
        }
    };
    report.did.push(did);
    report.notes.extend(made.notes.clone());
    report.log.clone_from(&made.log);
    made
}

/// Runs a command.
pub(super) fn execute(
    cache: &Cache,
    step: &PlanStep,
    prepared: &Prepared,
    root: &Path,
    make: &dyn Fn(&str, &Path),
    report: &mut Report,
) -> Result<Made, CaptureError> {
    let mut aside = cache.set_aside(step).unwrap();
    make(&step.name, root);
    let ran = ran(cache, root, &step.name);
    let prepared = cache.tainted(prepared).is_empty().then_some(prepared);
    match cache.capture(step, prepared, &ran, &mut aside) {
        Ok(made) => {
            report.notes.extend(cache.discard(aside));
            Ok(made)
        }
        Err(error) => {
            cache.put_back(aside).unwrap();
            cache.failed(step, &ran);
            Err(error)
        }
    }
}

/// What exec tells of a command, with a log that says its name.
pub(super) fn ran(cache: &Cache, root: &Path, name: &str) -> Ran {
    let log = root.join(".pipe/runs").join(format!("{name}.log"));
    write(&log, &format!("made {name}\n"));
    let since = cache.tree().advance();
    Ran {
        started: clock::wall(),
        duration: Duration::from_millis(7),
        log,
        discovered: Vec::new(),
        since,
    }
}

/// Writes a file and the folders above it.
pub(super) fn write(path: &Path, text: &str) {
    create_dir_all(path.parent().unwrap()).unwrap();
    write_atomic(path, text.as_bytes()).unwrap();
}

/// Makes a file executable.
pub(super) fn executable(path: &Path) {
    set_mode(path, 0o755).unwrap();
}

/// All files and links below a folder, with what is in them; executable ones with `*`, empty
/// folders with `/`.
pub(super) fn listing(folder: &Path) -> BTreeMap<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(at) = open.pop() {
        let name = at.strip_prefix(folder).unwrap().display().to_string();
        let facts = at.symlink_metadata().unwrap();
        if facts.is_symlink() {
            found.insert(
                name,
                format!("-> {}", std::fs::read_link(&at).unwrap().display()),
            );
        } else if facts.is_file() {
            let mark = if facts.permissions().mode() & 0o100 != 0 {
                "*"
            } else {
                ""
            };
            found.insert(name + mark, std::fs::read_to_string(&at).unwrap());
        } else {
            let inside: Vec<_> = std::fs::read_dir(&at)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            if inside.is_empty() {
                found.insert(format!("{name}/"), String::new());
            }
            open.extend(inside);
        }
    }
    found
}
