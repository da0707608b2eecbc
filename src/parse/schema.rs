//! The JSON schema of a pipeline file, for editors: made from the types that read it.
//!
//! It says which keys there are and which forms their values have. The program's own errors never
//! come from it: they need places and help, which a schema's validator does not give.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::document::PipelineDoc;
use super::extend;

/// The schema of `pipe.yaml` and of the files in `pipelines/`, in draft 7, which editors know.
pub fn pipeline_schema() -> Value {
    let settings = SchemaSettings::draft07()
        .with_transform(RecursiveTransform(absent_is_not_null))
        .with_transform(RecursiveTransform(counts_begin_with_one));
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<PipelineDoc>();
    schema.insert("title".to_owned(), "Pipeline file of pipe".into());
    with_extends(schema.to_value())
}

/// Two schemas in one: a file that says `extends` may have `null` where something is inherited.
fn with_extends(schema: Value) -> Value {
    let Value::Object(mut file) = schema else {
        return schema;
    };
    let mut whole = Map::new();
    for key in ["$schema", "title", "description"] {
        whole.extend(file.remove_entry(key));
    }
    let mut definitions = match file.remove("definitions") {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    may_be_empty(&mut file);
    if let Some(Value::Object(workspace)) = definitions.get_mut("WorkspaceDoc") {
        may_be_empty(workspace);
    }
    let mut nulls = Nulls {
        strict: &definitions,
        made: Map::new(),
    };
    let extending = nulls.object(&file, &extend::OWN);
    let made = nulls.made;
    definitions.extend(made);
    definitions.insert("ExtendingPipelineDoc".to_owned(), Value::Object(extending));
    definitions.insert("PipelineDoc".to_owned(), Value::Object(file));
    let reference = |name: &str| json!({ "$ref": format!("#/definitions/{name}") });
    may_be_empty(&mut whole);
    whole.insert("if".to_owned(), json!({ "required": ["extends"] }));
    whole.insert("then".to_owned(), reference("ExtendingPipelineDoc"));
    whole.insert("else".to_owned(), reference("PipelineDoc"));
    whole.insert("definitions".to_owned(), Value::Object(definitions));
    Value::Object(whole)
}

/// Nothing at all stands for a document without keys.
fn may_be_empty(schema: &mut Map<String, Value>) {
    schema.insert("type".to_owned(), json!(["object", "null"]));
}

/// Makes schemas that also take `null` where it removes something.
struct Nulls<'a> {
    /// The definitions without it.
    strict: &'a Map<String, Value>,
    /// Those with it.
    made: Map<String, Value>,
}

impl Nulls<'_> {
    /// A schema, without what it must not have: its keys in `own` are not inherited.
    fn object(&mut self, schema: &Map<String, Value>, own: &[&str]) -> Map<String, Value> {
        let mut object = schema.clone();
        // What goes together is for the merged map to hold to.
        for key in ["required", "oneOf", "dependencies"] {
            object.remove(key);
        }
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            for (_, value) in properties
                .iter_mut()
                .filter(|(key, _)| !own.contains(&key.as_str()))
            {
                *value = or_null(self.of(value));
            }
        }
        if let Some(value @ Value::Object(_)) = object.get_mut("additionalProperties")
            && !is_env(value)
        {
            *value = or_null(self.of(value));
        }
        for key in ["anyOf", "allOf"] {
            if let Some(Value::Array(forms)) = object.get_mut(key) {
                forms.iter_mut().for_each(|form| *form = self.of(form));
            }
        }
        object
    }

    fn of(&mut self, schema: &Value) -> Value {
        let Value::Object(object) = schema else {
            return schema.clone();
        };
        let name = object.get("$ref").and_then(Value::as_str);
        match name.and_then(|name| name.strip_prefix("#/definitions/")) {
            Some(name) => self.definition(name),
            None => Value::Object(self.object(object, &[])),
        }
    }

    fn definition(&mut self, name: &str) -> Value {
        let new = format!("Extending{name}");
        let reference = json!({ "$ref": format!("#/definitions/{new}") });
        if !self.made.contains_key(&new) {
            // Before its content: it may name itself.
            self.made.insert(new.clone(), Value::Null);
            let made = self
                .strict
                .get(name)
                .map_or(Value::Bool(true), |strict| self.of(strict));
            self.made.insert(new, made);
        }
        reference
    }
}

/// A variable of the environment: it is replaced as a whole, and `null` is none of its forms.
fn is_env(schema: &Value) -> bool {
    schema["$ref"] == "#/definitions/Env"
}

