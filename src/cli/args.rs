//! What was typed, as clap reads it. What it means is worked out in `options`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::suggest;

/// Runs build pipelines: YAML files in, parallel cached steps out.
#[derive(Parser, Debug)]
#[command(
    name = "pipe",
    version,
    args_conflicts_with_subcommands = false,
    disable_help_subcommand = true,
    after_help = "`pipe` alone is `pipe run`. Exit codes: 0 all good; 1 a step failed, or -q found work; \
                  2 the command line or a pipeline file is wrong; 128+N ended by signal N."
)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Option<Typed>,
}

/// Where to work; may stand before or after the command.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Work as if started in DIR; may be repeated, as in make
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(crate) directory: Vec<PathBuf>,
    /// The pipeline of this file alone, or, where no workspace knows it, a workspace of its own
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) file: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: When,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum When {
    /// On a terminal; see also NO_COLOR and CLICOLOR_FORCE.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands, as clap knows them.
#[derive(Subcommand, Debug)]
enum Typed {
    /// Bring targets up to date
    Run(RunArgs),
    /// Targets and steps with their descriptions
    List(ListArgs),
    /// Read and expand everything, run nothing; tell all mistakes at once
    Check(CheckArgs),
    /// What `run` would do, and why, step by step
    Plan(PlanArgs),
    /// Why an instance would run now, or why it would not
    Why(WhyArgs),
    /// The graph
    Graph(GraphArgs),
    /// The last output of a step
    Log(LogArgs),
    /// Remove outputs (only what records say the steps made)
    Clean(CleanArgs),
    /// The store of results: figures, collection, verification
    Cache(CacheArgs),
    /// Write a first pipeline file for what is in the folder
    Init(InitArgs),
    /// The JSON Schema of pipeline files
    Schema(SchemaArgs),
    /// Completions for a shell
    Completions(CompletionsArgs),
    /// The manual page
    Man,
    /// A target without its command
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// A command with all that belongs to it.
#[derive(Debug)]
pub(crate) enum Command {
    Run(RunArgs),
    List(ListArgs),
    Check(CheckArgs),
    Plan(PlanArgs),
    Why(WhyArgs),
    Graph(GraphArgs),
    Log(LogArgs),
    Clean(CleanArgs),
    Cache(CacheArgs),
    Init(InitArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man,
}

/// Which steps, and with which values.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct Selection {
    /// References `pipeline:name@axis=value`, and NAME=VALUE for variables
    #[arg(value_name = "REF|NAME=VALUE")]
    pub(crate) words: Vec<String>,
    /// The profile; beats the targets' own
    #[arg(short, long, value_name = "P")]
    pub(crate) profile: Option<String>,
    /// Only the instances with this value on this axis; may be repeated
    #[arg(long, value_name = "AXIS=VALUE")]
    pub(crate) matrix: Vec<String>,
    /// The whole workspace, from any folder
    #[arg(long)]
    pub(crate) all: bool,
}

/// The store.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct StoreArgs {
    /// Neither read nor write the store
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Another store
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// `pipe run`.
#[derive(ClapArgs, Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Job slots (without N: the number of processors)
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<u16>,
    /// After a failure, go on with all that does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Stop at the first failure (undoes `workspace.keep_going`)
    #[arg(short = 'S', long, overrides_with = "keep_going")]
    pub(crate) fail_fast: bool,
    /// Only say what would be done, as `pipe plan` does
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Run even what is up to date
    #[arg(short = 'B', long)]
    pub(crate) force: bool,
    /// Run nothing; exit 1 if something would run
    #[arg(short, long)]
    pub(crate) question: bool,
    /// Say nothing unless something fails; named steps write to standard output
    #[arg(short, long)]
    pub(crate) silent: bool,
    /// Also say why each step runs, and which are up to date
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Do not wait for another run in this workspace
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Show the stored output of steps that did not run
    #[arg(long)]
    pub(crate) replay: bool,
    /// How to show the output of steps
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(crate) output: Output,
    /// Warnings are errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Events on standard output, a line of JSON each, instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Arguments for the named steps, as "$@"
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

/// How to show the output of steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Output {
    /// What suits the place.
    #[default]
    Auto,
    /// In one block when the step ends.
    Group,
    /// While it comes, every line with the step's name.
    Stream,
    /// Only that of failed steps.
    Errors,
    /// Not at all.
    None,
}

/// `pipe list`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct ListArgs {
    /// A JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// The whole workspace, from any folder
    #[arg(long)]
    pub(crate) all: bool,
}

/// `pipe check`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct CheckArgs {
    /// Warnings are errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Diagnostics as a line of JSON each
    #[arg(long)]
    pub(crate) json: bool,
    /// Also the programs and versions that `requires` names: found and needed
    #[arg(long)]
    pub(crate) tools: bool,
}

/// `pipe plan`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// A JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pipe why`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct WhyArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// A JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pipe graph`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "tree")]
    pub(crate) format: GraphFormat,
}

/// The forms of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Indented text.
    #[default]
    Tree,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// JSON.
    Json,
}

/// `pipe log`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct LogArgs {
    /// The step
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// The profile
    #[arg(short, long, value_name = "P")]
    pub(crate) profile: Option<String>,
}

