//! Values with more than one form (text or map, list or map): how they are decoded, and the schema
//! of their forms.
//!
//! Each map form is a document type of its own, private to this file. What the words in the values
//! mean is not known here.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::decode::{Cx, Decode, List, Map, decode_document, document, wrong_text};
use super::document::{
    AxisDoc, CacheDoc, EnvDoc, EnvFileDoc, MatrixDoc, NAME, OutputDoc, RetriesDoc, TargetDoc,
    TemplatesDoc, Text, ValueDoc,
};
use super::node::{Entry, Node, NodeValue, Style};
use super::shapes;
use crate::source::{SourceMap, Span, Spanned};

const ENV_FORMS: &str =
    "take it from the caller with `{ from: caller }`, or take it away with `{ unset: true }`";

document! {
    /// A variable that is not written out.
    #[schemars(extend("oneOf" = [
        { "required": ["from"] },
        { "required": ["unset"], "not": { "required": ["default"] } },
    ]))]
    struct EnvForm("a variable", WHOLE) {
        /// `caller`: the value that the variable has where pipe was started; part of the key.
        #[schemars(extend("const" = "caller"))]
        from: Text,
        /// The value where the caller has none.
        default: Text,
        /// The variable is taken away.
        #[schemars(extend("const" = true))]
        unset: bool,
    }

    /// A path or glob with its options.
    #[schemars(extend("required" = ["path"]))]
    struct OutputForm("an output") {
        /// The path or glob.
        path: Text,
        /// It need not be there after the step.
        optional: bool,
    }

    /// A dotenv file with its options.
    #[schemars(extend("required" = ["path"]))]
    struct EnvFileForm("an entry of `env_files`") {
        /// The file.
        path: Text,
        /// It need not be there.
        optional: bool,
    }

    /// Where results are kept, and what else is part of the key.
    struct CacheForm("`cache`") {
        /// `shared`, `local` or `off`.
        #[schemars(extend("enum" = ["shared", "local", "off", true, false, "true", "false"]))]
        mode: Text,
        /// Text that is part of the step's key.
        salt: Text,
    }

    /// How often a step that failed is tried again, and after which wait.
    #[schemars(extend("required" = ["max"]))]
    struct RetriesForm("`retries`") {
        /// So many times after the first attempt.
        max: Whole,
        /// The wait before the first retry (`2s`). Default: none.
        delay: Text,
        /// The factor by which each wait is longer than the one before. Default 1.
        backoff: Text,
    }

    /// Steps, and the profile they run under.
    struct TargetForm("a target") {
        /// References to steps, or names of other targets.
        #[schemars(extend("anyOf" = [
            { "type": ["string", "number", "boolean"] },
            { "type": "array", "items": { "type": ["string", "number", "boolean"] }, "minItems": 1 },
        ]))]
        steps: List<Text>,
        /// The profile they run under.
        profile: Text,
        /// One line for `pipe list`.
        description: Text,
    }

    /// Values from the file system.
    #[schemars(extend("required" = ["glob"]))]
    struct GlobForm("an axis") {
        /// One value for each file that matches.
        glob: Text,
    }
}

/// The value of a field, without the place of the whole.
fn bare<T>(field: Option<Spanned<T>>) -> Option<T> {
    field.map(|field| field.value)
}

impl Decode for Text {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        let NodeValue::Scalar(scalar) = node.value else {
            wrong_text(&node, cx);
            return None;
        };
        let text = scalar.text.into_owned();
        let holes = holes(cx.sources, &text, node.span);
        let dollars = dollars(cx.sources, &text, node.span);
        Some(Self {
            text,
            span: node.span,
            plain: scalar.style == Style::Plain,
            holes,
            dollars,
        })
    }
}

/// Where the `${{` of `text` stand in the file: those in the raw text of `span`, in order. Escapes
/// can make them fewer than in `text`; then none.
fn holes(sources: &SourceMap, text: &str, span: Span) -> Box<[u32]> {
    if !text.contains('$') {
        return Box::default();
    }
    let wanted = text.matches("${{").count();
    let raw = sources.text(span);
    // Where a hole is spelled otherwise than it reads (escapes, lines of a block), its parts have no
    // places of their own, and only the whole text has one.
    let place = |(at, hole): (usize, usize)| {
        let end = text[hole..]
            .find("}}")
            .map_or(text.len(), |length| hole + length);
        match raw[at..].starts_with(&text[hole..end]) {
            true => span.start + at as u32,
            false => u32::MAX,
        }
    };
    let at = |(at, _)| at;
    let holes: Box<[u32]> = std::iter::zip(
        raw.match_indices("${{").map(at),
        text.match_indices("${{").map(at),
    )
    .map(place)
    .collect();
    if raw.matches("${{").count() == wanted {
        holes
    } else {
        Box::default()
    }
}