fn or_null(mut schema: Value) -> Value {
    let nothing = json!({ "type": "null" });
    if let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        forms.push(nothing);
        return schema;
    }
    let description = schema
        .as_object_mut()
        .and_then(|schema| schema.remove("description"));
    let mut either = json!({ "anyOf": [schema, nothing] });
    if let Some(description) = description {
        either["description"] = description;
    }
    either
}

/// Takes the null away that schemars gives to every `Option`: a key may be absent, but where it
/// stands it has a value.
fn absent_is_not_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(forms)) = object.get_mut("anyOf") else {
        return;
    };
    forms.retain(|form| form.get("type").is_none_or(|name| name != "null"));
    if let [only] = forms.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        take_in(object, only);
    }
}

/// Zero of something is never meant.
fn counts_begin_with_one(schema: &mut Schema) {
    let is_count = schema
        .get("format")
        .is_some_and(|format| format == "uint64");
    if is_count {
        schema.insert("minimum".to_owned(), 1.into());
    }
}

/// Makes the only form that is left a part of `object`.
fn take_in(object: &mut Map<String, Value>, form: Value) {
    match form {
        Value::Object(form) if !form.contains_key("$ref") => {
            for (key, value) in form {
                object.entry(key).or_insert(value);
            }
        }
        // Draft 7 ignores what stands beside a `$ref`.
        form => drop(object.insert("allOf".to_owned(), Value::Array(vec![form]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str) -> bool {
        let value: Value = serde_yaml::from_str(text).expect("valid YAML");
        jsonschema::draft7::is_valid(&pipeline_schema(), &value)
    }

    #[test]
    fn the_schema_takes_what_the_reader_takes() {
        let fine = "x-note: 1\nname: 5\nsteps:\n  x-a: 1\n  a: { run: [x], if: true, cache: off, x-b: 2, \
                    outputs: [a, { path: b }], env: { A: 1, B: { from: caller } }, matrix: { os: [1], src: \
                    { glob: x }, include: [{ os: 2 }] } }\ntargets: { a: [b], c: { steps: a } }\n";
        assert!(accepts(fine));
        assert!(super::super::testing::parsed(fine).whole);
    }

    #[test]
    fn the_schema_refuses_what_the_reader_refuses() {
        for text in [
            "stepz: {}",
            "name: null",
            "name: [a]",
            "steps: { a: { cmd: x } }",
            "steps: { a: null }",
            "workspace: { jobs: 0 }",
            "env: { A: null }",
            "steps: { a: { outputs: [{ pth: x }] } }",
        ] {
            assert!(!accepts(text), "{text}");
            assert!(!super::super::testing::parsed(text).whole, "{text}");
        }
    }

    #[test]
    fn null_is_only_where_something_is_inherited() {
        for (text, good) in [
            (
                "extends: a\nsteps: { a: null, b: { run: null, matrix: { os: null } } }",
                true,
            ),
            (
                "extends: a\ntargets: { t: { profile: null } }\nvars: null",
                true,
            ),
            (
                "workspace: { templates: { a: { extends: b, steps: null } } }",
                true,
            ),
            ("workspace: { templates: { a: { steps: null } } }", false),
            ("workspace: { templates: { a: { workspace: {} } } }", false),
            ("extends: a\nenv: { A: null }", false),
            ("extends: a\nname: null", false),
            ("extends: a\nworkspace: { members: null }", false),
            ("extends: a\nsteps: { a: { needs: [null] } }", false),
            ("extends: null", false),
            ("workspace: { templates: { a: { extends: null } } }", false),
            (
                "extends: a\nsteps: { a: { retries: { delay: 1s }, requires: { message: x } } }",
                true,
            ),
            ("extends: a\ntargets: { t: { profile: p } }", true),
            (
                "extends: a\nsteps: { a: { requires: [{ message: x }] } }",
                false,
            ),
        ] {
            assert_eq!(accepts(text), good, "{text}");
        }
    }

    #[test]
    fn every_key_is_described_and_null_is_only_for_those_who_extend() {
        let schema = pipeline_schema();
        for (name, definition) in schema["definitions"].as_object().expect("definitions") {
            let may_be_empty = ["PipelineDoc", "WorkspaceDoc"].contains(&name.as_str());
            let strict = !name.starts_with("Extending") && !may_be_empty;
            assert!(
                !(strict && definition.to_string().contains("\"null\"")),
                "{name}"
            );
        }
        let step = &schema["definitions"]["StepDoc"]["properties"];
        let keys = step.as_object().expect("properties");
        assert!(
            keys.values().all(|key| key["description"].is_string()),
            "{keys:?}"
        );
    }
}
