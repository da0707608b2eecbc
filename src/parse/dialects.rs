//! What other systems write about building in files of their own: the shapes, as for our own files.
//!
//! Such files hold much else, so keys that are not named here are passed by; only inside a section
//! about building is an unknown one told, as a warning. What the words mean is `dialect`'s.

use super::decode::{Cx, Document, List, Map, decode_document, document};
use super::document::{Count, Text, ValueDoc};
use super::error::ParseError;
use super::{sorted, yaml};
use crate::source::{SourceFile, SourceMap};

document! {
    /// `config.yaml` of a TQServer worker, as far as it is about building.
    pub struct WorkerDoc("the configuration of a worker", MAY_BE_EMPTY, OTHERS_IGNORED) {
        /// What the worker is written in: `go` where nothing is said.
        kind as "type": ValueDoc,
        /// How it is built.
        build: WorkerBuildDoc,
    }

    /// How a worker is built.
    pub struct WorkerBuildDoc("the `build` section", MAY_BE_EMPTY, OTHERS_WARNED) {
        /// Shell command, instead of a Go build.
        command: Text,
        /// Longest time that it may take.
        timeout: Text,
        /// Working folder, relative to the worker's.
        dir: Text,
        /// Environment of the command.
        env: Map<Text>,
        /// Arguments of the Go build.
        flags: List<Text>,
        /// Globs of what is read.
        sources: List<Text>,
        /// Globs of what is taken away from these.
        exclude: List<Text>,
    }

    /// `config/server.yaml` of TQServer, as far as it is about building.
    pub struct ServerDoc("the server's configuration", MAY_BE_EMPTY, OTHERS_IGNORED) {
        /// How workers are built.
        build: ServerBuildDoc,
    }

    /// What holds for the building of all workers.
    pub struct ServerBuildDoc("the `build` section", MAY_BE_EMPTY, OTHERS_WARNED) {
        /// What holds where a worker does not say.
        defaults: BuildDefaultsDoc,
        /// Where results are kept.
        cache: BuildCacheDoc,
        /// The mode `dev`.
        development: BuildModeDoc,
        /// The mode `prod`.
        production: BuildModeDoc,
    }

    /// What holds where a worker does not say.
    pub struct BuildDefaultsDoc("`build.defaults`", MAY_BE_EMPTY, OTHERS_WARNED) {
        /// Longest time that one build may take.
        timeout: Text,
        /// Whether workers are built at the same time.
        parallel: bool,
        /// How many of them.
        max_parallel: Count,
    }

    /// Where results are kept.
    pub struct BuildCacheDoc("`build.cache`", MAY_BE_EMPTY, OTHERS_WARNED) {
        /// Whether they are kept.
        enabled: bool,
        /// The folder.
        dir: Text,
    }

    /// What is asked of the compiler.
    pub struct BuildModeDoc("a build mode", MAY_BE_EMPTY, OTHERS_WARNED) {
        /// For use, not for work on it.
        optimize: bool,
        /// With what a debugger wants.
        include_debug: bool,
        /// Without C libraries.
        is_static as "static": bool,
    }

    /// `app.json`, as far as it is about building.
    pub struct AppDoc("the description of an app", OTHERS_IGNORED) {
        /// How it is built.
        build: AppBuildDoc,
    }

    /// How an app is built.
    pub struct AppBuildDoc("the `build` section", OTHERS_WARNED) {
        /// A service that builds elsewhere; not ours.
        provider: ValueDoc,
        /// Where that service finds the sources.
        repo: ValueDoc,
        /// Shell command.
        command: Text,
        /// The folder that it makes.
        output: Text,
        /// The version of Node.js that it wants.
        node: Text,
        /// Environment of the command.
        env: Map<Text>,
    }
}

/// Another system's file, as far as we read it.
pub trait Foreign: Sized {
    /// What can be read of a file (JSON is YAML), and what is wrong with it. `sources` has its text.
    fn parse(file: &SourceFile, sources: &SourceMap) -> (Self, Vec<ParseError>);
}

impl<D: Document> Foreign for D {
    fn parse(file: &SourceFile, sources: &SourceMap) -> (Self, Vec<ParseError>) {
        let (root, errors) = yaml::read(file);
        let mut cx = Cx::new(sources, errors);
        let document = root.and_then(|root| decode_document(root, &mut cx));
        (document.unwrap_or_default(), sorted(cx.errors))
    }
}
