//! TQServer: one pipeline a worker, and what the server's configuration says for all of them.

use super::DialectError;
use super::flags::{DEV, Mode, PROD};
use super::made::{At, variables};
use crate::glob::{Pattern, escape};
use crate::parse::{
    CacheDoc, EnvDoc, List, Map, OutputDoc, PipelineDoc, ProfileDoc, ServerBuildDoc, ServerDoc,
    StepDoc, TargetDoc, Text, ValueDoc, WorkerBuildDoc, WorkerDoc, WorkspaceCacheDoc, WorkspaceDoc,
};
use crate::path::{RelPath, to_text};
use crate::source::{Span, Spanned};

/// The time that a build may take where nothing else is said.
const TIMEOUT: &str = "60s";
/// How many workers are built at once where nothing else is said.
const PARALLEL: u64 = 4;
/// What the caller may set that makes Go build something else: a part of the key.
const GO_ENV: [&str; 4] = ["CGO_ENABLED", "GOARCH", "GOFLAGS", "GOOS"];

/// What the server's configuration says for all workers: the document of the root. It needs a `name`
/// where a worker has that of its folder.
pub fn server(doc: &ServerDoc, place: Span, name: Option<String>) -> PipelineDoc {
    let at = At(doc.build.as_ref().map_or(place, |build| build.span));
    let nothing = ServerBuildDoc::default();
    let build = build_of(doc).unwrap_or(&nothing);
    let defaults = build.defaults.as_ref().map(|defaults| &defaults.value);
    let cache = build.cache.as_ref().map(|cache| &cache.value);
    let timeout = defaults.and_then(|defaults| defaults.timeout.clone());
    let is_off = cache
        .and_then(|cache| cache.enabled.as_ref())
        .filter(|enabled| !enabled.value);
    let serial = defaults
        .and_then(|defaults| defaults.parallel.as_ref())
        .filter(|parallel| !parallel.value);
    let jobs = match serial {
        Some(serial) => At(serial.span).field(1),
        None => defaults
            .and_then(|defaults| defaults.max_parallel)
            .or_else(|| at.field(PARALLEL)),
    };
    let from_caller = || EnvDoc::FromCaller {
        from: at.text("caller"),
        default: None,
    };
    let workspace = WorkspaceDoc {
        members: at.texts(["workers/*"]),
        jobs,
        keep_going: at.field(true),
        cache: cache.and_then(|cache| {
            let dir = cache.dir.clone()?;
            At(dir.span).field(WorkspaceCacheDoc {
                dir: Some(dir),
                ..WorkspaceCacheDoc::default()
            })
        }),
        env: at.map(GO_ENV.map(|name| (name, from_caller()))),
        defaults: at.field(StepDoc {
            timeout: timeout.or_else(|| at.field(at.text(TIMEOUT))),
            cache: is_off.and_then(|is_off| {
                let at = At(is_off.span);
                at.field(CacheDoc {
                    mode: Some(at.text("off")),
                    ..CacheDoc::default()
                })
            }),
            ..StepDoc::default()
        }),
        ..WorkspaceDoc::default()
    };
    PipelineDoc {
        name: name.and_then(|name| at.field(at.text(name))),
        workspace: at.field(workspace),
        ..PipelineDoc::default()
    }
}

fn build_of(doc: &ServerDoc) -> Option<&ServerBuildDoc> {
    doc.build.as_ref().map(|build| &build.value)
}

/// A worker's configuration, and what else is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Worker<'a> {
    /// Its folder, which is also its name.
    pub dir: &'a RelPath,
    /// What it says.
    pub doc: &'a WorkerDoc,
    /// The start of its file.
    pub place: Span,
    /// The patterns of what a Go build of it reads; `None` where it has no Go sources.
    pub go_sources: Option<&'a [String]>,
}

/// The document of a worker; `None` for one that is not built.
///
/// `is_file` tells what is in the workspace. What does not do what it seems to goes to `warnings`.
pub fn worker(
    worker: Worker<'_>,
    server: &ServerDoc,
    is_file: impl Fn(&RelPath) -> bool,
    warnings: &mut Vec<DialectError>,
) -> Option<PipelineDoc> {
    let nothing = WorkerBuildDoc::default();
    let written = worker.doc.build.as_ref();
    if written.is_none() && (worker.go_sources.is_none() || !worker.is_go()) {
        return None;
    }
    let at = At(written.map_or(worker.place, |build| build.span));
    let build = written.map_or(&nothing, |build| &build.value);
    if let (Some(flags), Some(command)) = (&build.flags, &build.command) {
        warnings.push(DialectError::FlagsNotUsed {
            flags: flags.span,
            command: command.span,
        });
    }
    let default_exclude = worker
        .go_sources
        .filter(|_| build.sources.is_none())
        .map(without_tests);
    let step = StepDoc {
        sources: match &build.sources {
            Some(sources) => Some(there(&worker, sources, is_file, warnings)),
            None => worker.go_sources.and_then(|patterns| at.texts(patterns)),
        },
        exclude: build
            .exclude
            .clone()
            .or_else(|| at.texts([default_exclude?])),
        outputs: worker.outputs(at),
        dir: build.dir.clone(),
        env: build.env.as_ref().map(variables),
        env_policy: at.field(at.text("inherit")),
        timeout: build.timeout.clone(),
        run: worker.command(build, at),
        ..StepDoc::default()
    };
    let target = |profile: &str| TargetDoc {
        steps: vec![at.text("build")],
        profile: Some(at.text(profile)),
        ..TargetDoc::default()
    };
    let default = TargetDoc {
        steps: vec![at.text("dev")],
        ..TargetDoc::default()
    };
    let own = build.flags.as_ref();
    let is_default = build.command.is_none();
    let flags = own.map_or_else(Vec::new, |flags| flags.value.0.clone());
    Some(PipelineDoc {
        vars: (is_default || own.is_some()).then(|| flags_var(&flags, at)),
        profiles: profiles(server, is_default.then_some(&flags), at),
        targets: at.map([
            ("default", default),
            ("dev", target("dev")),
            ("prod", target("prod")),
        ]),
        steps: at.map([("build", step)]),
        ..PipelineDoc::default()
    })
}

