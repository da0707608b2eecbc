//! The expression language: minijinja's expressions with our filters. The only file that names
//! its environment; it knows no pipeline.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::template::Late;
use super::value::{Val, map_value, path_value};
use crate::path::RelPath;
use crate::suggest::did_you_mean;

/// Steps of evaluation after which an expression is given up.
const FUEL: u64 = 100_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// All filters.
const FILTERS: [&str; 17] = [
    "default", "replace", "lower", "upper", "sort", "first", "last", "length", "split", "join",
    "json", "quote", "basename", "dirname", "stem", "ext", "with_ext",
];

/// What is wrong with an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// In words.
    pub(super) message: String,
    /// What could be done.
    pub(super) help: Option<String>,
    /// Whether it is no expression at all.
    pub(super) is_syntax: bool,
    /// Where in the expression's text.
    pub(super) range: Option<Range<usize>>,
}

/// Whether an expression is nothing but a dotted name: most are, and these need no engine.
pub(super) fn is_plain(expression: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_word = matches!(expression, "true" | "false" | "none" | "not");
    !is_word && expression.split('.').all(is_name)
}

/// The names that `expression` reads, as dotted paths (`matrix.os`).
pub(super) fn names(expression: &str) -> Result<Vec<Cow<'_, str>>, Fault> {
    if is_plain(expression) {
        return Ok(vec![Cow::Borrowed(expression)]);
    }
    let compiled = ENGINE
        .compile_expression(expression)
        .map_err(|error| fault(&error))?;
    let names = compiled.undeclared_variables(true);
    let mut names: Vec<Cow<'_, str>> = names.into_iter().map(Cow::Owned).collect();
    names.sort_unstable();
    Ok(names)
}

/// The first parts of these names.
pub(super) fn roots(expression: &str) -> HashSet<String> {
    let root = |name: Cow<'_, str>| name.split('.').next().unwrap_or_default().to_owned();
    names(expression)
        .unwrap_or_default()
        .into_iter()
        .map(root)
        .collect()
}

/// The value of `expression` where names have the values of `context`.
pub(super) fn evaluate(
    expression: &str,
    context: &BTreeMap<String, Value>,
) -> Result<Value, Fault> {
    let compiled = ENGINE
        .compile_expression(expression)
        .map_err(|error| fault(&error))?;
    let value = compiled.eval(context).map_err(|error| fault(&error))?;
    if value.is_undefined() {
        return Err(Fault {
            message: "it has no value".to_owned(),
            help: None,
            is_syntax: false,
            range: None,
        });
    }
    Ok(value)
}

/// The value of an expression at a step's turn.
pub(super) fn evaluate_late(
    expression: &str,
    early: &BTreeMap<String, Val>,
    late: &Late,
) -> Result<Value, String> {
    if let Some(value) = late_name(expression, late) {
        return Ok(value);
    }
    let mut context: BTreeMap<String, Value> = early
        .iter()
        .map(|(name, value)| (name.clone(), value.to_engine(&late.dir)))
        .collect();
    context.insert("sources".to_owned(), paths(&late.sources, late));
    let needs = late.needs.iter().map(|(name, outputs)| {
        (
            name.clone(),
            map_value([("outputs".to_owned(), paths(outputs, late))].into_iter()),
        )
    });
    context.insert("needs".to_owned(), map_value(needs));
    let stamps = late
        .stamps
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    context.insert("stamp".to_owned(), map_value(stamps));
    context.insert("jobs".to_owned(), jobs(late));
    evaluate(expression, &context).map_err(|fault| fault.message)
}

/// The value of a dotted late name.
fn late_name(expression: &str, late: &Late) -> Option<Value> {
    if let Some(list) = late_paths(expression, late) {
        return Some(paths(list, late));
    }
    match expression.split_once('.') {
        Some(("stamp", name)) => late
            .stamps
            .get(name)
            .map(|value| Value::from(value.as_str())),
        None if expression == "jobs" => Some(jobs(late)),
        _ => None,
    }
}