/// Where each `$` of `text` stands in the file; none where they are not as many there.
fn dollars(sources: &SourceMap, text: &str, span: Span) -> Box<[u32]> {
    if !text.contains('$') {
        return Box::default();
    }
    let places: Box<[u32]> = sources
        .text(span)
        .match_indices('$')
        .map(|(at, _)| span.start + at as u32)
        .collect();
    if places.len() == text.matches('$').count() {
        places
    } else {
        Box::default()
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl Decode for ValueDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        Some(match node.value {
            NodeValue::Null => Self::Null(node.span),
            NodeValue::Scalar(_) => Self::Text(Text::decode(node, cx)?),
            NodeValue::Seq(items) => {
                let items = items
                    .into_iter()
                    .filter_map(|item| Self::decode(item, cx))
                    .collect();
                Self::List(items, node.span)
            }
            NodeValue::Map(entries) => {
                let entry = |(key, value): Entry<'_>| {
                    let is_value = !cx.is_rest_of_a_text(&key, &value);
                    let value = is_value.then(|| Self::decode(value, cx))??;
                    Some((key.into_spanned(), value))
                };
                Self::Map(entries.into_iter().filter_map(entry).collect(), node.span)
            }
            NodeValue::Broken => return None,
        })
    }
}

impl JsonSchema for ValueDoc {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Text, a number, a boolean, null, a list or a map." })
    }
}

impl Decode for EnvDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        match node.value {
            NodeValue::Map(_) => {
                let span = node.span;
                let form = EnvForm::decode(node, cx)?;
                env_of(form, span, cx)
            }
            NodeValue::Null => {
                let help = format!("{ENV_FORMS}; empty text is `\"\"`");
                cx.wrong_type("text", &node, help);
                None
            }
            _ => Text::decode(node, cx).map(Self::Value),
        }
    }
}

/// The variable that the keys of `form` make.
fn env_of(form: EnvForm, span: Span, cx: &mut Cx<'_>) -> Option<EnvDoc> {
    let (from, default) = (bare(form.from), bare(form.default));
    match (from, default, form.unset) {
        (Some(from), default, None) => {
            if from.text != "caller" {
                let what = format!(
                    "a variable cannot come from `{}`",
                    super::traps::short(&from.text)
                );
                cx.value(
                    what,
                    from.span,
                    "the only word here is `caller`: `{ from: caller }`",
                );
                return None;
            }
            Some(EnvDoc::FromCaller { from, default })
        }
        (None, None, Some(unset)) if unset.value => Some(EnvDoc::Unset),
        (None, None, Some(unset)) => {
            cx.value("`unset: false` says nothing", unset.span, ENV_FORMS);
            None
        }
        (Some(_), _, Some(unset)) => {
            cx.value(
                "`from` and `unset` exclude each other",
                unset.span,
                ENV_FORMS,
            );
            None
        }
        (None, Some(default), _) => {
            let help = "write `{ from: caller, default: ... }`, or the value alone";
            cx.value("`default` without `from`", default.span, help);
            None
        }
        (None, None, None) => {
            cx.value("a variable without a value", span, ENV_FORMS);
            None
        }
    }
}

impl JsonSchema for EnvDoc {
    fn schema_name() -> Cow<'static, str> {
        "Env".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let map = generator.subschema_for::<EnvForm>();
        json_schema!({
            "description": "The value, `{ from: caller }` or `{ unset: true }`.",
            "anyOf": [text, map],
        })
    }
}

impl Decode for OutputDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            return Text::decode(node, cx).map(|path| Self {
                path,
                optional: false,
            });
        }
        let (span, errors) = (node.span, cx.errors.len());
        let form: OutputForm = decode_document(node, cx)?;
        let Some(path) = bare(form.path) else {
            if cx.errors.len() == errors {
                cx.value(
                    "an output without `path`",
                    span,
                    "write `{ path: x, optional: true }`",
                );
            }
            return None;
        };
        Some(Self {
            path,
            optional: bare(form.optional).unwrap_or(false),
        })
    }
}

