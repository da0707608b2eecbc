//! What a pipeline file may say: the types of the document, as written, with the place of every
//! key and value.
//!
//! The doc comments of the fields are the descriptions in `schema/pipeline.schema.json`. This file
//! knows the shapes only: which words exist and which short forms a value has. It does not know
//! what they mean (names that must exist, durations, expressions): that is the model's.

use super::decode::document;
pub use super::decode::{List, Map};
use crate::source::{Span, Spanned};

/// A positive whole number.
pub type Count = u64;

/// Names as the schema knows them: without the signs that mean something in references. Which other
/// characters are letters, not every reader of a schema can tell.
pub(super) const NAME: &str = r"^(?!-)[^\x00-,/:-@\[-^`{-\x7f\s]+$";
/// The same with `/`.
const PIPELINE_NAME: &str = r"^(?!-)[^\x00-,:-@\[-^`{-\x7f\s]+$";

/// A scalar as it was written: `1.10` is `1.10`, `no` is `no`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, with quotes and escapes resolved.
    pub text: String,
    /// Where it was written, quotes included.
    pub span: Span,
    /// It had no quotes and was no block scalar.
    pub plain: bool,
    /// For the n-th `${{` in `text`, its position (as in [`Span`]); beyond every file where the file
    /// spells what follows otherwise, and empty where positions cannot be matched at all.
    pub holes: Box<[u32]>,
    /// The same for the n-th `$`.
    pub dollars: Box<[u32]>,
}

impl Text {
    /// The span of the `len` bytes that begin with the `n`-th `$`; the whole text's span where that
    /// place is not known.
    pub fn dollar_span(&self, n: usize, len: usize) -> Span {
        match self.dollars.get(n) {
            Some(start) => Span::new(*start, (start + len as u32).min(self.span.end)),
            None => self.span,
        }
    }

    /// The span of the `len` bytes that begin `offset_after` bytes after the start of the `n`-th
    /// `${{`; the whole text's span where that place is not known.
    pub fn hole_span(&self, n: usize, offset_after: usize, len: usize) -> Span {
        let Some(hole) = self.holes.get(n) else {
            return self.span;
        };
        let start = *hole as usize + offset_after;
        let end = start + len;
        if end > self.span.end as usize {
            return self.span;
        }
        Span::new(start as u32, end as u32)
    }

    /// Whether the `n`-th `${{` and what follows has a place of its own.
    pub fn has_place(&self, n: usize) -> bool {
        self.holes.get(n).is_some_and(|hole| *hole < self.span.end)
    }
}

/// A value of any shape: what `vars` and `matrix` hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueDoc {
    /// `null`, `~` or nothing at all.
    Null(Span),
    /// Text, number or boolean, as written.
    Text(Text),
    /// A list.
    List(Vec<Self>, Span),
    /// A map, in the order written.
    Map(Vec<(Spanned<String>, Self)>, Span),
}

impl ValueDoc {
    /// Where the value was written.
    pub fn span(&self) -> Span {
        match self {
            Self::Text(text) => text.span,
            Self::Null(span) | Self::List(_, span) | Self::Map(_, span) => *span,
        }
    }
}

