//! Facts of a git checkout, asked of `git` itself, each at most once and only when wanted.
//!
//! Knows nothing of expressions. Whatever `git` cannot tell is `unknown`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What stands for a fact that `git` cannot tell.
pub const UNKNOWN: &str = "unknown";

/// Variables that would make `git` look at another checkout than the folder's.
const MISLEADING: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// The checkout that a folder is in, if it is in one.
#[derive(Debug)]
pub struct Git {
    folder: PathBuf,
    commit: OnceLock<String>,
    short: OnceLock<String>,
    branch: OnceLock<String>,
    tag: OnceLock<String>,
    describe: OnceLock<String>,
    dirty: OnceLock<Option<bool>>,
    tracked: OnceLock<HashSet<Vec<u8>>>,
}

impl Git {
    /// The facts as seen from `folder`; nothing is asked yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            commit: OnceLock::new(),
            short: OnceLock::new(),
            branch: OnceLock::new(),
            tag: OnceLock::new(),
            describe: OnceLock::new(),
            dirty: OnceLock::new(),
            tracked: OnceLock::new(),
        }
    }

    /// The commit that is checked out.
    pub fn commit(&self) -> &str {
        self.commit
            .get_or_init(|| self.word(&["rev-parse", "--verify", "HEAD"]))
    }

    /// The same, as short as is unambiguous.
    pub fn short(&self) -> &str {
        self.short
            .get_or_init(|| self.word(&["rev-parse", "--verify", "--short", "HEAD"]))
    }

    /// The branch; unknown where none is checked out.
    pub fn branch(&self) -> &str {
        self.branch
            .get_or_init(|| self.word(&["symbolic-ref", "--short", "-q", "HEAD"]))
    }

    /// The tag of exactly this commit.
    pub fn tag(&self) -> &str {
        self.tag
            .get_or_init(|| self.word(&["describe", "--tags", "--exact-match", "HEAD"]))
    }

    /// What `git describe --tags --always --dirty` says.
    pub fn describe(&self) -> &str {
        self.describe
            .get_or_init(|| self.word(&["describe", "--tags", "--always", "--dirty"]))
    }

    /// Whether tracked files differ from the commit; `None` outside of a checkout.
    pub fn dirty(&self) -> Option<bool> {
        *self.dirty.get_or_init(|| {
            let listed = self.ask(&["status", "--porcelain", "--untracked-files=no"])?;
            Some(!listed.is_empty())
        })
    }

    /// Whether the file at `path`, relative to the folder and below it, is tracked.
    pub fn tracks(&self, path: &[u8]) -> bool {
        let tracked = self.tracked.get_or_init(|| {
            let listed = self.print(&["ls-files", "-z"]).unwrap_or_default();
            let names = listed
                .split(|byte| *byte == 0)
                .filter(|name| !name.is_empty());
            names.map(<[u8]>::to_vec).collect()
        });
        tracked.contains(path)
    }

    /// One line of `git`'s, or `unknown`.
    fn word(&self, args: &[&str]) -> String {
        self.ask(args)
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| UNKNOWN.to_owned())
    }

    /// What `git` prints as text, if it succeeds.
    fn ask(&self, args: &[&str]) -> Option<String> {
        let printed = self.print(args)?;
        Some(String::from_utf8_lossy(&printed).trim_end().to_owned())
    }

    /// What `git` prints, if it succeeds.
    fn print(&self, args: &[&str]) -> Option<Vec<u8>> {
        let mut command = Command::new("git");
        for name in MISLEADING {
            command.env_remove(name);
        }
        // Asking must not write to the repository (the index) nor start anything (fsmonitor).
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .args(["-c", "core.fsmonitor=false"]);
        let output = command
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then_some(output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `git` in `folder` with an identity of its own.
    fn git(folder: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        for name in MISLEADING {
            command.env_remove(name);
        }
        let identity = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "commit.gpgsign=false",
        ];
        let done = command
            .args(identity)
            .args(args)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    #[test]
    fn outside_of_a_checkout_all_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let facts = Git::new(folder.path());
        for fact in [
            facts.commit(),
            facts.short(),
            facts.branch(),
            facts.tag(),
            facts.describe(),
        ] {
            assert_eq!(fact, UNKNOWN);
        }
        assert_eq!(facts.dirty(), None);
    }

    #[test]
    fn a_checkout_is_described() {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q", "-b", "trunk"]);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        git(folder.path(), &["add", "a"]);
        git(folder.path(), &["commit", "-q", "-m", "one"]);
        let facts = Git::new(folder.path());
        assert_eq!(
            (facts.branch(), facts.tag(), facts.dirty()),
            ("trunk", UNKNOWN, Some(false))
        );
        assert_eq!(facts.commit().len(), 40);
        assert!(facts.commit().starts_with(facts.short()));
        assert!(facts.tracks(b"a") && !facts.tracks(b"b") && !facts.tracks(b""));
        git(folder.path(), &["tag", "v1"]);
        std::fs::write(folder.path().join("a"), "2").unwrap();
        let facts = Git::new(folder.path());
        assert_eq!((facts.tag(), facts.describe()), ("v1", "v1-dirty"));
        assert_eq!(facts.dirty(), Some(true));
    }
}
