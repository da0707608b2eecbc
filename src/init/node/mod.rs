//! Node: a `package.json`, the package manager that its lock file tells, and the framework that
//! its configuration file tells.

mod framework;
mod manager;

pub use framework::{Built, Framework};
pub use manager::Manager;

use serde_json::Value;

use super::document::{Draft, Step, Target};
use super::files::Files;

/// A package, and where its packages are installed.
struct Package<'a> {
    files: &'a Files,
    manifest: Value,
    manager: Manager,
    lock: Option<&'static str>,
    framework: Framework,
    /// What stands in for an install step of its own.
    around: Option<&'a Packages<'a>>,
}

/// The step that installs packages.
pub(super) const INSTALL: &str = "install";

/// The packages of a workspace, which has one lock file for all.
pub(super) struct Packages<'a> {
    manager: Manager,
    /// The root's step that installs for all of them.
    install: Option<String>,
    /// All members: the package's name, folder, and the pipeline's name.
    members: Vec<(String, &'a str, &'a str)>,
    files: &'a Files,
}

impl<'a> Packages<'a> {
    /// Those in `folders` of the workspace at `files`, whose pipelines have `names`.
    pub(super) fn of(
        files: &'a Files,
        install: Option<String>,
        folders: &'a [String],
        names: &'a [String],
    ) -> Self {
        let member = |(folder, name): (&'a String, &'a String)| {
            let package = manifest(&files.below(folder));
            Some((
                package["name"].as_str()?.to_owned(),
                folder.as_str(),
                name.as_str(),
            ))
        };
        Self {
            manager: Manager::of(files).0,
            install,
            members: folders.iter().zip(names).filter_map(member).collect(),
            files,
        }
    }

    /// The draft for one of them.
    pub(super) fn member(&self, files: &Files) -> Option<Draft> {
        Package::of(files, self.manager, None, Some(self)).map(|package| package.draft())
    }

    /// What a package needs of the others: steps, and the files of those that are not built.
    fn needed(&self, package: &Value) -> (Vec<String>, Vec<String>) {
        let mut needs: Vec<String> = self.install.iter().cloned().collect();
        let mut sources = Vec::new();
        let kinds = ["dependencies", "devDependencies", "peerDependencies"];
        for (name, folder, pipeline) in &self.members {
            if !kinds.iter().any(|kind| package[*kind].get(name).is_some()) {
                continue;
            }
            if manifest(&self.files.below(folder))["scripts"]
                .get("build")
                .is_some()
            {
                needs.push(format!("{pipeline}:build"));
            } else {
                sources.push(format!("//{folder}/**"));
            }
        }
        (needs, sources)
    }
}

pub(super) fn draft(files: &Files) -> Option<Draft> {
    let (manager, lock) = Manager::of(files);
    Package::of(files, manager, lock, None).map(|package| package.draft())
}

/// Whether this is the root of a workspace of packages, with one lock file for all.
pub(super) fn is_workspace(files: &Files) -> bool {
    let is_pnpm = files.has("package.json") && files.has("pnpm-workspace.yaml");
    is_pnpm || manifest(files).get("workspaces").is_some()
}

