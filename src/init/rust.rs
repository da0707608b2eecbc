//! Rust: a `Cargo.toml`, of one package or of a workspace of them.

use super::document::{Draft, Step, Target};
use super::files::Files;

pub(super) fn draft(files: &Files) -> Option<Draft> {
    let manifest = manifest(files.text("Cargo.toml")?);
    let is_workspace = is_workspace(files);
    let programs = programs(files);
    let locked = files.has("Cargo.lock");
    let steps = [
        (!locked).then(|| lock(is_workspace)),
        Some(build(&programs, is_workspace, locked)),
        Some(test(is_workspace, locked)),
        Some(lint(is_workspace, locked)),
    ];
    Some(Draft {
        kind: match (is_workspace, programs.as_slice()) {
            (true, _) => "a Rust workspace",
            (_, []) => "a Rust library",
            _ => "a Rust program",
        }
        .to_owned(),
        description: described(&manifest),
        caches: vec!["target/".to_owned()],
        left_out: vec![".gitignore"],
        reads_all: true,
        settings: vec![settings(!programs.is_empty())],
        dev: Target {
            steps: vec!["build", "test"],
            profile: None,
            description: "a debug build and the tests",
        },
        prod: Target {
            steps: vec!["build", "test", "lint"],
            profile: Some("prod"),
            description: "a release build, tests and lints",
        },
        steps: steps.into_iter().flatten().collect(),
        ..Draft::default()
    })
}

/// Whether the packages below are one workspace of cargo's, which is built as a whole.
pub(super) fn is_workspace(root: &Files) -> bool {
    let text = root.text("Cargo.toml").unwrap_or_default();
    manifest(text).contains_key("workspace")
}

fn manifest(text: &str) -> toml::Table {
    text.parse().unwrap_or_default()
}

fn described(manifest: &toml::Table) -> Option<String> {
    let description = manifest.get("package")?.get("description")?.as_str()?;
    Some(description.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The names of all programs of the packages in and below this folder.
fn programs(files: &Files) -> Vec<String> {
    let manifests = files
        .paths()
        .filter(|path| *path == "Cargo.toml" || path.ends_with("/Cargo.toml"));
    let mut programs: Vec<String> = manifests
        .flat_map(|path| {
            let folder = path.trim_end_matches("Cargo.toml").trim_end_matches('/');
            programs_of(&files.below(folder))
        })
        .collect();
    programs.sort();
    programs.dedup();
    programs
}

/// The programs of one package: those that cargo finds by itself, and those that are named.
fn programs_of(files: &Files) -> Vec<String> {
    let manifest = manifest(files.text("Cargo.toml").unwrap_or_default());
    let Some(package) = manifest
        .get("package")
        .and_then(|package| package.get("name")?.as_str())
    else {
        return Vec::new();
    };
    let named = manifest
        .get("bin")
        .and_then(|bins| bins.as_array())
        .into_iter()
        .flatten();
    let (mut names, mut paths) = (Vec::new(), Vec::new());
    for bin in named {
        let text = |key: &str| bin.get(key).and_then(|value| value.as_str());
        names.extend(text("name").map(str::to_owned));
        paths.extend(text("path"));
    }
    if files.has("src/main.rs") && !paths.contains(&"src/main.rs") {
        names.push(package.to_owned());
    }
    for path in files.paths().filter(|path| !paths.contains(path)) {
        let name = path.strip_prefix("src/bin/").and_then(|rest| {
            rest.strip_suffix("/main.rs")
                .or_else(|| rest.strip_suffix(".rs"))
        });
        names.extend(name.filter(|name| !name.contains('/')).map(str::to_owned));
    }
    names
}

fn settings(has_programs: bool) -> String {
    let vars = if has_programs {
        "vars: { flags: [], folder: debug }\n\
         profiles:\n  prod: { vars: { flags: [--release], folder: release } }\n"
    } else {
        "vars: { flags: [] }\nprofiles:\n  prod: { vars: { flags: [--release] } }\n"
    };
    vars.to_owned()
}

/// Where there is no lock file yet. The steps after it read the file, so none of them may write it.
fn lock(is_workspace: bool) -> Step {
    Step::new("lock", "Bring Cargo.lock in line with Cargo.toml")
        .note(
            "Commit Cargo.lock. It is a source like any other, not an output of this step: it is kept by\n\
             hand too, and no `pipe clean` should remove it.",
        )
        .list("sources", if is_workspace { &["**/Cargo.toml"] } else { &["Cargo.toml"] })
        .run(&["cargo update --workspace --quiet"])
}

fn build(programs: &[String], is_workspace: bool, locked: bool) -> Step {
    let mut step = after_lock(Step::new("build", "Compile"), locked).key("sources", "*sources");
    let mut commands = vec![format!(
        "cargo build {}${{{{ vars.flags }}}}",
        flags(is_workspace)
    )];
    if programs.is_empty() {
        return step.run(&commands);
    }
    let outputs: Vec<String> = programs
        .iter()
        .map(|program| format!("bin/${{{{ vars.folder }}}}/{program}"))
        .collect();
    let copies = programs.iter().map(|program| {
        format!("cp target/${{{{ vars.folder }}}}/{program} bin/${{{{ vars.folder }}}}/")
    });
    commands.extend(copies);
    step = step
        .note("Copies: target/ belongs to cargo, which keeps more there than these.")
        .list("outputs", &outputs);
    step.run(&commands)
}

fn test(is_workspace: bool, locked: bool) -> Step {
    after_lock(
        Step::new("test", "Unit, integration and documentation tests"),
        locked,
    )
    .key("sources", "*sources")
    .key(
        "cache",
        "shared   # what passed once need not pass again for the same files",
    )
    .run(&[format!("cargo test {}", flags(is_workspace).trim_end())])
}

fn lint(is_workspace: bool, locked: bool) -> Step {
    after_lock(Step::new("lint", "Formatting and lints"), locked)
        .key("sources", "*sources")
        .key("cache", "shared")
        .run(&[
            "cargo fmt --all --check".to_owned(),
            format!(
                "cargo clippy {}--all-targets -- -D warnings",
                flags(is_workspace)
            ),
        ])
        .say(
            "hint",
            "`cargo fmt` puts the layout right; `cargo clippy --fix` some of the rest.",
        )
}

fn flags(is_workspace: bool) -> &'static str {
    if is_workspace {
        "--locked --workspace "
    } else {
        "--locked "
    }
}

fn after_lock(step: Step, locked: bool) -> Step {
    if locked {
        step
    } else {
        step.list("after", &["lock"])
    }
}