impl Worker<'_> {
    fn is_go(&self) -> bool {
        match &self.doc.kind {
            Some(kind) => matches!(&kind.value, ValueDoc::Text(text) if text.text == "go"),
            None => true,
        }
    }

    /// The binary that the server starts. A worker in another language has none.
    fn outputs(&self, at: At) -> Option<Spanned<List<OutputDoc>>> {
        let name = escape(self.dir.file_name());
        let binary = OutputDoc {
            path: at.text(format!("bin/{name}")),
            optional: false,
        };
        at.field(List(vec![binary])).filter(|_| self.is_go())
    }

    fn command(&self, build: &WorkerBuildDoc, at: At) -> Option<Spanned<List<Text>>> {
        if let Some(command) = &build.command {
            return At(command.span).field(List(vec![command.value.clone()]));
        }
        let package = self.package(build.dir.as_ref());
        at.texts([format!(
            "go build ${{{{ vars.flags }}}} -o ${{{{ output }}}} {package}"
        )])
    }

    /// The package's folder, as seen from the working folder. It is the folder that Go is given: a
    /// list of files would switch build constraints off.
    fn package(&self, dir: Option<&Spanned<Text>>) -> String {
        let dir = dir.and_then(|dir| RelPath::resolve(self.dir, dir.value.text.as_bytes()).ok());
        let from = dir.as_ref().unwrap_or(self.dir);
        let package = to_text(&self.dir.join(b"src").relative_to(from));
        let package = shlex::try_quote(&package).map_or(package.clone(), |text| text.into_owned());
        match package.as_str() {
            "." => package,
            above if above.starts_with("../") => package,
            _ => format!("./{package}"),
        }
    }
}

/// `vars.flags`.
fn flags_var(flags: &[Text], at: At) -> Spanned<Map<ValueDoc>> {
    let flags = flags.iter().cloned().map(ValueDoc::Text).collect();
    let name = at.spanned("flags".to_owned());
    at.spanned(Map(vec![(name, at.spanned(ValueDoc::List(flags, at.0)))]))
}

/// The profiles `dev` and `prod`; `flags` are those of a Go build of ours.
fn profiles(
    server: &ServerDoc,
    flags: Option<&Vec<Text>>,
    at: At,
) -> Option<Spanned<Map<ProfileDoc>>> {
    let build = build_of(server);
    let development = build.and_then(|build| build.development.as_ref());
    let production = build.and_then(|build| build.production.as_ref());
    let dev = DEV.with(development.map(|mode| &mode.value));
    let prod = PROD.with(production.map(|mode| &mode.value));
    let profile = |mode: Mode| ProfileDoc {
        vars: flags
            .and_then(|flags| mode.flags(flags, at))
            .map(|flags| flags_var(&flags, at)),
        env: at
            .map([("CGO_ENABLED", EnvDoc::Value(at.text("0")))])
            .filter(|_| mode.is_static),
        ..ProfileDoc::default()
    };
    at.map([("dev", profile(dev)), ("prod", profile(prod))])
}

/// What takes Go tests away from `sources`: no build reads them.
fn without_tests(sources: &[String]) -> &'static str {
    if sources.iter().any(|source| source.starts_with("//")) {
        "//**/*_test.go"
    } else {
        "**/*_test.go"
    }
}

/// The sources that are there: a file that is named and missing is told, and passed by. Often the
/// module's files are named as if they were the worker's, and lie at the root.
fn there(
    worker: &Worker<'_>,
    sources: &Spanned<List<Text>>,
    is_file: impl Fn(&RelPath) -> bool,
    warnings: &mut Vec<DialectError>,
) -> Spanned<List<Text>> {
    let is_there = |text: &&Text| {
        let pattern = Pattern::parse(worker.dir, &text.text).ok();
        let Some(path) = pattern.and_then(|pattern| pattern.literal()) else {
            return true;
        };
        if is_file(&path) {
            return true;
        }
        let above = std::iter::successors(worker.dir.parent(), RelPath::parent);
        let nearest = above
            .map(|folder| folder.join(path.file_name()))
            .find(|path| is_file(path));
        warnings.push(DialectError::NoFile {
            path: text.text.clone(),
            span: text.span,
            help: match nearest {
                Some(path) => format!("there is `//{path}`, seen from the root: write that"),
                None => "take the entry away, or look at its spelling".to_owned(),
            },
        });
        false
    };
    let there = sources.value.0.iter().filter(is_there).cloned().collect();
    Spanned::new(List(there), sources.span)
}
