//! Who may know whom. `ARCHITECTURE.md` says why; here the sources are held to it.
//!
//! A room is a folder or file directly in `src/`. Test code may know everybody.

mod code;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use code::{Code, Names};

use crate::support::{files_below, repository};

/// Rooms that all others may know, and that know nobody.
const BASE: [&str; 3] = ["path", "source", "suggest"];

/// What a room may know of another.
#[derive(Clone, Copy)]
enum Of {
    /// All that it offers.
    All(&'static str),
    /// These items only.
    Only(&'static str, &'static [&'static str]),
}
use Of::{All, Only};

/// What `expand` offers to those who fill in a command at a step's turn.
const TEMPLATES: [&str; 4] = ["FillError", "Late", "Piece", "Template"];

/// Each room and the rooms that it may know, besides the base.
const ROOMS: [(&str, &[Of]); 16] = [
    ("parse", &[]),
    ("event", &[]),
    ("glob", &[]),
    ("sys", &[]),
    ("init", &[]),
    ("model", &[All("parse"), All("glob")]),
    (
        "dialect",
        &[All("parse"), All("glob"), Only("init", &["Files", "node"])],
    ),
    (
        "load",
        &[
            All("parse"),
            All("glob"),
            All("sys"),
            All("model"),
            All("dialect"),
            Only("init", &["Files"]),
            Only("expand", &["EnvFile", "Facts", "Spent"]),
        ],
    ),
    ("expand", &[All("model"), All("parse"), All("glob")]),
    ("graph", &[All("expand"), All("glob"), All("model")]),
    (
        "plan",
        &[All("graph"), All("expand"), All("glob"), All("model")],
    ),
    (
        "cache",
        &[
            All("plan"),
            Only("expand", &TEMPLATES),
            All("glob"),
            All("sys"),
        ],
    ),
    ("process", &[All("sys")]),
    (
        "exec",
        &[
            All("plan"),
            All("cache"),
            All("process"),
            All("event"),
            All("sys"),
            Only("expand", &TEMPLATES),
        ],
    ),
    ("report", &[All("event")]),
    ("main", &[All("cli")]),
];

/// Rooms in which everything is put together.
const KNOW_ALL: [&str; 2] = ["cli", "lib"];

/// Packages, and the only places that may name them.
const PACKAGES: [(&str, &[&str]); 17] = [
    ("mimalloc", &["main.rs"]),
    ("petgraph", &["graph/"]),
    ("granit_parser", &["parse/yaml.rs"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("blake3", &["cache/digest.rs"]),
    ("globset", &["glob/"]),
    ("walkdir", &["glob/"]),
    ("rayon", &["cache/", "exec/"]),
    ("minijinja", &["expand/"]),
    ("indicatif", &["report/"]),
    ("ureq", &["exec/http.rs"]),
    ("rustls", &["exec/http.rs"]),
    ("rustls_native_certs", &["exec/http.rs"]),
    ("toml", &["init/"]),
    ("serde_yaml", &["dialect/write.rs"]),
];

/// The most lines that a file may have.
const LINES: usize = 800;

/// Names that say nothing of what is in a file.
const DRAWERS: [&str; 5] = ["common", "helpers", "misc", "util", "utils"];

#[test]
fn rooms_know_only_whom_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        for Names {
            room: known,
            item,
            line,
        } in source.code.rooms_named(&source.module)
        {
            if source.room == known || source.may_know(&known, item.as_deref()) {
                continue;
            }
            let item = item.map_or(String::new(), |item| format!("::{item}"));
            wrong.push(format!(
                "{}:{line}: `{}` names `{known}{item}`",
                source.path, source.room
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "rooms that know whom they may not:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_room_is_in_the_table() {
    let there: BTreeSet<String> = sources().map(|source| source.room).collect();
    let in_table = ROOMS
        .iter()
        .map(|(room, _)| *room)
        .chain(BASE)
        .chain(KNOW_ALL);
    assert_eq!(there, in_table.map(str::to_owned).collect());
}

#[test]
fn packages_are_named_only_where_they_may_be() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (package, places) in PACKAGES {
            let may = places.iter().any(|place| source.path.starts_with(place));
            if let Some(line) = source.code.line_that_names(package).filter(|_| !may) {
                wrong.push(format!(
                    "{}:{line}: `{package}` belongs to {places:?}",
                    source.path
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "packages outside of their places:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn files_are_small_and_named_for_what_is_in_them() {
    let mut wrong = Vec::new();
    for (path, text) in texts() {
        let lines = text.lines().count();
        if lines > LINES {
            wrong.push(format!("{path} has {lines} lines; {LINES} are the most"));
        }
        if Path::new(&path)
            .iter()
            .any(|part| DRAWERS.iter().any(|name| is_named(part, name)))
        {
            wrong.push(format!("{path} is named like a drawer"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_named(part: &std::ffi::OsStr, name: &str) -> bool {
    Path::new(part).file_stem().is_some_and(|stem| stem == name)
}

/// A source file that is no test.
struct Source {
    /// Relative to `src/`.
    path: String,
    /// The parts of its module's path.
    module: Vec<String>,
    /// The first of these; `main` and `lib` for the roots.
    room: String,
    code: Code,
}

impl Source {
    fn new(path: String, code: Code) -> Self {
        let mut module: Vec<String> = Path::new(&path)
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into())
            .collect();
        module.pop_if(|last| last == "mod");
        let room = module[0].clone();
        if room == "lib" || room == "main" {
            module.clear();
        }
        Self {
            path,
            module,
            room,
            code,
        }
    }

    fn may_know(&self, known: &str, item: Option<&str>) -> bool {
        let Some((_, rooms)) = ROOMS.iter().find(|(room, _)| *room == self.room) else {
            return KNOW_ALL.contains(&self.room.as_str());
        };
        let allowed = |of: &Of| match of {
            All(room) => *room == known,
            Only(room, items) => *room == known && item.is_some_and(|item| items.contains(&item)),
        };
        BASE.contains(&known) || rooms.iter().any(allowed)
    }
}

/// All source files but those that are compiled for tests only.
fn sources() -> impl Iterator<Item = Source> {
    let all: Vec<(String, Code)> = texts()
        .map(|(path, text)| (path, Code::read(&text)))
        .collect();
    let tests: BTreeSet<String> = all
        .iter()
        .flat_map(|(path, code)| code.test_files(Path::new(path)))
        .collect();
    all.into_iter()
        .filter(move |(path, _)| {
            let below = |test: &String| {
                path.strip_prefix(test.as_str())
                    .is_some_and(|rest| rest.starts_with(['.', '/']))
            };
            !tests.iter().any(below)
        })
        .map(|(path, code)| Source::new(path, code))
}

/// All files of `src/` with their paths below it.
fn texts() -> impl Iterator<Item = (String, String)> {
    let root: PathBuf = repository().join("src");
    files_below(&root, ".rs").into_iter().map(move |path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (
            path.strip_prefix(&root)
                .unwrap()
                .to_string_lossy()
                .into_owned(),
            text,
        )
    })
}
