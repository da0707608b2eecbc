//! Go: a `go.mod`, and the folders below it that hold a `package main`.

use super::document::{Draft, Step, Target};
use super::files::Files;

/// What every look at the code leaves out when it only compiles.
const TESTS: [&str; 2] = ["**/*_test.go", "**/testdata/**"];

pub(super) fn draft(files: &Files) -> Option<Draft> {
    let module = module(files.text("go.mod")?)?;
    let has_code = files.paths().any(|path| path.ends_with(".go"));
    has_code.then(|| drawn(&programs(files, &module)))
}

/// A folder with programs of a module whose `go.mod` lies in the root: a worker of a larger
/// repository.
pub(super) fn member(files: &Files, name: &str, root: &Files) -> Option<Draft> {
    let programs = programs(files, name);
    if programs.is_empty() || !root.has("go.mod") {
        return None;
    }
    let of_module = ["go.mod", "go.sum"]
        .into_iter()
        .filter(|name| root.has(name));
    Some(Draft {
        more_sources: of_module.map(|name| format!("//{name}")).collect(),
        notes: vec![
            "Packages of the module outside of this folder that it imports are sources too:\n\
             add them below, as in \"//internal/**\"."
                .to_owned(),
        ],
        ..drawn(&programs)
    })
}

fn drawn(programs: &[Program]) -> Draft {
    let steps = [build(programs), test(), lint()];
    let is_program = !programs.is_empty();
    Draft {
        kind: if is_program {
            "a Go program"
        } else {
            "a Go library"
        }
        .to_owned(),
        reads_all: true,
        left_out: vec![".gitignore", "README.md"],
        settings: if is_program {
            vec![SETTINGS.to_owned()]
        } else {
            Vec::new()
        },
        dev: Target {
            steps: vec!["build", "test"],
            profile: None,
            description: "a build and the tests",
        },
        prod: Target {
            steps: vec!["build", "test", "lint"],
            profile: is_program.then_some("prod"),
            description: "a release build, tests and lints",
        },
        steps: steps.into(),
        ..Draft::default()
    }
}

const SETTINGS: &str = "\
vars:
  # One element is one argument. Without -buildvcs=false each commit would make another binary.
  flags: [-buildvcs=false]
profiles:
  prod: { vars: { flags: [-buildvcs=false, -trimpath, \"-ldflags=-s -w\"] } }
";

/// A `package main`.
struct Program {
    name: String,
    /// As `go build` takes it: `.`, `./cmd/api`.
    package: String,
}

/// The path of the module.
fn module(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("module "))?;
    Some(line.split("//").next()?.trim().trim_matches('"').to_owned())
}

/// All programs of a folder; the one of the folder itself, and of `src`, is called like the last part of `module`.
fn programs(files: &Files, module: &str) -> Vec<Program> {
    let mut folders: Vec<&str> = files
        .paths()
        .filter(|path| is_main(files, path))
        .map(folder)
        .collect();
    folders.sort_unstable();
    folders.dedup();
    let of_module = last_part(module);
    let programs = folders
        .into_iter()
        .filter(|folder| is_built(folder))
        .map(|folder| Program {
            name: match folder {
                "" | "src" => of_module.clone(),
                folder => last_part(folder),
            },
            package: if folder.is_empty() {
                ".".to_owned()
            } else {
                format!("./{folder}")
            },
        });
    let mut programs: Vec<Program> = programs.collect();
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    programs.dedup_by(|a, b| a.name == b.name);
    programs
}

/// Whether a file that is compiled says `package main`.
fn is_main(files: &Files, path: &str) -> bool {
    let is_code = path.ends_with(".go") && !path.ends_with("_test.go");
    let says = |text: &str| {
        let mut lines = text.lines().map(str::trim);
        // What `go run` alone builds, as generators are.
        let ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
        !ignored && lines.any(|line| line == "package main" || line.starts_with("package main "))
    };
    is_code && files.text(path).is_some_and(says)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Folders that are part of what is built, and can be named in a script as they are.
fn is_built(folder: &str) -> bool {
    let hidden = |part: &str| {
        ["testdata", "examples", "example", "tools", "scripts"].contains(&part)
            || part.starts_with(['_', '.'])
    };
    folder
        .chars()
        .all(|c| c.is_alphanumeric() || "/_-.".contains(c))
        && !folder
            .split('/')
            .any(|part| !part.is_empty() && hidden(part))
}

/// `api` of `example.com/team/api/v2`.
fn last_part(path: &str) -> String {
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    let is_version = last
        .strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let name = if is_version {
        parts.next().unwrap_or(last)
    } else {
        last
    };
    name.to_owned()
}

fn build(programs: &[Program]) -> Step {
    let step = Step::new("build", "Compile")
        .key("sources", "*sources")
        .list("exclude", &TESTS);
    match programs {
        [] => step
            .note("A library leaves nothing behind: this only says whether it compiles.")
            .run(&["go build ./..."]),
        [one] => step
            .list("outputs", &[format!("bin/{}", one.name)])
            .run(&[format!(
                "go build ${{{{ vars.flags }}}} -o ${{{{ output }}}} {}",
                one.package
            )]),
        several => {
            let outputs: Vec<String> = several
                .iter()
                .map(|one| format!("bin/{}", one.name))
                .collect();
            let commands: Vec<String> = several
                .iter()
                .map(|one| {
                    format!(
                        "go build ${{{{ vars.flags }}}} -o bin/{} {}",
                        one.name, one.package
                    )
                })
                .collect();
            step.list("outputs", &outputs).run(&commands)
        }
    }
}

fn test() -> Step {
    Step::new("test", "Tests")
        .key("sources", "*sources")
        .key(
            "cache",
            "shared   # what passed once need not pass again for the same files",
        )
        .run(&["go test ./..."])
}

fn lint() -> Step {
    Step::new("lint", "Layout and suspicious code")
        .key("sources", "*sources")
        .key("cache", "shared")
        .run(&[
            "found=$(gofmt -l .)",
            "if [ -n \"$found\" ]; then echo \"$found\"; exit 1; fi",
            "go vet ./...",
        ])
        .say(
            "hint",
            "`gofmt -w .` puts the layout of the files named above right.",
        )
}
