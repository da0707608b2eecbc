//! What the program and the schema say of a file, side by side, over thousands of changed files.
//!
//! The schema accepts all that the program accepts, and refuses every error of structure: a key that
//! is not there, a value of a wrong form. What only the program can know (names, durations,
//! expressions) has the codes in [`SEMANTIC`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use miette::Diagnostic;
use pipe::model::{Place, lower};
use pipe::parse::{Base, Inherited, read};
use pipe::path::RelPath;
use pipe::source::{SourceMap, Span};
use serde_json::{Value, json};

use crate::support::repository;

/// Errors that are about what words mean, which a schema cannot know.
const SEMANTIC: [&str; 9] = [
    "pipe::model::bad_check",
    "pipe::model::bad_name",
    "pipe::model::bad_reference",
    "pipe::model::bad_step",
    "pipe::model::bad_value",
    "pipe::model::nothing_to_do",
    "pipe::model::step_and_target",
    "pipe::model::unknown_profile",
    "pipe::parse::nothing_to_remove",
];

#[test]
fn the_schema_and_the_program_agree_on_changed_files() {
    let schema = jsonschema::validator_for(&pipe::parse::schema::pipeline_schema()).unwrap();
    let whole = everything();
    let mut differences = Vec::new();
    let mut count = 0;
    for (what, mutant) in mutants(&whole) {
        count += 1;
        let errors = errors(&mutant);
        let refused = !schema.is_valid(&mutant);
        let structural = errors.iter().any(|code| !SEMANTIC.contains(&code.as_str()));
        if structural && !refused {
            differences.push(format!("{what}: only the program refuses it: {errors:?}"));
        }
        if errors.is_empty() && refused {
            differences.push(format!("{what}: only the schema refuses it"));
        }
    }
    assert!(count > 2000, "only {count} changes");
    assert!(
        differences.is_empty(),
        "{} of {count}:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn the_file_has_every_key_and_is_good() {
    let whole = everything();
    assert_eq!(errors(&whole), BTreeSet::new());
    let mut there = BTreeSet::new();
    keys(&whole, &mut there);
    let schema = pipe::parse::schema::pipeline_schema();
    let definitions = schema["definitions"].as_object().unwrap();
    let known = definitions
        .values()
        .filter_map(|definition| definition["properties"].as_object())
        .flat_map(|properties| properties.keys().cloned());
    // A file that extends another is read with it.
    let missing: BTreeSet<String> = known
        .filter(|key| key != "extends" && !there.contains(key))
        .collect();
    assert_eq!(
        missing,
        BTreeSet::new(),
        "keys that tests/schema/everything.yaml lacks"
    );
}

fn everything() -> Value {
    let path = repository().join("tests/schema/everything.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                into.insert(key.clone());
                keys(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

/// The codes of what the program says of a file, as far as the file alone tells.
fn errors(file: &Value) -> BTreeSet<String> {
    let mut sources = SourceMap::default();
    let text = serde_json::to_string_pretty(file).unwrap();
    let source = sources.add(PathBuf::from("pipe.yaml"), text).unwrap();
    let templates = read(&source).templates();
    let templates = templates
        .iter()
        .flat_map(|(_, template)| pipe::parse::check(template, &sources));
    let templates: Vec<_> = templates.collect();
    let parsed = read(&source).finish(Base::None, &mut Inherited::default(), &sources);
    let place = Place {
        file: RelPath::root().join(b"pipe.yaml"),
        name: "x".to_owned(),
        dir: RelPath::root(),
        member: None,
        start: Span::new(0, 0),
        own: None,
        is_root: true,
    };
    let lowered = lower(&parsed.document, place, None);
    let code = |error: &dyn Diagnostic| error.code().map(|code| code.to_string());
    let parse = parsed
        .errors
        .iter()
        .chain(&templates)
        .filter_map(|error| code(error));
    parse
        .chain(lowered.errors.iter().filter_map(|error| code(error)))
        .collect()
}

/// The file with one thing changed, for each thing and each change.
fn mutants(whole: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    pointers(whole, String::new(), &mut places);
    let mut mutants = Vec::new();
    for place in places {
        let part = around(whole, &place);
        for (what, change) in changes() {
            let mut mutant = part.clone();
            let Some(value) = mutant.pointer_mut(&place) else {
                continue;
            };
            if change(value) {
                mutants.push((format!("{place}: {what}"), mutant));
            }
        }
    }
    mutants
}

/// The file with what is needed for `place` to be there and good: a small file is quickly read.
fn around(whole: &Value, place: &str) -> Value {
    let keys: Vec<&str> = place.split('/').skip(1).collect();
    let mut part = whole.clone();
    keep(&mut part, keys.first(), "profiles");
    if let ["steps", step, rest @ ..] = keys.as_slice() {
        keep(&mut part["steps"], Some(step), "");
        keep(&mut part["steps"][*step], rest.first(), "run");
    }
    part
}

/// Leaves `key` and `other` alone.
fn keep(value: &mut Value, key: Option<&&str>, other: &str) {
    if let (Value::Object(entries), Some(key)) = (value, key) {
        entries.retain(|name, _| name == key || name == other);
    }
}

fn pointers(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(value, format!("{at}/{key}"), into);
            }
        }
        Value::Array(items) => {
            for (ix, item) in items.iter().enumerate() {
                pointers(item, format!("{at}/{ix}"), into);
            }
        }
        _ => {}
    }
    into.push(at);
}

type Change = Box<dyn Fn(&mut Value) -> bool>;

/// Each says whether it changed something.
fn changes() -> Vec<(String, Change)> {
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!(0),
        json!(-1),
        json!(1.5),
        json!("text"),
        json!(""),
        json!([]),
        json!({}),
        json!(["text"]),
        json!([["text"]]),
        json!([null]),
        json!([{ "zzz": 1 }]),
        json!({ "zzz": 1 }),
    ];
    let mut changes: Vec<(String, Change)> = Vec::new();
    for new in values {
        let what = format!("becomes {new}");
        changes.push((
            what,
            Box::new(move |value| std::mem::replace(value, new.clone()) != new),
        ));
    }
    let add = |value: &mut Value| match value {
        Value::Object(entries) => entries.insert("zzz".to_owned(), json!(1)).is_none(),
        Value::Array(items) => {
            items.push(json!({ "zzz": 1 }));
            true
        }
        _ => false,
    };
    changes.push(("gets one more".to_owned(), Box::new(add)));
    let lose = |value: &mut Value| match value {
        Value::Object(entries) => {
            let first = entries.keys().next().cloned();
            first.is_some_and(|key| entries.shift_remove(&key).is_some())
        }
        Value::Array(items) => items.pop().is_some(),
        _ => false,
    };
    changes.push(("loses one".to_owned(), Box::new(lose)));
    changes
}
