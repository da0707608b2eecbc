//! The files in `schema/` are what the program says, and they hold for every pipeline file: those
//! of this repository and those of the cases.

use std::path::Path;

use serde_json::Value;

use crate::support::case::Case;
use crate::support::{Sandbox, files_below, repository};

#[test]
fn the_schema_of_pipeline_files_is_up_to_date() {
    is_up_to_date("pipeline.schema.json", "pipe schema");
}

#[test]
fn the_schema_of_events_is_up_to_date() {
    is_up_to_date("events.schema.json", "pipe schema events");
}

fn is_up_to_date(name: &str, command: &str) {
    let there = std::fs::read_to_string(repository().join("schema").join(name)).unwrap_or_default();
    let sandbox = Sandbox::new();
    let _ = sandbox.shell(&format!("{command} > out.json")).exits(0);
    let same = there == sandbox.read("out.json");
    assert!(
        same,
        "schema/{name} is not what the program says; run `{command} > schema/{name}`"
    );
}

#[test]
fn pipeline_files_of_the_repository_hold_to_the_schema() {
    let schema = schema();
    let mut count = 0;
    for folder in ["examples", "pipelines"] {
        for path in files_below(&repository().join(folder), ".yaml") {
            let name = path.strip_prefix(repository()).unwrap().to_owned();
            if !is_pipeline_file(&name) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(
                faults(&schema, &text),
                Vec::<String>::new(),
                "{}",
                name.display()
            );
            count += 1;
        }
    }
    assert!(count > 0, "there is no pipeline file in the repository");
}

#[test]
fn what_the_reader_takes_holds_to_the_schema() {
    let schema = schema();
    for (name, case) in cases() {
        // The schema need not take what the program refuses.
        if ["pipe::parse::", "pipe::model::"]
            .iter()
            .any(|phase| case.expected().contains(phase))
        {
            continue;
        }
        for (path, text) in case
            .files
            .iter()
            .filter(|(path, _)| is_pipeline_file(Path::new(path)))
        {
            assert_eq!(
                faults(&schema, text),
                Vec::<String>::new(),
                "{path} of {name}"
            );
        }
    }
}

#[test]
fn wrong_shapes_are_refused_by_the_schema() {
    let schema = schema();
    for (name, case) in cases() {
        let of_shape = ["pipe::parse::unknown_key", "pipe::parse::wrong_type"];
        if !of_shape.iter().any(|code| case.expected().contains(code)) {
            continue;
        }
        let mut files = case
            .files
            .iter()
            .filter(|(path, _)| is_pipeline_file(Path::new(path)))
            .peekable();
        // Files of other systems have no schema.
        if files.peek().is_none() {
            continue;
        }
        let refused = files.any(|(_, text)| !faults(&schema, text).is_empty());
        assert!(refused, "the schema finds nothing wrong in {name}");
    }
}

/// All cases with their paths.
fn cases() -> impl Iterator<Item = (String, Case)> {
    let folder = repository().join("tests");
    files_below(&folder, ".txt").into_iter().map(move |path| {
        (
            path.strip_prefix(&folder).unwrap().display().to_string(),
            Case::read(&path),
        )
    })
}

fn schema() -> jsonschema::Validator {
    let sandbox = Sandbox::new();
    let _ = sandbox.shell("pipe schema > out.json").exits(0);
    let schema: Value = serde_json::from_str(&sandbox.read("out.json")).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// What the schema says of a YAML text; that it is no YAML is a fault too.
fn faults(schema: &jsonschema::Validator, text: &str) -> Vec<String> {
    match serde_yaml::from_str::<Value>(text) {
        // An empty file is a pipeline without steps.
        Ok(Value::Null) => Vec::new(),
        Ok(value) => schema
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// `pipe.yaml` anywhere, and all in a folder `pipelines/` but what begins with `_`.
fn is_pipeline_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    let by_folder = path
        .parent()
        .is_some_and(|folder| folder.ends_with("pipelines"));
    is_yaml && (name.starts_with("pipe.") || by_folder && !name.starts_with('_'))
}
