//! From a script to a command: the shell's words, the script, its arguments. A script that is too
//! long for the argument list goes through a file. Knows no process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::Variables;
use super::simple::as_exec;
use crate::expand::Late;
use crate::path::{to_bytes, to_os};
use crate::plan::{Dialect, PlanStep, Shell};
use crate::process::{Command, LONGEST_ARGUMENT};
use crate::sys::fs::{self, FsError};

/// What all commands of a step have around them.
pub(super) struct Surroundings<'a> {
    /// The step.
    pub(super) step: &'a PlanStep,
    /// The workspace root.
    pub(super) root: &'a Path,
    /// The late values, real ones.
    pub(super) late: Late,
    /// The step's variables.
    pub(super) variables: Variables,
    /// Where a long script goes, without its ending.
    pub(super) spill: PathBuf,
}

impl Surroundings<'_> {
    /// The command that runs `script` in the step's shell. `part` tells the step's scripts apart.
    ///
    /// # Errors
    ///
    /// When a script that has to go through a file cannot be written.
    pub(super) fn command(&self, script: &str, part: &str) -> Result<Command, FsError> {
        let shell = &self.step.shell;
        let whole = takes_text(shell) && script.len() <= LONGEST_ARGUMENT;
        let (words, taken) = if whole {
            let short = self.means_programs().then(|| as_exec(script)).flatten();
            let script = to_os(short.as_deref().unwrap_or(script));
            (shell.words.clone(), [Some(script), zero(shell)])
        } else {
            // The file is what `$0` says then.
            (
                words_for_a_file(shell),
                [Some(self.spilled(script, part)?.into()), None],
            )
        };
        let mut words = words.into_iter().map(OsString::from);
        let program = words.next().unwrap_or_default();
        let args = words
            .chain(taken.into_iter().flatten())
            .chain(self.step.args.iter().map(Into::into))
            .collect();
        Ok(Command {
            program,
            args,
            ..self.bare()
        })
    }

    /// Whether a word that is no builtin can only be a program: in the system's own shell, as long
    /// as nobody hands functions to it.
    fn means_programs(&self) -> bool {
        let is_function =
            |name: &OsString| name.as_encoded_bytes().starts_with(b"BASH_FUNC_") || name == "ENV";
        let is_own = self
            .step
            .shell
            .words
            .first()
            .is_some_and(|first| first == "/bin/sh");
        is_own && !self.variables.keys().any(is_function)
    }

    /// A command in the step's folder and environment, still without a program.
    pub(super) fn bare(&self) -> Command {
        let env = self
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Command {
            env,
            dir: self.step.dir.under(self.root),
            background: self.step.allow_background,
            ..Command::default()
        }
    }

    fn spilled(&self, script: &str, part: &str) -> Result<PathBuf, FsError> {
        let mut path = self.spill.clone().into_os_string();
        // PowerShell takes nothing else.
        path.push(format!(
            ".{part}{}",
            if self.step.shell.dialect == Dialect::PowerShell {
                ".ps1"
            } else {
                ""
            }
        ));
        let path = PathBuf::from(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write_atomic(&path, &to_bytes(script))?;
        Ok(path)
    }
}

/// Shells of the POSIX family take a word for `$0` before the arguments. It is the shell's own
/// name, as in every error message of a shell; a step's name would be seen by the command.
fn zero(shell: &Shell) -> Option<OsString> {
    (shell.dialect == Dialect::Posix)
        .then(|| shell.words.first().map(OsString::from))
        .flatten()
}

/// Whether the last of the shell's words says that code follows, not a file.
fn takes_text(shell: &Shell) -> bool {
    let Some(last) = shell.words.last() else {
        return false;
    };
    match shell.dialect {
        Dialect::Posix => is_cluster_with_c(last),
        Dialect::Python => last == "-c",
        Dialect::PowerShell => last == "-Command" || last == "-c",
        Dialect::Other => matches!(last.as_str(), "-c" | "-e" | "--eval"),
    }
}

/// Letters in one word, one of which takes a script: `-c`, `-ec`.
fn is_cluster_with_c(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.contains('c')
}

/// The words of `shell` for a script in a file: without the option that takes a script.
fn words_for_a_file(shell: &Shell) -> Vec<String> {
    let mut words = shell.words.clone();
    if !takes_text(shell) {
        return words;
    }
    match words.pop() {
        _ if shell.dialect == Dialect::PowerShell => words.push("-File".to_owned()),
        Some(last) if shell.dialect == Dialect::Posix && last.len() > 2 => {
            words.push(last.replacen('c', "", 1));
        }
        _ => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixture;

    fn shown(step: &PlanStep, script: &str, spill: &Path) -> Vec<String> {
        let around = Surroundings {
            step,
            root: Path::new("/w"),
            late: Late::default(),
            variables: Variables::new(),
            spill: spill.join("s"),
        };
        let command = around.command(script, "1").unwrap();
        [command.program]
            .into_iter()
            .chain(command.args)
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    #[test]
    fn arguments_come_after_a_word_for_zero() {
        let mut step = fixture::step("s", "");
        step.args = vec!["a b".to_owned()];
        assert_eq!(
            shown(&step, "echo", Path::new("/")),
            ["sh", "-e", "-c", "echo", "sh", "a b"]
        );
        step.shell = Shell {
            words: vec!["python3".to_owned(), "-c".to_owned()],
            dialect: Dialect::Python,
        };
        assert_eq!(
            shown(&step, "1", Path::new("/")),
            ["python3", "-c", "1", "a b"]
        );
    }

    #[test]
    fn a_long_script_goes_through_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut step = fixture::step("s", "");
        step.args = vec!["x".to_owned()];
        let script = "#".repeat(LONGEST_ARGUMENT + 1);
        let file = dir.path().join("s.1").display().to_string();
        assert_eq!(shown(&step, &script, dir.path()), ["sh", "-e", &file, "x"]);
        step.shell.words = vec!["bash".to_owned(), "-euc".to_owned()];
        assert_eq!(
            shown(&step, &script, dir.path()),
            ["bash", "-eu", &file, "x"]
        );
        assert_eq!(std::fs::read_to_string(file).unwrap(), script);
    }
}