/// Whether an expression is a late name that stands for a list.
pub(super) fn is_late_list(expression: &str) -> bool {
    let is_need = |rest: &str| {
        rest.strip_suffix(".outputs")
            .is_some_and(|name| !name.contains('.'))
    };
    expression == "sources" || expression.strip_prefix("needs.").is_some_and(is_need)
}

/// The paths that a dotted late name stands for.
pub(super) fn late_paths<'l>(expression: &str, late: &'l Late) -> Option<&'l [RelPath]> {
    if expression == "sources" {
        return Some(&late.sources);
    }
    let name = expression
        .strip_prefix("needs.")?
        .strip_suffix(".outputs")?;
    late.needs.get(name).map(Vec::as_slice)
}

fn paths(paths: &[RelPath], late: &Late) -> Value {
    paths
        .iter()
        .map(|path| path_value(path, &late.dir))
        .collect()
}

/// A number, or the placeholder of a key.
fn jobs(late: &Late) -> Value {
    late.jobs
        .parse::<i64>()
        .map_or_else(|_| Value::from(late.jobs.as_str()), Value::from)
}

fn fault(error: &Error) -> Fault {
    let detail = error.detail().unwrap_or_default();
    // The engine says `filter NAME is unknown`.
    let named = || detail.split(' ').nth(1).unwrap_or_default();
    let (message, help) = match error.kind() {
        ErrorKind::UnknownFilter => {
            (format!("there is no filter `{}`", named()), Some(did_you_mean(named(), FILTERS)))
        }
        ErrorKind::UnknownTest => (format!("there is no test `{}`", named()), None),
        ErrorKind::UndefinedError => ("it uses a value that is not there".to_owned(), None),
        ErrorKind::OutOfFuel => ("it takes too long to evaluate".to_owned(), None),
        ErrorKind::SyntaxError => (
            format!("this is no expression: {detail}"),
            Some("names and text in quotes, `==`, `and`, `or`, `not`, `~` to join, `a if b else c`, `x | filter`".to_owned()),
        ),
        kind if detail.is_empty() => (kind.to_string(), None),
        _ => (detail.to_owned(), None),
    };
    Fault {
        message,
        help,
        is_syntax: error.kind() == ErrorKind::SyntaxError,
        range: error.range(),
    }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_debug(true);
    env.set_fuel(Some(FUEL));
    env.add_filter("default", minijinja::filters::default);
    env.add_filter("replace", minijinja::filters::replace);
    env.add_filter("lower", minijinja::filters::lower);
    env.add_filter("upper", minijinja::filters::upper);
    env.add_filter("sort", minijinja::filters::sort);
    env.add_filter("first", minijinja::filters::first);
    env.add_filter("last", minijinja::filters::last);
    env.add_filter("length", minijinja::filters::length);
    env.add_filter("split", split);
    env.add_filter("join", join);
    env.add_filter("json", json);
    env.add_filter("quote", quote);
    env.add_filter("basename", |path: Value| {
        on_path(&path, |text| basename(text).to_owned())
    });
    env.add_filter("dirname", |path: Value| on_path(&path, dirname));
    env.add_filter("stem", |path: String| stem(&path).to_owned());
    env.add_filter("ext", |path: String| extension(&path).to_owned());
    env.add_filter("with_ext", with_ext);
    env.add_test("defined", minijinja::tests::is_defined);
    env.add_test("in", minijinja::tests::is_in);
    env.add_test("startingwith", minijinja::tests::is_startingwith);
    env.add_test("endingwith", minijinja::tests::is_endingwith);
    env
}

/// Text made of a path's text: a path again if it was one.
fn on_path(path: &Value, change: impl Fn(&str) -> String) -> Value {
    let text = change(&path.to_string());
    if path.is_safe() {
        Value::from_safe_string(text)
    } else {
        Value::from(text)
    }
}

fn basename(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

fn dirname(path: &str) -> String {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((dir, _)) => dir.to_owned(),
        None => ".".to_owned(),
    }
}