/// `pipe clean`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct CleanArgs {
    /// The steps; none means all
    #[arg(value_name = "REF")]
    pub(crate) references: Vec<String>,
    /// Only say what would be removed
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// `pipe cache`.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
    /// Another store
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// What can be done with a store.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum CacheCommand {
    /// How much is in it
    Stats {
        /// A JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Remove what was not used for longest, but nothing that a run uses
    Gc {
        /// The space that may be taken, such as 10G; beats `workspace.cache.max_size`
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
        /// What nobody used for so long goes, such as 30d; beats `workspace.cache.max_age`
        #[arg(long, value_name = "TIME")]
        max_age: Option<String>,
        /// A JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Read everything and move what is damaged to quarantine; exit 1 if something was
    Verify(VerifyArgs),
    /// Empty it
    Clear,
    /// Forget the results of steps, here and in the store, so that they run next time
    Forget(ForgetArgs),
}

/// `pipe cache verify`.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct VerifyArgs {
    /// A JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Instead: run these steps again without the store; exit 1 if what they make is not the same
    #[arg(long, value_name = "REF", num_args = 1..)]
    pub(crate) rerun: Vec<String>,
    /// The profile of the steps that run again
    #[arg(short, long, value_name = "P", requires = "rerun")]
    pub(crate) profile: Option<String>,
}

/// `pipe cache forget`.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct ForgetArgs {
    /// The steps
    #[arg(value_name = "REF", required = true)]
    pub(crate) references: Vec<String>,
    /// The profile
    #[arg(short, long, value_name = "P")]
    pub(crate) profile: Option<String>,
}

/// `pipe init`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct InitArgs {
    /// Also write a Makefile with which `make prod` is `pipe run prod`
    #[arg(long)]
    pub(crate) make_shim: bool,
    /// Write what the files of another system say about building
    #[arg(long, value_name = "SYSTEM")]
    pub(crate) from: Option<From>,
}

/// Systems whose build sections can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum From {
    /// Workers with a `config.yaml`, and `config/server.yaml`
    Tqserver,
    /// The build section of an `app.json`
    #[value(name = "app.json")]
    AppJson,
}

/// `pipe schema`.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(crate) struct SchemaArgs {
    /// Which one
    #[arg(value_name = "WHICH", default_value = "pipeline")]
    pub(crate) which: SchemaKind,
}

/// The schemas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum SchemaKind {
    /// Pipeline files.
    #[default]
    Pipeline,
    /// A line of `--json`.
    Events,
}

/// `pipe completions`.
#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

impl Args {
    /// Splits what was typed into where to work and what to do. `pipe` alone is `pipe run`.
    ///
    /// # Errors
    ///
    /// `pipe prod`: the help is `pipe run prod`.
    pub(crate) fn split(self) -> Result<(Place, Command), Vec<String>> {
        let command = match self
            .command
            .unwrap_or_else(|| Typed::Run(RunArgs::default()))
        {
            Typed::Run(args) => Command::Run(args),
            Typed::List(args) => Command::List(args),
            Typed::Check(args) => Command::Check(args),
            Typed::Plan(args) => Command::Plan(args),
            Typed::Why(args) => Command::Why(args),
            Typed::Graph(args) => Command::Graph(args),
            Typed::Log(args) => Command::Log(args),
            Typed::Clean(args) => Command::Clean(args),
            Typed::Cache(args) => Command::Cache(args),
            Typed::Init(args) => Command::Init(args),
            Typed::Schema(args) => Command::Schema(args),
            Typed::Completions(args) => Command::Completions(args),
            Typed::Man => Command::Man,
            Typed::Unknown(words) => return Err(words),
        };
        Ok((self.place, command))
    }
}

/// Gives a `-j` without a number the number of processors: `-j prod` means what it means in make.
pub(crate) fn with_job_count(
    words: Vec<std::ffi::OsString>,
    processors: usize,
) -> Vec<std::ffi::OsString> {
    let mut out = Vec::with_capacity(words.len());
    let mut rest = words.into_iter().peekable();
    while let Some(word) = rest.next() {
        if word == "--" {
            out.push(word);
            out.extend(rest);
            return out;
        }
        let number_follows = rest.peek().is_some_and(|next| {
            next.to_str().is_some_and(|text| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
            })
        });
        if (word == "-j" || word == "--jobs") && !number_follows {
            out.push(format!("--jobs={processors}").into());
        } else {
            out.push(word);
        }
    }
    out
}

/// `pipe` alone is `pipe run`, also with options: puts `run` in front of the first word that is
/// an option of `run`.
pub(crate) fn with_command(mut words: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        match word {
            "-C" | "--directory" | "-f" | "--file" | "--color" => at += 2,
            "-h" | "--help" | "-V" | "--version" => return words,
            _ if word.starts_with("-C")
                || word.starts_with("-f")
                || word.starts_with("--directory=")
                || word.starts_with("--file=")
                || word.starts_with("--color=") =>
            {
                at += 1;
            }
            _ if word.starts_with('-') => {
                words.insert(at, "run".into());
                return words;
            }
            _ => return words,
        }
    }
    words
}

/// The command that is most like `word`.
pub(crate) fn command_like(word: &str) -> Option<String> {
    let command = Args::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    suggest::closest(word, names).map(str::to_owned)
}