document! {
    /// A pipeline: the steps of one worker or service, and what they share.
    pub struct PipelineDoc("a pipeline file", MAY_BE_EMPTY) {
        /// The pipeline's name. Without it: the member folder's name, the file's stem below
        /// `pipelines/`, or the root folder's name.
        #[schemars(extend("pattern" = PIPELINE_NAME, "minimum" = 0))]
        name: Text,
        /// One line for `pipe list`.
        description: Text,
        /// The folder that paths and globs are relative to, instead of the file's own.
        dir: Text,
        /// A template whose keys hold where this file does not set them: a name in the root's
        /// `workspace.templates`, or the path of a file (`//pipelines/_go.yaml`). Maps are merged
        /// key by key, all else is replaced, and `null` removes what is inherited.
        extends: Text,
        /// Values for expressions: `${{ vars.NAME }}`. `pipe run TARGET NAME=VALUE` sets one for a
        /// run.
        vars: Map<ValueDoc>,
        /// Environment of all steps of this pipeline.
        env: Map<EnvDoc>,
        /// Dotenv files with environment of all steps, below `env`; later ones win.
        env_files: List<EnvFileDoc>,
        /// Step keys that hold where a step does not set them.
        defaults: StepDoc,
        /// Named overlays of `vars` and `env`, such as `dev` and `prod`; chosen by a target or
        /// with `-p`.
        #[schemars(extend("propertyNames" = { "pattern": NAME }))]
        profiles: Map<ProfileDoc>,
        /// Names for "these steps, under this profile": what people type after `pipe run`.
        #[schemars(extend("propertyNames" = { "pattern": NAME }))]
        targets: Map<TargetDoc>,
        /// The units of work, by name.
        #[schemars(extend(
            "patternProperties" = { "^x-": true },
            "propertyNames" = { "anyOf": [{ "pattern": NAME }, { "pattern": "^x-" }] },
        ))]
        steps: Map<StepDoc>,
        /// What holds for the whole workspace. Only in the root's `pipe.yaml`.
        workspace: WorkspaceDoc,
    }
}

document! {
    /// What holds for all pipelines of the workspace.
    pub struct WorkspaceDoc("`workspace`", MAY_BE_EMPTY) {
        /// Globs of the folders whose `pipe.yaml` belongs to the workspace. Default: `workers/*`,
        /// `services/*`, `apps/*`, `packages/*`, `libs/*`.
        members: List<Text>,
        /// Patterns of what no glob enters, on top of `.git`, `.pipe`, `node_modules`, `.venv` and
        /// `__pycache__`. One without `/` is a name at any depth.
        ignore: List<Text>,
        /// How many steps run at once. Default: the number of processors; `-j` beats it.
        jobs: Count,
        /// Go on with what does not depend on a failed step, as `-k` does.
        keep_going: bool,
        /// Pools: at most so many steps with `pool: NAME` run at once.
        pools: Map<Count>,
        /// The store of results.
        cache: WorkspaceCacheDoc,
        /// Environment of all steps of all pipelines.
        env: Map<EnvDoc>,
        /// Values for expressions in all pipelines.
        vars: Map<ValueDoc>,
        /// Step keys that hold where neither a step nor its pipeline sets them.
        defaults: StepDoc,
        /// What pipeline files can take over with `extends: NAME`. A template has the keys of a
        /// pipeline file.
        templates: TemplatesDoc,
    }
}

document! {
    /// The store of results.
    pub struct WorkspaceCacheDoc("`workspace.cache`") {
        /// The store's folder. Default: `$XDG_CACHE_HOME/pipe` or `~/.cache/pipe`.
        dir: Text,
        /// How large the store may grow. Default: 20GiB.
        max_size: Text,
        /// How long what nobody uses is kept. Default: 30d.
        max_age: Text,
        /// Text that is part of every key: changing it makes all results so far unknown.
        salt: Text,
        /// `fsync` waits until every result is on the disk itself. Without it what a power cut
        /// spoils is noticed, and made again.
        #[schemars(extend("const" = "fsync"))]
        durability: Text,
    }
}