/// The last name without its last extension; a leading dot begins no extension.
fn stem(path: &str) -> &str {
    let name = basename(path);
    match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    }
}

fn extension(path: &str) -> &str {
    let name = basename(path);
    name[stem(path).len()..].trim_start_matches('.')
}

fn with_ext(path: Value, extension: String) -> Value {
    on_path(&path, |text| {
        let kept = text.len() - (basename(text).len() - stem(text).len());
        match extension.trim_start_matches('.') {
            "" => text[..kept].to_owned(),
            extension => format!("{}.{extension}", &text[..kept]),
        }
    })
}

fn split(text: String, separator: Option<String>) -> Vec<String> {
    match separator {
        Some(separator) => text.split(separator.as_str()).map(str::to_owned).collect(),
        None => text.split_whitespace().map(str::to_owned).collect(),
    }
}

fn join(list: Value, separator: Option<String>) -> Result<String, Error> {
    let items: Vec<String> = list.try_iter()?.map(|item| item.to_string()).collect();
    Ok(items.join(separator.as_deref().unwrap_or_default()))
}

fn json(value: Value, _: Rest<Value>, _: Kwargs) -> Result<String, Error> {
    serde_json::to_string(&value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// One shell word; a list gives its elements as words.
fn quote(value: Value) -> Result<String, Error> {
    let word = |item: &Value| super::quote::posix_word(&item.to_string());
    match value.kind() {
        minijinja::value::ValueKind::Seq => Ok(value
            .try_iter()?
            .map(|item| word(&item))
            .collect::<Vec<_>>()
            .join(" ")),
        _ => Ok(word(&value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(expression: &str) -> String {
        let context = BTreeMap::from([
            (
                "p".to_owned(),
                Value::from_safe_string("x/a.tar.gz".to_owned()),
            ),
            ("list".to_owned(), Value::from(vec!["b", "a b"])),
            ("t".to_owned(), Value::from("it's")),
        ]);
        match evaluate(expression, &context) {
            Ok(value) => format!("{}{value}", if value.is_safe() { "path " } else { "" }),
            Err(fault) => format!("error: {}", fault.message),
        }
    }

    #[test]
    fn filters() {
        for (expression, want) in [
            ("p | stem", "a.tar"),
            ("p | ext", "gz"),
            ("p | with_ext('o')", "path x/a.tar.o"),
            ("p | with_ext('.o') | basename", "path a.tar.o"),
            ("p | dirname", "path x"),
            ("'a' | dirname", "."),
            ("'.bashrc' | stem", ".bashrc"),
            ("'.bashrc' | ext", ""),
            ("[p] | first", "path x/a.tar.gz"),
            ("list | join(',')", "b,a b"),
            ("list | sort | first", "a b"),
            ("list | quote", "b 'a b'"),
            ("t | quote", r"'it'\''s'"),
            ("'a,b' | split(',') | last", "b"),
            ("list | json", r#"["b","a b"]"#),
            ("p | replace('x', 'y')", "y/a.tar.gz"),
            ("'A' | lower ~ ('b' | upper)", "aB"),
            ("nope | default('d')", "d"),
            ("'yes' if t == \"it's\" else 'no'", "yes"),
        ] {
            assert_eq!(eval(expression), want, "{expression}");
        }
    }

    #[test]
    fn nothing_runs_away() {
        for expression in [
            "nope",
            "nope.x",
            "range(10)",
            "1 / 0",
            "p |",
            "p | nope",
            "'a' * 10000000000",
        ] {
            assert!(
                eval(expression).starts_with("error: "),
                "{expression}: {}",
                eval(expression)
            );
        }
    }

    #[test]
    fn names_are_dotted() {
        assert_eq!(
            names("vars.a ~ (matrix.os.x | default(vars.b))"),
            Ok(vec!["matrix.os.x".into(), "vars.a".into(), "vars.b".into()])
        );
    }
}
