//! CMake: a `CMakeLists.txt` and those that it takes in.

use super::document::{Draft, Step, Target};
use super::files::Files;

/// Properties with which a file moves or renames what its targets make.
const MOVED: [&str; 4] = [
    "RUNTIME_OUTPUT_DIRECTORY",
    "ARCHIVE_OUTPUT_DIRECTORY",
    "OUTPUT_NAME",
    "BUILD_SHARED_LIBS",
];

/// Words after a target's name with which it makes nothing by itself, or something else.
const OTHERS: [&str; 7] = [
    "ALIAS",
    "EXCLUDE_FROM_ALL",
    "IMPORTED",
    "INTERFACE",
    "MODULE",
    "OBJECT",
    "SHARED",
];

pub(super) fn draft(files: &Files) -> Option<Draft> {
    let text = files.text("CMakeLists.txt")?;
    let outputs = Built::of(files).outputs();
    let has_tests = ["enable_testing(", "include(CTest)"]
        .iter()
        .any(|call| text.contains(call));
    let build = Step::new("build", "Configure and compile").key("sources", "*sources");
    let build = match outputs.as_slice() {
        [] => build.note(
            "Name what is built, and a run notices when it is gone:\n\
             outputs: [\"build/${{ vars.type }}/NAME\"]",
        ),
        outputs => build.list("outputs", outputs),
    };
    let build = build
        .key(
            "cache",
            "local   # the rest of build/ is CMake's, and no store has it",
        )
        .run(&[
            "cmake -S . -B build/${{ vars.type }} -DCMAKE_BUILD_TYPE=${{ vars.type }}",
            "cmake --build build/${{ vars.type }} --parallel ${{ jobs }}",
        ]);
    let mut steps = vec![build];
    if has_tests {
        steps.push(
            Step::new("test", "Tests")
                .list("needs", &["build"])
                .key("sources", "*sources")
                .key("cache", "local")
                .run(&["ctest --test-dir build/${{ vars.type }} --output-on-failure"]),
        );
    }
    let names: Vec<&'static str> = steps.iter().map(|step| step.name).collect();
    Some(Draft {
        kind: "a CMake project".to_owned(),
        caches: vec!["build/".to_owned()],
        left_out: vec![".gitignore", "README.md"],
        reads_all: true,
        settings: vec![
            "vars: { type: Debug }\nprofiles:\n  prod: { vars: { type: Release } }\n".to_owned(),
        ],
        dev: Target {
            steps: names.clone(),
            profile: None,
            description: "a debug build",
        },
        prod: Target {
            steps: names,
            profile: Some("prod"),
            description: "a release build",
        },
        steps,
        ..Draft::default()
    })
}

/// What the targets of all files leave in the build folder, as far as it can be told.
#[derive(Default)]
struct Built {
    paths: Vec<String>,
    /// A file says that it puts things elsewhere.
    moved: bool,
}

impl Built {
    fn of(files: &Files) -> Self {
        let mut built = Self::default();
        built.take_in(files, "", "");
        built
    }

    /// Paths as `outputs` has them; none where they would be guesses.
    fn outputs(mut self) -> Vec<String> {
        if self.moved {
            return Vec::new();
        }
        self.paths.sort();
        let in_build = |path: &String| format!("build/${{{{ vars.type }}}}/{path}");
        self.paths.iter().map(in_build).collect()
    }

    /// The file of one folder, and those of the folders that it adds.
    fn take_in(&mut self, files: &Files, folder: &str, project: &str) {
        let Some(text) = files.text(&within(folder, "CMakeLists.txt")) else {
            return;
        };
        self.moved |= MOVED.iter().any(|property| text.contains(property));
        let mut project = project.to_owned();
        for (command, words) in commands(text) {
            let [first, rest @ ..] = words.as_slice() else {
                continue;
            };
            let name = first.replace("${PROJECT_NAME}", &project);
            let is_made =
                is_plain(&name) && !rest.iter().any(|word| OTHERS.contains(&word.as_str()));
            match command.as_str() {
                "project" => project = name,
                "add_subdirectory" if !name.is_empty() => {
                    self.take_in(files, &within(folder, &name), &project);
                }
                "add_executable" if is_made => self.paths.push(within(folder, &name)),
                "add_library" if is_made => {
                    self.paths.push(within(folder, &format!("lib{name}.a")));
                }
                _ => {}
            }
        }
    }
}

/// Whether a name holds nothing that is to be replaced.
fn is_plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// The calls of a CMake file that always happen: none within `if`, loops, functions and macros.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .collect();
    let (mut depth, mut calls) = (0_usize, Vec::new());
    for call in lines.join(" ").split(')') {
        let Some((name, words)) = call.split_once('(') else {
            continue;
        };
        let name = name.trim().to_lowercase();
        let words = words
            .split_whitespace()
            .map(|word| word.trim_matches('"').to_owned())
            .collect();
        match name.as_str() {
            "if" | "foreach" | "while" | "function" | "macro" => depth += 1,
            "endif" | "endforeach" | "endwhile" | "endfunction" | "endmacro" => {
                depth = depth.saturating_sub(1);
            }
            _ if depth == 0 => calls.push((name, words)),
            _ => {}
        }
    }
    calls
}