impl JsonSchema for OutputDoc {
    fn schema_name() -> Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let map = generator.subschema_for::<OutputForm>();
        json_schema!({
            "description": "A path or glob, or `{ path: x, optional: true }`.",
            "anyOf": [text, map],
        })
    }
}

impl Decode for EnvFileDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            return Text::decode(node, cx).map(|path| Self {
                path,
                optional: false,
            });
        }
        let (span, errors) = (node.span, cx.errors.len());
        let form: EnvFileForm = decode_document(node, cx)?;
        let Some(path) = bare(form.path) else {
            if cx.errors.len() == errors {
                let help = "write `{ path: .env, optional: true }`";
                cx.value("an entry of `env_files` without `path`", span, help);
            }
            return None;
        };
        Some(Self {
            path,
            optional: bare(form.optional).unwrap_or(false),
        })
    }
}

impl JsonSchema for EnvFileDoc {
    fn schema_name() -> Cow<'static, str> {
        "EnvFile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let map = generator.subschema_for::<EnvFileForm>();
        json_schema!({
            "description": "The path of a dotenv file, or `{ path: x, optional: true }`.",
            "anyOf": [text, map],
        })
    }
}

impl Decode for TemplatesDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            let help = "write `templates: { go-worker: { steps: ... } }`".to_owned();
            cx.wrong_type("a map", &node, help);
        }
        Some(Self)
    }
}

impl JsonSchema for TemplatesDoc {
    fn schema_name() -> Cow<'static, str> {
        "Templates".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let template = json_schema!({
            "allOf": [{ "$ref": "#" }, { "properties": { "workspace": false } }]
        });
        json_schema!({ "type": "object", "additionalProperties": template })
    }
}

impl Decode for CacheDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            return Text::decode(node, cx).map(|mode| Self {
                mode: Some(mode),
                salt: None,
            });
        }
        let form: CacheForm = decode_document(node, cx)?;
        Some(Self {
            mode: bare(form.mode),
            salt: bare(form.salt),
        })
    }
}

impl JsonSchema for CacheDoc {
    fn schema_name() -> Cow<'static, str> {
        "Cache".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<CacheForm>();
        json_schema!({
            "description": "`shared`: results go to the store and come back from it. `local`: up \
                to date when nothing changed here, never stored. `off`: always runs.",
            "anyOf": [{ "enum": ["shared", "local", "off", true, false, "true", "false"] }, map],
        })
    }
}

/// A whole number that may be zero.
#[derive(Debug, Clone)]
struct Whole(u64);

impl Decode for Whole {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = node
            .plain()
            .filter(digits)
            .and_then(|text| text.parse().ok());
        if number.is_none() {
            cx.wrong_type(
                "a whole number",
                &node,
                "write digits alone, such as `2`".to_owned(),
            );
        }
        number.map(Self)
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}

impl Decode for RetriesDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            return Whole::decode(node, cx).map(|max| Self {
                max: max.0,
                ..Self::default()
            });
        }
        let (span, errors) = (node.span, cx.errors.len());
        let form: RetriesForm = decode_document(node, cx)?;
        let Some(max) = bare(form.max) else {
            if cx.errors.len() == errors {
                cx.value(
                    "`retries` without `max`",
                    span,
                    "write `{ max: 3, delay: 2s, backoff: 2 }`, or the number alone",
                );
            }
            return None;
        };
        Some(Self {
            max: max.0,
            delay: bare(form.delay),
            backoff: bare(form.backoff),
        })
    }
}

impl JsonSchema for RetriesDoc {
    fn schema_name() -> Cow<'static, str> {
        "Retries".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<Whole>();
        let map = generator.subschema_for::<RetriesForm>();
        json_schema!({
            "description": "How often a step that failed is tried again: `2` means up to three \
                attempts. Or `{ max, delay, backoff }`.",
            "anyOf": [number, map],
        })
    }
}

impl Decode for TargetDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            let steps = List::decode(node, cx)?.0;
            return Some(Self {
                steps,
                ..Self::default()
            });
        }
        let form: TargetForm = decode_document(node, cx)?;
        Some(Self {
            steps: bare(form.steps).unwrap_or_default().0,
            profile: bare(form.profile),
            description: bare(form.description),
        })
    }
}

