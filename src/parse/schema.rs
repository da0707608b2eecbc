//! The JSON schema of a pipeline file, for editors: made from the types that read it.
//!
//! It says which keys there are and which forms their values have. The program's own errors never
//! come from it: they need places and help, which a schema's validator does not give.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value};

use super::document::PipelineDoc;

/// The schema of `pipe.yaml` and of the files in `pipelines/`, in draft 7, which editors know.
pub fn pipeline_schema() -> Value {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(absent_is_not_null));
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<PipelineDoc>();
    schema.insert("title".to_owned(), "Pipeline file of pipe".into());
    schema.to_value()
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
    fn null_is_nowhere_and_every_key_is_described() {
        let schema = pipeline_schema();
        assert!(!schema.to_string().contains("\"null\""));
        let step = &schema["definitions"]["StepDoc"]["properties"];
        let keys = step.as_object().expect("properties");
        assert!(
            keys.values().all(|key| key["description"].is_string()),
            "{keys:?}"
        );
    }
}