/// `package.json`; what cannot be read says nothing.
fn manifest(files: &Files) -> Value {
    files
        .text("package.json")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The root of a workspace of packages: it installs for all of them.
pub(super) fn workspace(files: &Files, members: &[&str]) -> Option<Draft> {
    let (manager, lock) = Manager::of(files);
    let mut package = Package::of(files, manager, lock, None)?;
    package.framework = Framework::Plain;
    let manifests: Vec<String> = members
        .iter()
        .map(|member| format!("{member}/package.json"))
        .collect();
    let folders: Vec<String> = members
        .iter()
        .map(|member| format!("{member}/node_modules/"))
        .collect();
    let steps = [
        package.lock_step(&manifests),
        Some(package.install(&manifests, &folders)),
    ];
    Some(Draft {
        kind: format!("a workspace of packages with {}", manager.program()),
        description: package.description(),
        steps: steps.into_iter().flatten().collect(),
        ..Draft::default()
    })
}

impl<'a> Package<'a> {
    fn of(
        files: &'a Files,
        manager: Manager,
        lock: Option<&'static str>,
        around: Option<&'a Packages<'a>>,
    ) -> Option<Self> {
        files.has("package.json").then(|| Self {
            files,
            manifest: manifest(files),
            manager,
            lock,
            framework: Framework::of(files),
            around,
        })
    }

    fn draft(&self) -> Draft {
        let own_install = self.needs_packages() && self.around.is_none();
        let steps: Vec<Step> = [
            if own_install {
                self.lock_step(&[])
            } else {
                None
            },
            own_install.then(|| self.install(&[], &[])),
            self.build(),
            self.checked("test", "Tests"),
            self.checked("lint", "Lints"),
            self.checked("check", "Types"),
            self.checked("typecheck", "Types"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let wanted = |names: &[&str]| -> Vec<&'static str> {
            steps
                .iter()
                .map(|step| step.name)
                .filter(|name| names.contains(name))
                .collect()
        };
        let mut dev = wanted(&["build", "test"]);
        if dev.is_empty() {
            dev = wanted(&[INSTALL]);
        }
        Draft {
            kind: format!(
                "{} package with {}",
                self.framework.name(),
                self.manager.program()
            ),
            description: self.description(),
            notes: self.notes(&steps),
            caches: self.caches(),
            left_out: vec![".gitignore", "README.md"],
            reads_all: steps
                .iter()
                .any(|step| !["lock", INSTALL].contains(&step.name)),
            dev: Target {
                steps: dev,
                profile: None,
                description: "what a working day needs",
            },
            prod: Target {
                steps: wanted(&["build", "test", "lint", "check", "typecheck"]),
                profile: None,
                description: "the build, and all checks",
            },
            more_sources: self
                .around
                .map_or_else(Vec::new, |around| around.needed(&self.manifest).1),
            steps,
            ..Draft::default()
        }
    }

    fn description(&self) -> Option<String> {
        let words: Vec<&str> = self.manifest["description"]
            .as_str()?
            .split_whitespace()
            .collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// A script of `package.json`.
    fn script(&self, name: &str) -> Option<&str> {
        self.manifest["scripts"][name].as_str()
    }

    fn needs_packages(&self) -> bool {
        ["dependencies", "devDependencies", "optionalDependencies"]
            .iter()
            .any(|kind| {
                self.manifest[*kind]
                    .as_object()
                    .is_some_and(|packages| !packages.is_empty())
            })
    }

    fn notes(&self, steps: &[Step]) -> Vec<String> {
        let mut notes = Vec::new();
        if self.around.is_some_and(|around| around.install.is_none()) {
            notes.push(
                "The packages are installed at the root: add the step that does it to `needs`."
                    .to_owned(),
            );
        }
        if self.manifest.is_null() {
            notes.push(
                "package.json is no JSON: mend it, remove this file, and type `pipe init` again."
                    .to_owned(),
            );
        } else if !steps.iter().any(|step| step.name == "build") {
            notes.push("package.json has no `build` script. A step for what is built says what it makes in `outputs`.".to_owned());
        }
        notes
    }

    /// What tools write beside the sources.
    fn caches(&self) -> Vec<String> {
        let mut caches: Vec<String> = self
            .framework
            .caches()
            .iter()
            .map(|cache| (*cache).to_owned())
            .collect();
        if self.files.has("tsconfig.json") {
            caches.push("**/*.tsbuildinfo".to_owned());
        }
        if self.script("test").is_some() {
            caches.push("coverage/".to_owned());
        }
        caches
    }

    /// Where there is no lock file yet.
    fn lock_step(&self, manifests: &[String]) -> Option<Step> {
        if self.lock.is_some() {
            return None;
        }
        let lock = self.manager.lock_file();
        let step = Step::new("lock", &format!("Choose versions and write {lock}"))
            .note(&format!(
                "Commit {lock}. It is a source like any other, not an output of this step: it is\n\
                 kept by hand too, and no `pipe clean` should remove it."
            ))
            .list(
                "sources",
                &[&["package.json".to_owned()], manifests].concat(),
            )
            .list("pass_env", &PASSED);
        Some(step.run(&[self.manager.lock()]))
    }

    fn install(&self, manifests: &[String], folders: &[String]) -> Step {
        let mut sources = vec![
            "package.json".to_owned(),
            self.lock.unwrap_or(self.manager.lock_file()).to_owned(),
        ];
        let settings = [
            ".npmrc",
            ".yarnrc.yml",
            ".pnpmfile.cjs",
            "pnpm-workspace.yaml",
        ];
        sources.extend(
            settings
                .iter()
                .filter(|name| self.files.has(name))
                .map(|name| (*name).to_owned()),
        );
        sources.extend_from_slice(manifests);
        let mut outputs = vec!["node_modules/".to_owned()];
        outputs.extend(
            folders
                .iter()
                .map(|folder| format!("{{ path: {folder}, optional: true }}")),
        );
        let notes = self
            .manager
            .notes()
            .iter()
            .chain(self.framework.caches_of_packages());
        outputs.extend(notes.map(|name| format!("!{name}")));
        let mut step = Step::new(INSTALL, "Packages, exactly as the lock file names them");
        if self.lock.is_none() {
            step = step.list("after", &["lock"]);
        }
        if let Some(script) = ["preinstall", "install", "postinstall", "prepare"]
            .iter()
            .find(|name| self.script(name).is_some())
        {
            step = step.note(&format!(
                "Installing runs the script `{script}` too: what that reads is a source as well."
            ));
        }
        step.list("sources", &sources)
            .note(
                "All but what the package manager notes for itself, and what tools keep in there.",
            )
            .list("outputs", &outputs)
            .key("cache", "local   # large, and made for this machine")
            .note("Where packages come from is this machine's business.")
            .list("pass_env", &PASSED)
            .run(&[self.manager.install()])
    }

    /// A step that uses the installed packages.
    fn using(&self, step: Step) -> Step {
        let needs = match self.around {
            Some(around) => around.needed(&self.manifest).0,
            None if self.needs_packages() => vec![INSTALL.to_owned()],
            None => Vec::new(),
        };
        let step = if needs.is_empty() {
            step
        } else {
            step.list("needs", &needs)
        };
        step.key("sources", "*sources")
    }

    fn build(&self) -> Option<Step> {
        self.script("build")?;
        let Built { outputs, guessed } = self.framework.built(self.files);
        let mut step = self.using(Step::new("build", "The build script of package.json"));
        if guessed {
            step = step.note("A guess: say here where the build script puts what it makes.");
        }
        step = step.list("outputs", &outputs);
        if let Some(prefix) = self.framework.variables() {
            step = step.note(&format!(
                "Of your environment the build sees only what is declared:\n\
                 env: {{ {prefix}API_URL: {{ from: caller, default: \"\" }} }}"
            ));
        }
        Some(step.run(&[self.manager.run("build")]))
    }

    /// A script that only looks at files.
    fn checked(&self, name: &'static str, description: &str) -> Option<Step> {
        let script = self.script(name)?;
        if script.contains("no test specified") {
            return None;
        }
        let step = self.using(Step::new(name, description));
        let step = if self.framework == Framework::SvelteKit && self.script("build").is_some() {
            step.note("Both write .svelte-kit/, so one after the other.")
                .list("after", &["build"])
        } else {
            step
        };
        Some(
            step.key(
                "cache",
                "shared   # what passed once need not pass again for the same files",
            )
            .run(&[self.manager.run(name)]),
        )
    }
}

/// Variables that say where packages come from.
const PASSED: [&str; 2] = ["npm_config_*", "NPM_CONFIG_*"];