impl JsonSchema for TargetDoc {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let map = generator.subschema_for::<TargetForm>();
        json_schema!({
            "description": "The name of another target, a list of references, or \
                `{ steps, profile, description }`.",
            "anyOf": [{ "type": "array", "items": text, "minItems": 1 }, text, map],
        })
    }
}

impl Decode for MatrixDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        let mut matrix = Self::default();
        let NodeValue::Map(entries) = node.value else {
            let help = match node.value {
                NodeValue::Seq(_) => shapes::map("matrix", &node),
                _ => "write `matrix: { os: [linux, darwin] }`".to_owned(),
            };
            cx.wrong_type("a map", &node, help);
            return None;
        };
        for (key, value) in entries {
            match &*key.text {
                "include" => matrix.include = combinations(value, cx),
                "exclude" => matrix.exclude = combinations(value, cx),
                _ => {
                    let axis = Decode::decode(value, cx);
                    matrix
                        .axes
                        .extend(axis.map(|axis| (key.into_spanned(), axis)));
                }
            }
        }
        Some(matrix)
    }
}

fn combinations(node: Node<'_>, cx: &mut Cx<'_>) -> Vec<Spanned<Map<ValueDoc>>> {
    List::decode(node, cx).unwrap_or_default().0
}

impl JsonSchema for MatrixDoc {
    fn schema_name() -> Cow<'static, str> {
        "Matrix".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let axis = generator.subschema_for::<AxisDoc>();
        let include = generator.subschema_for::<List<Map<ValueDoc>>>();
        let excluded =
            json_schema!({ "type": "object", "additionalProperties": axis_value(generator) });
        json_schema!({
            "description": "Axes by name; each combination of their values makes an instance.",
            "type": "object",
            "properties": {
                "include": include,
                "exclude": { "anyOf": [{ "type": "array", "items": excluded }, excluded] },
            },
            "additionalProperties": axis,
            "propertyNames": { "pattern": NAME },
        })
    }
}

/// One value of an axis: text, or a map with a name.
fn axis_value(generator: &mut SchemaGenerator) -> Schema {
    let text = generator.subschema_for::<Text>();
    json_schema!({ "anyOf": [text, { "type": "object", "required": ["name"] }] })
}

impl Decode for AxisDoc {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        if !matches!(node.value, NodeValue::Map(_)) {
            return List::decode(node, cx).map(|values| Self::Values(values.0));
        }
        let (span, errors) = (node.span, cx.errors.len());
        let form: GlobForm = decode_document(node, cx)?;
        let glob = bare(form.glob).map(Self::Glob);
        if glob.is_none() && cx.errors.len() == errors {
            cx.value(
                "an axis without values",
                span,
                "write a list, or `{ glob: \"src/*.c\" }`",
            );
        }
        glob
    }
}

