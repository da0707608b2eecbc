//! Python: a `pyproject.toml` or a `requirements.txt`; Poetry and uv where they are used.

use super::document::{Draft, Step, Target};
use super::files::Files;

/// Who looks after the packages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keeper {
    Pip,
    Poetry,
    Uv,
}
use Keeper::{Pip, Poetry, Uv};

/// What is known of the project.
struct Project<'a> {
    files: &'a Files,
    manifest: toml::Table,
    keeper: Keeper,
}

pub(super) fn draft(files: &Files) -> Option<Draft> {
    let manifests = ["pyproject.toml", "requirements.txt", "setup.py"];
    if !manifests.iter().any(|name| files.has(name)) {
        return None;
    }
    let project = Project::of(files);
    let steps: Vec<Step> = [
        project.lock(),
        project.install(),
        project.test(),
        project.lint(),
        project.build(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let names: Vec<&'static str> = steps
        .iter()
        .map(|step| step.name)
        .filter(|name| *name != "lock")
        .collect();
    let mut notes = Vec::new();
    if !names.contains(&"test") {
        notes.push("No tests were found. A step for them is like the others: what it reads, and the command.".to_owned());
    }
    Some(Draft {
        kind: match project.keeper {
            Pip => "a Python project",
            Poetry => "a Python project with Poetry",
            Uv => "a Python project with uv",
        }
        .to_owned(),
        description: project.described(),
        notes,
        caches: project.caches(),
        reads_all: true,
        settings: vec![project.defaults(), project.environment()],
        dev: Target {
            steps: names
                .iter()
                .copied()
                .filter(|name| *name != "lint")
                .collect(),
            profile: None,
            description: "what a working day needs",
        },
        prod: Target {
            steps: names,
            profile: None,
            description: "all there is",
        },
        steps,
        ..Draft::default()
    })
}

impl<'a> Project<'a> {
    fn of(files: &'a Files) -> Self {
        let manifest: toml::Table = files
            .text("pyproject.toml")
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        let has_tool = |name: &str| {
            manifest
                .get("tool")
                .is_some_and(|tools| tools.get(name).is_some())
        };
        let keeper =
            if files.has("uv.lock") || has_tool("uv") || backend(&manifest).starts_with("uv") {
                Uv
            } else if files.has("poetry.lock")
                || has_tool("poetry")
                || backend(&manifest).starts_with("poetry")
            {
                Poetry
            } else {
                Pip
            };
        Self {
            files,
            manifest,
            keeper,
        }
    }

    fn described(&self) -> Option<String> {
        let project = self
            .manifest
            .get("project")
            .or_else(|| self.manifest.get("tool")?.get("poetry"))?;
        let words: Vec<&str> = project
            .get("description")?
            .as_str()?
            .split_whitespace()
            .collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    fn defaults(&self) -> String {
        let passed = match self.keeper {
            Pip => "\"PIP_*\"",
            Poetry => "\"PIP_*\", \"POETRY_HTTP_*\", \"POETRY_REPOSITORIES_*\"",
            Uv => "\"UV_*\"",
        };
        format!(
            "defaults:\n  # Where packages come from is this machine's business, and changes no result.\n  \
             pass_env: [{passed}]\n"
        )
    }

    fn environment(&self) -> String {
        let mut env = String::from(
            "env:\n  # No .pyc files beside the sources, nor later in .venv/.\n  PYTHONDONTWRITEBYTECODE: \"1\"\n",
        );
        if self.keeper == Poetry {
            env.push_str(
                "  # The environment is the one in .venv/, which `install` makes.\n  \
                 POETRY_VIRTUALENVS_CREATE: \"false\"\n",
            );
        }
        env
    }

    /// Whether a manifest names a package.
    fn names(&self, package: &str) -> bool {
        ["pyproject.toml", "requirements.txt", "requirements-dev.txt"]
            .iter()
            .filter_map(|manifest| self.files.text(manifest))
            .any(|text| text.contains(package))
    }

    fn lock_file(&self) -> Option<&'static str> {
        match self.keeper {
            Pip => None,
            Poetry => Some("poetry.lock"),
            Uv => Some("uv.lock"),
        }
    }

    /// Where there is no lock file yet.
    fn lock(&self) -> Option<Step> {
        let lock = self.lock_file().filter(|lock| !self.files.has(lock))?;
        let step = Step::new("lock", &format!("Choose versions and write {lock}"))
            .note(&format!(
                "Commit {lock}. It is a source like any other, not an output of this step: it is kept by\n\
                 hand too, and no `pipe clean` should remove it."
            ))
            .list("sources", &["pyproject.toml"]);
        Some(step.run(&[if self.keeper == Poetry {
            "poetry lock"
        } else {
            "uv lock"
        }]))
    }

    /// The command with which a tool of the project's environment is started.
    fn python(&self, arguments: &str) -> String {
        match self.keeper {
            Uv => format!("uv run --locked {arguments}"),
            Pip | Poetry => format!(".venv/bin/python -m {arguments}"),
        }
    }

    /// A step that uses the environment. uv brings it up to date by itself.
    fn using(&self, step: Step) -> Step {
        match self.keeper {
            Uv => self.after_lock(step),
            Pip | Poetry => step.list("needs", &["install"]),
        }
        .key("sources", "*sources")
    }

    fn after_lock(&self, step: Step) -> Step {
        match self.lock() {
            Some(_) => step.list("after", &["lock"]),
            None => step,
        }
    }

    fn install(&self) -> Option<Step> {
        let step = Step::new("install", "Packages, in a virtual environment");
        let step = match self.keeper {
            Uv => return None,
            Poetry => self
                .after_lock(step)
                .list("sources", &["pyproject.toml", "poetry.lock"]),
            Pip => step.list("sources", &self.manifests()),
        };
        Some(
            step.list("outputs", &[".venv/"])
                .key("cache", "local   # it holds absolute paths, and is large")
                .run(&self.install_commands()),
        )
    }

    /// Files that say what is installed.
    fn manifests(&self) -> Vec<&'static str> {
        [
            "pyproject.toml",
            "setup.py",
            "setup.cfg",
            "requirements.txt",
            "requirements-dev.txt",
        ]
        .into_iter()
        .filter(|name| self.files.has(name))
        .collect()
    }

    fn install_commands(&self) -> Vec<String> {
        let mut commands = vec![
            "# Copies, since a link to the machine's Python would lead out of the workspace."
                .to_owned(),
            "python3 -m venv --copies --clear .venv".to_owned(),
        ];
        if self.keeper == Poetry {
            commands.push("poetry install --no-interaction".to_owned());
            return commands;
        }
        let pip = ".venv/bin/python -m pip install --quiet --disable-pip-version-check";
        for list in ["requirements.txt", "requirements-dev.txt"] {
            if self.files.has(list) {
                commands.push(format!("{pip} -r {list}"));
            }
        }
        if self.is_package() {
            commands.push(format!("{pip} --editable {}", self.itself()));
        }
        commands
    }

    /// Whether there is something to install and to pack.
    fn is_package(&self) -> bool {
        self.manifest.contains_key("build-system") || self.files.has("setup.py")
    }

    /// The project, with the extras that its developers need.
    fn itself(&self) -> &'static str {
        let extras = self
            .manifest
            .get("project")
            .and_then(|project| project.get("optional-dependencies"));
        let has = |name: &str| extras.is_some_and(|extras| extras.get(name).is_some());
        match (has("dev"), has("test")) {
            (true, _) => "'.[dev]'",
            (false, true) => "'.[test]'",
            (false, false) => ".",
        }
    }

    fn test(&self) -> Option<Step> {
        let is_test = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
        };
        self.files.paths().find(|path| is_test(path))?;
        let command = match (self.names("pytest"), self.keeper) {
            (true, _) => "pytest",
            (false, Uv) => "python -m unittest discover",
            (false, _) => "unittest discover",
        };
        let step = self.using(Step::new("test", "Tests"));
        Some(
            step.key(
                "cache",
                "shared   # what passed once need not pass again for the same files",
            )
            .run(&[self.python(command)]),
        )
    }

    fn lint(&self) -> Option<Step> {
        let step = self.using(Step::new("lint", "Lints"));
        self.names("ruff").then(|| {
            step.key("cache", "shared")
                .run(&[self.python("ruff check .")])
        })
    }

    fn build(&self) -> Option<Step> {
        if !self.is_package() {
            return None;
        }
        let step = Step::new("build", "The package, as it is published");
        Some(match self.keeper {
            Poetry => self
                .after_lock(step)
                .key("sources", "*sources")
                .list("outputs", &["dist/*.whl", "dist/*.tar.gz"])
                .run(&["poetry build"]),
            Uv => self
                .after_lock(step)
                .key("sources", "*sources")
                .list("outputs", &["dist/*.whl", "dist/*.tar.gz"])
                .run(&["uv build --out-dir dist"]),
            Pip => step
                .key("sources", "*sources")
                .list("outputs", &["dist/*.whl"])
                .run(&["python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist ."]),
        })
    }

    /// What tools leave beside the sources.
    fn caches(&self) -> Vec<String> {
        let by_tool = [
            ("pytest", ".pytest_cache/"),
            ("ruff", ".ruff_cache/"),
            ("mypy", ".mypy_cache/"),
        ];
        let mut caches: Vec<String> = by_tool
            .iter()
            .filter(|(tool, _)| self.names(tool))
            .map(|(_, cache)| (*cache).to_owned())
            .collect();
        if self.is_package() && self.keeper == Pip {
            caches.extend(["build/", "**/*.egg-info/"].map(str::to_owned));
        }
        if self.is_package() {
            caches.push("dist/".to_owned());
        }
        caches
    }
}

fn backend(manifest: &toml::Table) -> &str {
    let system = manifest.get("build-system");
    system
        .and_then(|system| system.get("build-backend")?.as_str())
        .unwrap_or_default()
}
