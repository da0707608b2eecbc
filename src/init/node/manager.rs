//! Package managers: which one a folder uses, and how each is told what.

use super::super::files::Files;

/// A package manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manager {
    /// npm.
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn 1.
    YarnClassic,
    /// Yarn since 2, which is configured in `.yarnrc.yml`.
    Yarn,
    /// Bun.
    Bun,
}
use Manager::{Bun, Npm, Pnpm, Yarn, YarnClassic};

/// Lock files in the order in which they are believed.
const LOCKS: [(&str, Manager); 6] = [
    ("pnpm-lock.yaml", Pnpm),
    ("bun.lock", Bun),
    ("bun.lockb", Bun),
    ("yarn.lock", YarnClassic),
    ("package-lock.json", Npm),
    ("npm-shrinkwrap.json", Npm),
];

impl Manager {
    /// The one that the lock file tells, with the lock file; without one, what `packageManager` in
    /// `package.json` says, or npm.
    pub fn of(files: &Files) -> (Self, Option<&'static str>) {
        let lock = LOCKS.iter().find(|(lock, _)| files.has(lock));
        match lock {
            Some((lock, YarnClassic)) if files.has(".yarnrc.yml") => (Yarn, Some(lock)),
            Some((lock, manager)) => (*manager, Some(lock)),
            None => (Self::named(files), None),
        }
    }

    /// `"packageManager": "pnpm@9.1.0"`.
    fn named(files: &Files) -> Self {
        let package: serde_json::Value = files
            .text("package.json")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let (name, version) = package["packageManager"]
            .as_str()
            .and_then(|text| text.split_once('@'))
            .unwrap_or_default();
        match name {
            "pnpm" => Pnpm,
            "bun" => Bun,
            "yarn" if version.starts_with("1.") => YarnClassic,
            "yarn" => Yarn,
            _ => Npm,
        }
    }

    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Npm => "npm",
            Pnpm => "pnpm",
            YarnClassic | Yarn => "yarn",
            Bun => "bun",
        }
    }

    /// The lock file that it writes.
    pub fn lock_file(self) -> &'static str {
        match self {
            Npm => "package-lock.json",
            Pnpm => "pnpm-lock.yaml",
            YarnClassic | Yarn => "yarn.lock",
            Bun => "bun.lock",
        }
    }

    /// Installs exactly what the lock file names.
    pub fn install(self) -> &'static str {
        match self {
            Npm => "npm ci --no-audit --no-fund",
            Pnpm => "pnpm install --frozen-lockfile",
            YarnClassic => "yarn install --frozen-lockfile --non-interactive",
            Yarn => "yarn install --immutable",
            Bun => "bun install --frozen-lockfile",
        }
    }

    /// Writes the lock file.
    pub fn lock(self) -> &'static str {
        match self {
            Npm => "npm install --package-lock-only --no-audit --no-fund",
            Pnpm => "pnpm install --lockfile-only",
            YarnClassic => "yarn install --ignore-scripts --non-interactive",
            Yarn => "yarn install --mode=update-lockfile",
            Bun => "bun install --lockfile-only",
        }
    }

    /// Runs a script of `package.json`.
    pub fn run(self, script: &str) -> String {
        format!("{} run {script}", self.program())
    }

    /// What it notes in `node_modules` about itself: the time, or where packages came from.
    pub fn notes(self) -> &'static [&'static str] {
        match self {
            Npm => &["node_modules/.package-lock.json"],
            Pnpm => &[
                "node_modules/.modules.yaml",
                "node_modules/.pnpm-workspace-state*.json",
            ],
            YarnClassic => &["node_modules/.yarn-integrity"],
            Yarn => &["node_modules/.yarn-state.yml"],
            Bun => &[],
        }
    }
}