impl JsonSchema for AxisDoc {
    fn schema_name() -> Cow<'static, str> {
        "Axis".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let glob = generator.subschema_for::<GlobForm>();
        let value = axis_value(generator);
        json_schema!({
            "description": "A list of values, or `{ glob: \"src/**/*.c\" }` for one value a file.",
            "anyOf": [{ "type": "array", "items": value, "minItems": 1 }, text, glob],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::StepDoc;
    use super::super::testing::{complaints, parse, parsed, source};
    use super::*;

    fn step(keys: &str) -> StepDoc {
        let parsed = parsed(&format!(
            "steps:\n  x-a: {{ run: [], bad: 1 }}\n  a: {keys}\n"
        ));
        assert!(parsed.whole, "{keys}: {:?}", parsed.errors);
        let mut steps = parsed.document.steps.expect("steps").value.0;
        assert_eq!(steps.len(), 1);
        steps.remove(0).1.value
    }

    fn texts(list: &[Text]) -> Vec<&str> {
        list.iter().map(|text| text.text.as_str()).collect()
    }

    #[test]
    fn one_text_stands_for_a_list() {
        let step = step("{ run: 1.10, needs: [b, no], sources: [], if: true, x-note: [] }");
        assert_eq!(texts(&step.run.expect("run").value.0), ["1.10"]);
        assert_eq!(texts(&step.needs.expect("needs").value.0), ["b", "no"]);
        assert!(step.sources.expect("given").value.0.is_empty());
        assert!(step.condition.expect("if").value.plain);
    }

    #[test]
    fn holes_are_found_in_the_file() {
        let text = "name: 'é ${{ a }}'\ndescription: |\n  x\n  $${{ b }} ${{ c }}\ndir: \"\\x24{{ d }}\"\n";
        let map = source(text);
        let document = parse(&map).document;
        let name = document.name.expect("name").value;
        assert_eq!(map.text(name.hole_span(0, 4, 1)), "a");
        assert_eq!(map.text(name.hole_span(1, 0, 1)), "'é ${{ a }}'");
        assert_eq!(map.text(name.hole_span(0, 4, 100)), "'é ${{ a }}'");
        let block = document.description.expect("description").value;
        assert_eq!(block.holes.len(), 2);
        assert_eq!(map.text(block.hole_span(1, 4, 1)), "c");
        let escaped = document.dir.expect("dir").value;
        assert!(escaped.text.contains("${{") && escaped.holes.is_empty());
    }

    #[test]
    fn variables() {
        let step = step("{ env: { A: 1, B: { from: caller, default: x }, C: { unset: true } } }");
        let env = step.env.expect("env").value.0;
        assert!(matches!(&env[0].1.value, EnvDoc::Value(text) if text.text == "1"));
        assert!(
            matches!(&env[1].1.value, EnvDoc::FromCaller { default: Some(text), .. } if text.text == "x")
        );
        assert_eq!(env[2].1.value, EnvDoc::Unset);
        for form in [
            "{}",
            "{ from: x }",
            "{ unset: false }",
            "{ default: x }",
            "{ from: caller, unset: true }",
        ] {
            assert_eq!(
                complaints(&format!("env: {{ A: {form} }}\n")).len(),
                1,
                "{form}"
            );
        }
    }

    #[test]
    fn outputs_and_cache() {
        let step = step("{ outputs: [a, { path: b, optional: true }], cache: { salt: 2 } }");
        let outputs = step.outputs.expect("outputs").value.0;
        let outputs: Vec<_> = outputs
            .iter()
            .map(|out| (out.path.text.as_str(), out.optional))
            .collect();
        assert_eq!(outputs, [("a", false), ("b", true)]);
        assert_eq!(
            step.cache.expect("cache").value.salt.expect("salt").text,
            "2"
        );
        assert_eq!(
            complaints("steps: {a: {outputs: {optional: true}}}\n").len(),
            1
        );
    }

    #[test]
    fn matrix() {
        let step = step(
            "{ matrix: { os: [a, { name: b }], src: { glob: '*.c' }, one: x, exclude: { os: a } } }",
        );
        let matrix = step.matrix.expect("matrix").value;
        let names: Vec<_> = matrix
            .axes
            .iter()
            .map(|(name, _)| name.value.as_str())
            .collect();
        assert_eq!(names, ["os", "src", "one"]);
        assert!(matches!(&matrix.axes[0].1.value, AxisDoc::Values(values) if values.len() == 2));
        assert!(matches!(&matrix.axes[1].1.value, AxisDoc::Glob(glob) if glob.text == "*.c"));
        assert_eq!(matrix.exclude[0].value.0[0].0.value, "os");
        let wrong = complaints("steps: {a: {matrix: {x: {globs: a}}}}\n");
        assert!(wrong[0].contains("did you mean `glob`?"), "{wrong:?}");
    }

    #[test]
    fn targets() {
        let parsed = parsed(
            "targets:\n  default: dev\n  dev: [a, b]\n  prod: { steps: c, profile: prod }\n",
        );
        let targets = parsed.document.targets.expect("targets").value.0;
        let steps: Vec<_> = targets
            .iter()
            .map(|(_, target)| texts(&target.value.steps))
            .collect();
        assert_eq!(steps, [vec!["dev"], vec!["a", "b"], vec!["c"]]);
        assert_eq!(
            targets[2].1.value.profile.as_ref().expect("profile").text,
            "prod"
        );
    }

    #[test]
    fn numbers_and_booleans_are_strict() {
        let cases = [
            ("workspace: { jobs: 0 }", "found `0`"),
            ("workspace: { jobs: '4' }", "write `4`"),
            ("workspace: { jobs: 1_0 }", "write `10`"),
            (
                "workspace: { keep_going: yes }",
                "write `true`, without quotes",
            ),
        ];
        for (text, expected) in cases {
            let complaints = complaints(text);
            assert!(complaints[0].contains(expected), "{complaints:?}");
        }
        assert!(parsed("workspace:\n").document.workspace.is_some());
    }
}
