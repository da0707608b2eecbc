//! Documents of this room as the text of pipeline files.
//!
//! It writes the keys that this room sets, and no others; a test holds what is written to the plan
//! of what was read. The only file that knows the package which writes YAML.

use serde_yaml::{Mapping, Value};

use crate::parse::{
    CheckDoc, EnvDoc, List, Map, OutputDoc, PipelineDoc, ProfileDoc, StepDoc, TargetDoc, Text,
    ValueDoc, WorkspaceDoc,
};
use crate::source::Spanned;

/// What is said to people above a block in which a word stands.
const COMMENTS: [(&str, &str); 3] = [
    (
        "-tags",
        "`prod` is for use. Go takes only the last `-ldflags` and the last `-tags`: keep one of each.",
    ),
    (
        "from: caller",
        "`env` names what the caller may set that changes what Go builds.",
    ),
    ("requires", "Looked at before a step runs."),
];

/// The text of a pipeline file. `schema` is where its schema is, seen from its folder.
pub fn write(document: &PipelineDoc, schema: &str) -> String {
    let blocks = [
        ("name", field(&document.name, text)),
        ("workspace", field(&document.workspace, workspace)),
        ("vars", field(&document.vars, |vars| map(vars, value))),
        (
            "profiles",
            field(&document.profiles, |all| map(all, profile)),
        ),
        ("defaults", field(&document.defaults, step)),
        ("targets", field(&document.targets, |all| map(all, target))),
        ("steps", field(&document.steps, |all| map(all, step))),
    ];
    let mut out = format!("# yaml-language-server: $schema={schema}\n");
    for (name, block) in blocks {
        let Some(block) = block else { continue };
        // Nothing of it can fail: all keys are text.
        let text = serde_yaml::to_string(&mapping([(name, Some(block))])).unwrap_or_default();
        out.push('\n');
        let comment = COMMENTS
            .iter()
            .find(|(word, _)| text.lines().any(|line| line.contains(word)));
        if let Some((_, comment)) = comment.filter(|_| name != "steps") {
            out.push_str(&format!("# {comment}\n"));
        }
        out.push_str(&text);
    }
    out
}

fn field<T>(field: &Option<Spanned<T>>, write: impl Fn(&T) -> Value) -> Option<Value> {
    field.as_ref().map(|field| write(&field.value))
}

fn mapping<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let there = entries
        .into_iter()
        .filter_map(|(key, value)| Some((Value::from(key), value?)));
    Value::Mapping(there.collect::<Mapping>())
}

fn map<T>(entries: &Map<T>, write: impl Fn(&T) -> Value) -> Value {
    let entries = entries
        .0
        .iter()
        .map(|(key, value)| (Value::from(key.value.as_str()), write(&value.value)));
    Value::Mapping(entries.collect::<Mapping>())
}

fn text(text: &Text) -> Value {
    Value::from(text.text.as_str())
}

fn texts(list: &List<Text>) -> Value {
    Value::Sequence(list.0.iter().map(text).collect())
}

/// One text stands for a list of one.
fn commands(list: &List<Text>) -> Value {
    match list.0.as_slice() {
        [one] => text(one),
        _ => texts(list),
    }
}

fn value(value: &ValueDoc) -> Value {
    match value {
        ValueDoc::Null(_) => Value::Null,
        ValueDoc::Text(text) => self::text(text),
        ValueDoc::List(items, _) => Value::Sequence(items.iter().map(self::value).collect()),
        ValueDoc::Map(entries, _) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (Value::from(key.value.as_str()), self::value(value)));
            Value::Mapping(entries.collect::<Mapping>())
        }
    }
}

fn variable(variable: &EnvDoc) -> Value {
    match variable {
        EnvDoc::Value(value) => text(value),
        EnvDoc::FromCaller { from, default } => mapping([
            ("from", Some(text(from))),
            ("default", default.as_ref().map(text)),
        ]),
        EnvDoc::Unset => mapping([("unset", Some(Value::from(true)))]),
    }
}

fn env(env: &Option<Spanned<Map<EnvDoc>>>) -> Option<Value> {
    field(env, |env| map(env, variable))
}

fn workspace(workspace: &WorkspaceDoc) -> Value {
    let cache =
        |cache: &crate::parse::WorkspaceCacheDoc| mapping([("dir", field(&cache.dir, text))]);
    mapping([
        ("members", field(&workspace.members, texts)),
        ("jobs", field(&workspace.jobs, |jobs| Value::from(*jobs))),
        (
            "keep_going",
            field(&workspace.keep_going, |on| Value::from(*on)),
        ),
        ("cache", field(&workspace.cache, cache)),
        ("defaults", field(&workspace.defaults, step)),
        ("env", env(&workspace.env)),
    ])
}

fn profile(profile: &ProfileDoc) -> Value {
    mapping([
        ("vars", field(&profile.vars, |vars| map(vars, value))),
        ("env", env(&profile.env)),
    ])
}

fn target(target: &TargetDoc) -> Value {
    if let ([one], None) = (target.steps.as_slice(), &target.profile) {
        return text(one);
    }
    mapping([
        (
            "steps",
            Some(Value::Sequence(target.steps.iter().map(text).collect())),
        ),
        ("profile", target.profile.as_ref().map(text)),
    ])
}

fn step(step: &StepDoc) -> Value {
    let outputs = |list: &List<OutputDoc>| Value::Sequence(list.0.iter().map(output).collect());
    let requires = |list: &List<Spanned<CheckDoc>>| {
        Value::Sequence(list.0.iter().map(|one| check(&one.value)).collect())
    };
    mapping([
        ("needs", field(&step.needs, texts)),
        ("requires", field(&step.requires, requires)),
        ("sources", field(&step.sources, texts)),
        ("exclude", field(&step.exclude, texts)),
        ("outputs", field(&step.outputs, outputs)),
        (
            "cache",
            field(&step.cache, |cache| {
                cache.mode.as_ref().map_or(Value::Null, text)
            }),
        ),
        ("env", env(&step.env)),
        ("env_policy", field(&step.env_policy, text)),
        ("pass_env", field(&step.pass_env, texts)),
        ("dir", field(&step.dir, text)),
        ("timeout", field(&step.timeout, text)),
        ("run", field(&step.run, commands)),
    ])
}

fn output(output: &OutputDoc) -> Value {
    if output.optional {
        mapping([
            ("path", Some(text(&output.path))),
            ("optional", Some(Value::from(true))),
        ])
    } else {
        text(&output.path)
    }
}

fn check(check: &CheckDoc) -> Value {
    mapping([
        ("tool", field(&check.tool, text)),
        ("version", field(&check.version, text)),
    ])
}