document! {
    /// A step: commands, what they read, what they make, and what must come first.
    pub struct StepDoc("a step", IGNORES_X) {
        /// Shell script. A list runs in order, each text in a fresh shell, and stops at the first
        /// that fails. A step without `run` only groups its `needs`.
        run: List<Text>,
        /// `sh` (the default, as `sh -e`), `bash` (as `bash -eo pipefail`), `pwsh`, `python`, or
        /// the words of a command that takes the script's path (`[perl, -w]`) or, after `-c` or
        /// `-e`, its text.
        #[schemars(extend("anyOf" = [
            { "enum": ["sh", "bash", "pwsh", "python"] },
            { "type": "string", "pattern": r"\$\{\{" },
            { "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } },
        ]))]
        shell: List<Text>,
        /// Steps that must succeed first; their outputs are inputs of this one. A reference is
        /// `pipeline:name@axis=value`, all but the name optional.
        needs: List<Text>,
        /// Steps that must succeed first; their outputs are no input of this one.
        after: List<Text>,
        /// Globs of the files that the step reads. A leading `!` excludes. A literal path that
        /// another step makes is an edge to that step.
        sources: List<Text>,
        /// Globs of what is taken away from `sources`.
        exclude: List<Text>,
        /// Paths and globs of the files that the step makes. A trailing `/` means the folder and
        /// all in it; a leading `!` takes away.
        outputs: List<OutputDoc>,
        /// A dependency file that the command writes, in the form of make (`gcc -MMD -MF`). What it
        /// lists is an input from then on; it is an output of the step itself.
        depfile: Text,
        /// Environment of the commands.
        env: Map<EnvDoc>,
        /// Dotenv files with environment of the commands, below `env`; later ones win.
        env_files: List<EnvFileDoc>,
        /// Names of variables that are taken from the caller and masked in all output. The names are
        /// part of the key, the values are not.
        secrets: List<Text>,
        /// Folders put in front of `PATH`.
        path: List<Text>,
        /// Names and patterns of variables handed through from the caller; they are not part of
        /// the key.
        pass_env: List<Text>,
        /// `inherit` hands the caller's whole environment to a cached step too; `strict` keeps it
        /// from an uncached one.
        #[schemars(extend("enum" = ["strict", "inherit"]))]
        env_policy: Text,
        /// Working folder. Default: the pipeline's folder.
        dir: Text,
        /// Values for expressions, on top of the pipeline's.
        vars: Map<ValueDoc>,
        /// Makes one instance of the step for each combination of values.
        matrix: MatrixDoc,
        /// An expression; where it is false the step is skipped, and what needs it goes on.
        condition as "if": Text,
        /// Longest time one attempt may take (`60s`, `10m`); after it TERM, then KILL.
        timeout: Text,
        /// Time between TERM and KILL. Default `5s`.
        grace: Text,
        /// Its failure is told, but fails nothing else: what needs the step goes on without its outputs.
        allow_failure: bool,
        /// A pool of `workspace.pools`: at most so many of its steps run at once.
        pool: Text,
        /// Job slots that the step takes. Default 1; more than there are means all.
        weight: Count,
        /// At most so many instances of this step run at once.
        max_parallel: Count,
        /// How often a step that failed is tried again: a number, or `{ max, delay, backoff }`.
        retries: RetriesDoc,
        /// Shell script that runs after the last failed attempt, in the same folder and
        /// environment. The step has failed all the same.
        on_failure: List<Text>,
        /// Processes that the step leaves running are left alone.
        allow_background: bool,
        /// The step's outputs go to a terminal of its own, so that it shows what it shows people.
        tty: bool,
        /// The step runs alone, and the terminal is its own; never cached, and not captured.
        interactive: bool,
        /// The outputs of the previous run stay in place, for tools that update what is there.
        incremental: bool,
        /// Where results are kept: `shared`, `local` or `off`.
        cache: CacheDoc,
        /// The number of combinations over which the matrix is an error. Default 10000, and
        /// never more than 100000.
        #[schemars(extend("maximum" = 100_000))]
        max_instances: Count,
        /// Commands whose output is part of the key, by name: `{ go: go version }`.
        tools: Map<Text>,
        /// Checks that must hold before the step starts.
        requires: List<Spanned<CheckDoc>>,
        /// Checks that must hold after the commands; otherwise the step fails and nothing is
        /// recorded.
        verify: List<Spanned<CheckDoc>>,
        /// Shown when the step fails.
        hint: Text,
        /// One line for `pipe list`.
        description: Text,
        /// Not listed, and not addressable from the command line.
        internal: bool,
    }
}

document! {
    /// A named overlay of `vars` and `env`.
    pub struct ProfileDoc("a profile") {
        /// Values for expressions, on top of the pipeline's.
        vars: Map<ValueDoc>,
        /// Environment, on top of the pipeline's.
        env: Map<EnvDoc>,
    }
}

