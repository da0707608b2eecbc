//! What the typed words mean, together with the environment and the workspace: all defaults live
//! here, and nothing after this looks at the environment or the terminal.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{Output, Place, RunArgs, Selection, StoreArgs, When};
use crate::cache::{Limits, StoreAt};
use crate::graph::{Request, Scope};
use crate::model::Settings;
use crate::report;
use crate::sys::{self, env::Environment};

/// The caller's world.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The folder that `pipe` works in, absolute.
    pub(super) folder: PathBuf,
    /// `-f`, absolute.
    pub(super) file: Option<PathBuf>,
    /// The caller's environment.
    pub(super) env: Environment,
    /// Whether standard output and standard error take colours.
    pub(super) color: (bool, bool),
    /// Whether they are terminals.
    pub(super) terminal: (bool, bool),
}

impl Surroundings {
    /// Looks around once.
    ///
    /// # Errors
    ///
    /// When the folder is not there.
    pub(super) fn gather(place: &Place) -> Result<Self, String> {
        let env = sys::env::capture();
        let mut folder =
            sys::env::working_folder().map_err(|error| format!("no working folder: {error}"))?;
        for directory in &place.directory {
            folder.push(directory);
        }
        let folder = folder
            .canonicalize()
            .map_err(|error| format!("cannot work in `{}`: {error}", folder.display()))?;
        let file = place.file.as_deref().map(|file| located(&folder, file));
        let file = file.transpose()?;
        let terminal = (
            std::io::stdout().is_terminal(),
            std::io::stderr().is_terminal(),
        );
        let color = (
            colored(&env, place.color, terminal.0),
            colored(&env, place.color, terminal.1),
        );
        set_choice(place.color);
        Ok(Self {
            folder,
            file,
            env,
            color,
            terminal,
        })
    }

    /// The folder from which the workspace is looked for.
    pub(super) fn start(&self) -> &Path {
        let of_file = self.file.as_deref().and_then(Path::parent);
        of_file.unwrap_or(&self.folder)
    }

    /// A variable of the caller, as far as it is text; empty is the same as unset.
    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(std::ffi::OsStr::new(name))?
            .to_str()
            .filter(|value| !value.is_empty())
    }

    /// Columns of the terminal, or of a page.
    pub(super) fn width(&self) -> usize {
        let asked = self.var("COLUMNS").and_then(|columns| columns.parse().ok());
        asked
            .unwrap_or_else(|| {
                if self.terminal.1 {
                    screen().0.into()
                } else {
                    100
                }
            })
            .clamp(40, 200)
    }
}

/// The file that `-f` means. Its own name is kept where it is a link.
fn located(folder: &Path, file: &Path) -> Result<PathBuf, String> {
    let shown = file.display();
    let path = folder.join(file);
    let facts =
        std::fs::metadata(&path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    if facts.is_dir() {
        return Err(format!(
            "`{shown}` is a folder: `-f` wants a file, and `-C {shown}` works in the folder"
        ));
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(format!("`{shown}` is no file"));
    };
    let parent = parent
        .canonicalize()
        .map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    Ok(parent.join(name))
}

/// `--color`, then NO_COLOR, then CLICOLOR_FORCE, then whether somebody looks.
fn colored(env: &Environment, when: When, terminal: bool) -> bool {
    let set = |name: &str| {
        env.get(std::ffi::OsStr::new(name))
            .is_some_and(|value| !value.is_empty() && value != "0")
    };
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR") => false,
        When::Auto if set("CLICOLOR_FORCE") => true,
        When::Auto => {
            terminal
                && env
                    .get(std::ffi::OsStr::new("TERM"))
                    .is_none_or(|term| term != "dumb")
        }
    }
}

/// Tells the streams that `pipe` itself writes to.
fn set_choice(when: When) {
    match when {
        When::Always => anstream::ColorChoice::Always.write_global(),
        When::Never => anstream::ColorChoice::Never.write_global(),
        When::Auto => {}
    }
}

/// Columns and rows of the terminal at standard error.
pub(super) fn screen() -> (u16, u16) {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .ok()
        .filter(|size| size.ws_col > 0)
        .map_or((80, 24), |size| (size.ws_col, size.ws_row))
}

