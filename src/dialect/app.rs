//! `app.json`: one app, its packages and its build.

use super::gitignore;
use super::made::{At, variables};
use crate::glob::escape;
use crate::init::Files;
use crate::init::node::{Framework, Manager};
use crate::parse::{
    AppBuildDoc, AppDoc, CacheDoc, CheckDoc, List, Map, OutputDoc, PipelineDoc, StepDoc, TargetDoc,
    Text,
};
use crate::source::{Span, Spanned};

/// Caches that bundlers keep among the packages.
const CACHES: [&str; 4] = [".astro", ".cache", ".vite", ".vite-temp"];

/// What tells a package manager where packages come from.
const MACHINE: [&str; 4] = [
    "npm_config_*",
    "NPM_CONFIG_*",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_*",
];

/// What is in the folder of an `app.json`.
#[derive(Clone, Copy, Debug)]
pub struct App<'a> {
    /// What it says.
    pub doc: &'a AppDoc,
    /// The files beside it.
    pub files: &'a Files,
    /// The text of `.gitignore`.
    pub gitignore: &'a str,
}

/// The document of an app.
pub fn app(app: App<'_>, place: Span) -> PipelineDoc {
    let nothing = AppBuildDoc::default();
    let written = app.doc.build.as_ref();
    let at = At(written.map_or(place, |build| build.span));
    let build = written.map_or(&nothing, |build| &build.value);
    let install = app.files.has("package.json").then(|| app.install(at));
    let command = match &build.command {
        Some(command) => At(command.span).field(List(vec![command.value.clone()])),
        None => at.texts([Manager::of(app.files).0.run("build")]),
    };
    let requires = node(build.node.as_ref());
    let build = StepDoc {
        needs: install.as_ref().and_then(|_| at.texts(["install"])),
        sources: at.texts(["**"]),
        exclude: at.texts(app.left_out()),
        outputs: app.outputs(build.output.as_ref(), at),
        env: build.env.as_ref().map(variables),
        run: command,
        ..StepDoc::default()
    };
    let target = TargetDoc {
        steps: vec![at.text("build")],
        ..TargetDoc::default()
    };
    let steps = install.map(|install| ("install", install));
    let steps = steps.into_iter().chain([("build", build)]);
    let steps = steps.map(|(name, step)| (at.spanned(name.to_owned()), at.spanned(step)));
    PipelineDoc {
        defaults: requires.and_then(|requires| {
            At(requires.span).field(StepDoc {
                requires: Some(requires),
                ..StepDoc::default()
            })
        }),
        targets: at.map([("default", target)]),
        steps: at.field(Map(steps.collect())),
        ..PipelineDoc::default()
    }
}

impl App<'_> {
    /// The step that installs packages: again when the manifest or the lock file is another.
    fn install(&self, at: At) -> StepDoc {
        let (manager, lock) = Manager::of(self.files);
        let caches = CACHES.map(|cache| format!("node_modules/{cache}/"));
        let notes = manager.notes().iter().map(|note| (*note).to_owned());
        let not_recorded = caches.into_iter().chain(notes).map(|path| OutputDoc {
            path: at.text(format!("!{path}")),
            optional: false,
        });
        // A manifest without dependencies makes no folder.
        let packages = OutputDoc {
            path: at.text("node_modules/"),
            optional: true,
        };
        let outputs = std::iter::once(packages).chain(not_recorded).collect();
        let write_lock = lock.is_none().then(|| manager.lock());
        StepDoc {
            sources: at.texts(std::iter::once("package.json").chain(lock)),
            outputs: at.field(List(outputs)),
            cache: at.field(CacheDoc {
                mode: Some(at.text("local")),
                ..CacheDoc::default()
            }),
            // Where packages come from, and whom to trust for it, is this machine's business.
            pass_env: at.texts(MACHINE),
            run: at.texts(write_lock.into_iter().chain([manager.install()])),
            ..StepDoc::default()
        }
    }

    /// The folder that is named, or else those that the framework makes.
    fn outputs(&self, written: Option<&Spanned<Text>>, at: At) -> Option<Spanned<List<OutputDoc>>> {
        let output = |path: Text| OutputDoc {
            path,
            optional: false,
        };
        let Some(written) = written else {
            let built = Framework::of(self.files).built(self.files).outputs;
            let outputs = built.into_iter().map(|path| output(at.text(path)));
            return at.field(List(outputs.collect()));
        };
        let folder = escape(written.value.text.trim_end_matches('/').as_bytes());
        let path = Text {
            text: format!("{folder}/"),
            ..written.value.clone()
        };
        At(written.span).field(List(vec![output(path)]))
    }

    /// What no build reads: secrets, what tools write beside their outputs, and what git does not know.
    fn left_out(&self) -> Vec<String> {
        let mut left_out = vec!["**/.env*".to_owned(), "pipe.yaml".to_owned()];
        let caches = Framework::of(self.files).caches().iter();
        left_out.extend(caches.map(|cache| match cache.strip_suffix('/') {
            Some(folder) => format!("{folder}/**"),
            None => (*cache).to_owned(),
        }));
        left_out.extend(gitignore::patterns(self.gitignore));
        left_out
    }
}

/// `node: "20"` is at least that; a requirement is taken as it is.
fn node(written: Option<&Spanned<Text>>) -> Option<Spanned<List<Spanned<CheckDoc>>>> {
    let written = written?;
    let at = At(written.span);
    let text = &written.value.text;
    let is_version = text.starts_with(|first: char| first.is_ascii_digit());
    let version = Text {
        text: if is_version {
            format!(">={text}")
        } else {
            text.clone()
        },
        ..written.value.clone()
    };
    at.field(List(vec![at.spanned(CheckDoc {
        tool: at.field(at.text("node")),
        version: at.field(version),
        ..CheckDoc::default()
    })]))
}