document! {
    /// Something that must hold. `file`, `run`, `http`, `tcp`, `env` and `tool` say what is looked
    /// at, the other keys what must be true of it.
    #[schemars(extend(
        "oneOf" = [
            { "required": ["file"] },
            { "required": ["run"] },
            { "required": ["http"] },
            { "required": ["tcp"] },
            { "required": ["env"] },
            { "required": ["tool"] },
        ],
        "dependencies" = {
            "min_size": ["file"],
            "max_size": ["file"],
            "executable": ["file"],
            "matches": {
                "anyOf": [{ "required": ["file"] }, { "required": ["run"] }, { "required": ["http"] }]
            },
            "not_matches": ["run"],
            "status": ["http"],
            "version": ["tool"],
            "command": ["tool", "version"],
        },
    ))]
    pub struct CheckDoc("a check", WHOLE) {
        /// A file that must exist.
        file: Text,
        /// The smallest size that `file` may have (`1kB`, `4MiB`).
        min_size: Text,
        /// The largest size that `file` may have.
        max_size: Text,
        /// `file` must be executable.
        executable: bool,
        /// A command that must exit with 0.
        run: Text,
        /// A URL that must answer a GET, with 200 to 299 unless `status` says otherwise. Redirects
        /// are followed.
        http: Text,
        /// The status, or the statuses one of which `http` must answer with.
        status: List<Count>,
        /// A regular expression that must match the file's content, what the command prints or
        /// what the URL answers.
        matches: Text,
        /// A regular expression that must not match what the command of `run` prints.
        not_matches: Text,
        /// A variable that must be set.
        env: Text,
        /// A program that must be on `PATH`.
        tool: Text,
        /// The version that `tool` must have (`>=1.22`): the first that `TOOL --version` names.
        version: Text,
        /// The command that names the version, instead of `TOOL --version`.
        command: Text,
        /// `host:port` that must accept a connection.
        tcp: Text,
        /// Try again until this much time has passed (`30s`).
        within: Text,
        /// Longest time of one try. Default `10s`.
        timeout: Text,
        /// An expression; where it is false the check is left out.
        condition as "if": Text,
        /// What is said when the check does not hold.
        message: Text,
    }
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvDoc {
    /// The value.
    Value(Text),
    /// `{ from: caller }`: the value that the variable has where `pipe` was started; part of the
    /// key.
    FromCaller {
        /// The word `caller`.
        from: Text,
        /// The value where the caller has none.
        default: Option<Text>,
    },
    /// `{ unset: true }`: the variable is taken away.
    Unset,
}

/// A path or glob of files that a step makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputDoc {
    /// The path or glob.
    pub path: Text,
    /// It need not be there after the step.
    pub optional: bool,
}

/// A dotenv file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFileDoc {
    /// Its path.
    pub path: Text,
    /// It need not be there.
    pub optional: bool,
}

/// Templates: each is looked at for itself, together with what it extends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatesDoc;

/// How often a step that failed is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetriesDoc {
    /// So many times after the first attempt.
    pub max: u64,
    /// The wait before the first of them.
    pub delay: Option<Text>,
    /// The factor by which each wait is longer than the one before.
    pub backoff: Option<Text>,
}

/// Where the results of a step are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheDoc {
    /// `shared`, `local`, `off`, or `true` and `false`, as written.
    pub mode: Option<Text>,
    /// Text that is part of the step's key.
    pub salt: Option<Text>,
}

/// The axes of a step's matrix, and what is added to and taken from their combinations.
#[derive(Debug, Clone, Default)]
pub struct MatrixDoc {
    /// Axes in the order written.
    pub axes: Vec<(Spanned<String>, Spanned<AxisDoc>)>,
    /// Combinations added, or values added to combinations that fit.
    pub include: Vec<Spanned<Map<ValueDoc>>>,
    /// Combinations taken away.
    pub exclude: Vec<Spanned<Map<ValueDoc>>>,
}

/// The values of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AxisDoc {
    /// Written out.
    Values(Vec<ValueDoc>),
    /// `{ glob: ... }`: one value for each file that matches.
    Glob(Text),
}

/// A name for some steps under a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetDoc {
    /// References to steps, or names of other targets.
    pub steps: Vec<Text>,
    /// The profile they run under.
    pub profile: Option<Text>,
    /// One line for `pipe list`.
    pub description: Option<Text>,
}