/// What `selection` asks for, and the variables that it sets.
pub(super) fn request(
    selection: &Selection,
    scope: Scope,
) -> Result<(Request, Vec<(String, String)>), String> {
    let (assignments, references): (Vec<_>, Vec<_>) = selection
        .words
        .iter()
        .cloned()
        .partition(|word| assignment(word).is_some());
    let matrix = selection.matrix.iter().map(|text| {
        let (axis, value) = text
            .split_once('=')
            .ok_or_else(|| format!("`--matrix {text}`: write AXIS=VALUE"))?;
        Ok((axis.to_owned(), value.to_owned()))
    });
    let request = Request {
        references,
        scope: if selection.all {
            Scope::Workspace
        } else {
            scope
        },
        profile: selection.profile.clone(),
        matrix: matrix.collect::<Result<_, String>>()?,
    };
    Ok((
        request,
        assignments
            .iter()
            .filter_map(|word| assignment(word))
            .collect(),
    ))
}

/// `NAME=VALUE`; `build@os=linux` is a reference.
fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let fits = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    fits.then(|| (name.to_owned(), value.to_owned()))
}

/// The store; `None` under `--no-cache`, or where there is no place for it.
pub(super) fn store(
    around: &Surroundings,
    args: &StoreArgs,
    settings: &Settings,
    root: &std::path::Path,
) -> Option<StoreAt> {
    let dir = store_dir(around, args.cache_dir.as_deref(), settings, root);
    let dir = dir.filter(|_| !args.no_cache)?;
    let usual = Limits::default();
    Some(StoreAt {
        limits: Limits {
            max_size: settings.max_size.unwrap_or(usual.max_size),
            max_age: settings.max_age.unwrap_or(usual.max_age),
        },
        durable: settings.durable,
        dir,
    })
}

/// The folder of the store as it is named for all workspaces of this call.
pub(super) fn named_store_dir(around: &Surroundings, typed: Option<&Path>) -> Option<PathBuf> {
    let named = typed.map(|dir| around.folder.join(dir));
    named.or_else(|| {
        around
            .var("PIPE_CACHE_DIR")
            .map(|dir| around.folder.join(dir))
    })
}

/// The folder of the store; `None` where there is no place for it.
pub(super) fn store_dir(
    around: &Surroundings,
    typed: Option<&Path>,
    settings: &Settings,
    root: &Path,
) -> Option<PathBuf> {
    named_store_dir(around, typed)
        .or_else(|| settings.store.as_ref().map(|dir| root.join(dir)))
        .or_else(|| {
            around
                .var("XDG_CACHE_HOME")
                .map(|dir| PathBuf::from(dir).join("pipe"))
        })
        .or_else(|| {
            around
                .var("HOME")
                .map(|home| PathBuf::from(home).join(".cache/pipe"))
        })
}

/// Whether `-j` makes sense.
///
/// # Errors
///
/// `-j0`.
pub(super) fn check_jobs(args: &RunArgs) -> Result<(), String> {
    match args.jobs {
        Some(0) => Err("`-j0`: a run needs at least one job slot".to_owned()),
        _ => Ok(()),
    }
}

/// Job slots: typed, set for the workspace, or the number of processors.
pub(super) fn jobs(args: &RunArgs, settings: &Settings) -> usize {
    args.jobs
        .map(usize::from)
        .or(settings.jobs)
        .unwrap_or_else(sys::host::cpus)
}

/// How a run is shown.
pub(super) fn report(
    around: &Surroundings,
    args: &RunArgs,
    root: PathBuf,
    to_stdout: Vec<String>,
) -> report::Options {
    let start = sys::clock::now();
    let dumb = around.var("TERM") == Some("dumb");
    report::Options {
        output: match args.output {
            Output::Auto => report::OutputMode::Auto,
            Output::Group => report::OutputMode::Group,
            Output::Stream => report::OutputMode::Stream,
            Output::Errors => report::OutputMode::Errors,
            Output::None => report::OutputMode::None,
        },
        verbose: args.verbose,
        silent: args.silent,
        json: args.json,
        replay: args.replay,
        color: around.color.1,
        terminal: around.terminal.1 && !dumb,
        stdout_color: around.color.0,
        stdout_terminal: around.terminal.0,
        github: around.var("GITHUB_ACTIONS") == Some("true"),
        screen: Arc::new(screen),
        clock: Arc::new(move || sys::clock::now().duration_since(start)),
        workspace_root: root,
        to_stdout: to_stdout.into_iter().collect(),
    }
}
