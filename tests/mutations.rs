//! What the program and the schema say of a file, side by side, over thousands of changed files.
//!
//! The schema accepts all that the program accepts, and refuses every error of structure: a key that
//! is not there, a value of a wrong form, a name with a space. What only the program can know
//! (durations, references, expressions) has the codes in [`SEMANTIC`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use miette::Diagnostic;
use pipe::model::{Place, lower, of_template};
use pipe::parse::{Base, Inherited, read};
use pipe::path::RelPath;
use pipe::source::{SourceMap, Span};
use serde_json::{Value, json};

use crate::support::repository;

/// Errors in one file that are about what words mean, which a schema cannot know, and what they are
/// about. `docs/errors.md` lists them.
pub(crate) const SEMANTIC: [(&str, &str); 7] = [
    (
        "pipe::model::bad_reference",
        "how a reference is put together",
    ),
    (
        "pipe::model::bad_step",
        "keys of a step that do not go together: `defaults` have a part in that",
    ),
    (
        "pipe::model::bad_value",
        "durations, sizes, versions, regular expressions, addresses, names of variables",
    ),
    (
        "pipe::model::nothing_to_do",
        "a step or target that is not whole: it may have the rest from `defaults` or a template",
    ),
    ("pipe::model::step_and_target", "one name for two things"),
    ("pipe::model::unknown_profile", "whether a name exists"),
    (
        "pipe::parse::nothing_to_remove",
        "what the extended template has",
    ),
];

/// Mistakes of structure that have a code in [`SEMANTIC`], or need more than one change.
const STRUCTURAL: [&str; 25] = [
    "steps: { a: { run: x, cache: never } }",
    "steps: { a: { run: x, cache: { mode: never } } }",
    "steps: { a: { run: x, env_policy: open } }",
    "steps: { a: { run: x, shell: fish } }",
    "steps: { a: { run: x, shell: [] } }",
    "steps: { a: { run: x, max_instances: 100001 } }",
    "steps: { a: { run: x, requires: [{}] } }",
    "steps: { a: { run: x, requires: [{ message: x }] } }",
    "steps: { a: { run: x, requires: [{ file: a, run: b }] } }",
    "steps: { a: { run: x, verify: [{ env: A, matches: b }] } }",
    "steps: { a: { run: x, verify: { tool: cc, command: cc -v } } }",
    "steps: { a: { run: x, matrix: { os: [] } } }",
    "steps: { a: { run: x, matrix: { os: [[b]] } } }",
    "steps: { a: { run: x, matrix: { os: [{ arch: b }] } } }",
    "steps: { a: { run: x, matrix: { os: [a], exclude: [{ os: [a] }] } } }",
    "steps: { a: { run: x, matrix: { o s: [a] } } }",
    "steps: { a b: { run: x } }",
    "targets: { a: [] }",
    "defaults: { shell: fish }",
    "workspace: { templates: { t: { steps: { a b: { run: x } } } } }",
    "targets: { a: { steps: [] } }",
    "targets: { -a: b }",
    "profiles: { a@b: {} }",
    "name: a b",
    "workspace: { cache: { durability: none } }",
];

#[test]
fn the_schema_refuses_every_mistake_of_structure() {
    let schema = jsonschema::validator_for(&pipe::parse::schema::pipeline_schema()).unwrap();
    for text in STRUCTURAL {
        let file: Value = serde_yaml::from_str(text).unwrap();
        assert_ne!(errors(&file), BTreeSet::new(), "{text}");
        assert!(!schema.is_valid(&file), "{text}");
    }
}

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
        let is_semantic = |code: &String| SEMANTIC.iter().any(|(semantic, _)| code == semantic);
        let structural = !errors.iter().all(is_semantic);
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
        .map(|(_, template)| pipe::parse::check(template, &sources));
    let templates: Vec<_> = templates.collect();
    let mut model: Vec<_> = templates
        .iter()
        .flat_map(|parsed| of_template(&parsed.document))
        .collect();
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
    model.extend(lower(&parsed.document, place, None).errors);
    let code = |error: &dyn Diagnostic| error.code().map(|code| code.to_string());
    let parse = parsed
        .errors
        .iter()
        .chain(templates.iter().flat_map(|template| &template.errors))
        .filter_map(|error| code(error));
    parse
        .chain(model.iter().filter_map(|error| code(error)))
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
    for name in ["a b", "-a", "a/b", "ä.1"] {
        let rename = |value: &mut Value| {
            let entries = value.as_object_mut();
            let first = entries.and_then(|entries| Some((entries.keys().next()?.clone(), entries)));
            first.is_some_and(|(key, entries)| {
                let value = entries.shift_remove(&key);
                entries.insert(name.to_owned(), value.unwrap_or_default());
                true
            })
        };
        let what = format!("calls one `{name}`");
        changes.push((what, Box::new(rename)));
    }
    changes
}
