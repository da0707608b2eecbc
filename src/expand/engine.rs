//! The expression language: minijinja's expressions with our filters. The only file that names
//! its environment; it knows no pipeline.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::limits::{self, MAX_VALUE};
use super::template::Late;
use super::uses::{Use, uses};
use super::value::{Val, path_value};
use crate::path::RelPath;

/// Steps of evaluation after which an expression is given up.
const FUEL: u64 = 100_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// All filters.
pub(super) const FILTERS: [&str; 17] = [
    "default", "replace", "lower", "upper", "sort", "first", "last", "length", "split", "join",
    "json", "quote", "basename", "dirname", "stem", "ext", "with_ext",
];

/// All tests, which stand behind `is`.
pub(super) const TESTS: [&str; 4] = ["defined", "in", "startingwith", "endingwith"];

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

/// The value of `expression`, in which each of `uses` has the value that `value_of` gives; a name
/// without one is undefined.
pub(super) fn evaluate(
    expression: &str,
    uses: &[Use],
    mut value_of: impl FnMut(&Use) -> Option<Value>,
) -> Result<Value, Fault> {
    if let [whole] = uses
        && whole.range == (0..expression.len())
    {
        return value_of(whole).ok_or_else(no_value);
    }
    let (text, shifts) = renamed(expression, uses);
    let values = uses.iter().enumerate();
    let context: BTreeMap<String, Value> = values
        .filter_map(|(at, one)| Some((own(at), value_of(one)?)))
        .collect();
    let is_number = |name: &str| {
        let value: Option<&Value> = context.get(name);
        value.is_some_and(|value| value.kind() == ValueKind::Number)
    };
    limits::check_products(&text, is_number).map_err(|message| Fault {
        message,
        help: Some("texts are joined with `~`, lists written out".to_owned()),
        is_syntax: false,
        range: None,
    })?;
    let value = ENGINE
        .compile_expression(&text)
        .and_then(|compiled| compiled.eval(context))
        .map_err(|error| fault(&error, expression, &shifts))?;
    match value.is_undefined() {
        true => Err(no_value()),
        false => Ok(value),
    }
}

/// Whether `expression` is one, whatever the values.
pub(super) fn read(expression: &str, uses: &[Use]) -> Result<(), Fault> {
    let (text, shifts) = renamed(expression, uses);
    match ENGINE.compile_expression(&text) {
        Ok(_) => Ok(()),
        Err(error) => Err(fault(&error, expression, &shifts)),
    }
}

/// Where a name of the engine's text stands there, and where ours stands.
type Shift = (Range<usize>, Range<usize>);

/// The expression as the engine gets it. Names are names of its own there: ours may have hyphens, and
/// one that is used twice may be text here and a number there.
fn renamed(expression: &str, uses: &[Use]) -> (String, Vec<Shift>) {
    let mut text = String::with_capacity(expression.len());
    let mut shifts = Vec::with_capacity(uses.len());
    let mut end = 0;
    for (at, one) in uses.iter().enumerate() {
        text.push_str(&expression[end..one.range.start]);
        let start = text.len();
        text.push_str(&own(at));
        end = one.range.end;
        shifts.push((start..text.len(), one.range.clone()));
    }
    text.push_str(&expression[end..]);
    (text, shifts)
}

fn own(at: usize) -> String {
    format!("_{at}")
}

/// The help where a value is missing.
const DEFAULT: &str = "`x | default('...')` gives one where there is none";

fn no_value() -> Fault {
    Fault {
        message: "it has no value".to_owned(),
        help: Some(DEFAULT.to_owned()),
        is_syntax: false,
        range: None,
    }
}

/// The value of an expression at a step's turn. `early` has the values of all names that were known
/// before, as the expression spells them.
pub(super) fn evaluate_late(
    expression: &str,
    early: &BTreeMap<String, Val>,
    late: &Late,
) -> Result<Value, String> {
    let declared = |root: &str, name: &str| match root {
        "needs" => late.needs.contains_key(name),
        root => early.contains_key(&format!("{root}.{name}")),
    };
    let uses = uses(expression, &declared).map_err(|fault| fault.message)?;
    let value_of = |one: &Use| match early.get(&one.name()) {
        Some(value) => Some(value.to_engine(&late.dir, one.role)),
        None => late_value(one, late),
    };
    evaluate(expression, &uses, value_of).map_err(|fault| fault.message)
}

/// The value of a late name.
fn late_value(one: &Use, late: &Late) -> Option<Value> {
    match (one.root(), one.member()) {
        ("sources", _) => Some(paths(&late.sources, late)),
        // A need without instances made nothing.
        ("needs", Some(name)) => match late.needs.get(name) {
            None if one.defaulted => None,
            made => Some(paths(made.map_or(&[][..], Vec::as_slice), late)),
        },
        ("stamp", Some(name)) => Some(Value::from(late.stamps.get(name)?.as_str())),
        ("jobs", _) => Some(jobs(late)),
        _ => None,
    }
}

/// The paths that an expression stands for that is a late name and nothing else.
pub(super) fn late_paths<'l>(expression: &str, late: &'l Late) -> Option<&'l [RelPath]> {
    if expression == "sources" {
        return Some(&late.sources);
    }
    let name = expression.strip_prefix("needs")?.strip_suffix(".outputs")?;
    let bracketed = |quote: &str| {
        name.strip_prefix(&format!("[{quote}"))?
            .strip_suffix(&format!("{quote}]"))
    };
    let name = name
        .strip_prefix('.')
        .or_else(|| bracketed("\""))
        .or_else(|| bracketed("'"))?;
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

/// What the engine says, in our words and with places of the expression as it was written.
fn fault(error: &Error, expression: &str, shifts: &[Shift]) -> Fault {
    let detail = error.detail().unwrap_or_default();
    let (message, help) = match error.kind() {
        ErrorKind::UndefinedError => ("it uses a value that is not there".to_owned(), Some(DEFAULT.to_owned())),
        ErrorKind::OutOfFuel => ("it takes too long to evaluate".to_owned(), Some("let the script do it".to_owned())),
        ErrorKind::SyntaxError => (
            format!("this is no expression: {detail}"),
            Some("names and text in quotes, `==`, `and`, `or`, `not`, `~` to join, `a if b else c`, `x | filter`".to_owned()),
        ),
        kind => {
            let what = if detail.is_empty() { kind.to_string() } else { detail.to_owned() };
            (format!("`{}` cannot be worked out: {what}", expression.trim()), Some(remedy(&what).to_owned()))
        }
    };
    let range = error
        .range()
        .map(|range| written(range.start, shifts, false)..written(range.end, shifts, true));
    Fault {
        message,
        help,
        is_syntax: error.kind() == ErrorKind::SyntaxError,
        range: range.filter(|range| range.start <= range.end),
    }
}

/// What helps where the engine cannot go on.
fn remedy(what: &str) -> &'static str {
    if what.starts_with("unable to calculate") {
        "nothing is divided by 0, and numbers have limits"
    } else if what.contains("unsupported types") {
        "`+`, `-`, `*` and `/` are for numbers; texts are joined with `~`"
    } else if what.contains("argument") {
        "a filter's arguments stand in parentheses: `x | replace('a', 'b')`"
    } else {
        "look at the values that it is given"
    }
}

/// Where `at` of the engine's text is in the expression as it was written.
fn written(at: usize, shifts: &[Shift], is_end: bool) -> usize {
    let begun =
        |(own, _): &&(Range<usize>, Range<usize>)| own.start < at || own.start == at && !is_end;
    match shifts.iter().rfind(begun) {
        None => at,
        Some((own, ours)) if at < own.end => {
            if is_end {
                ours.end
            } else {
                ours.start
            }
        }
        Some((own, ours)) => ours.end + (at - own.end),
    }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_debug(true);
    env.set_fuel(Some(FUEL));
    env.add_filter("default", minijinja::filters::default);
    env.add_filter("replace", replace);
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
    let separator = separator.unwrap_or_default();
    let mut text = String::new();
    for (index, item) in list.try_iter()?.enumerate() {
        if index > 0 {
            text.push_str(&separator);
        }
        text.push_str(&item.to_string());
        bounded(text.len())?;
    }
    Ok(text)
}

fn json(value: Value, _: Rest<Value>, _: Kwargs) -> Result<String, Error> {
    let text = serde_json::to_string(&value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    bounded(text.len())?;
    Ok(text)
}

fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let grown = text.matches(from.as_str()).count().saturating_mul(to.len());
    bounded(text.len().saturating_add(grown))?;
    Ok(text.replace(&from, &to))
}

/// What a filter gives is no larger than a value may be.
fn bounded(bytes: usize) -> Result<(), Error> {
    match bytes <= MAX_VALUE {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidOperation, limits::too_large())),
    }
}

/// One shell word; a list gives its elements as words.
fn quote(value: Value) -> Result<String, Error> {
    let word = |item: &Value| super::quote::posix_word(&item.to_string());
    let text = match value.kind() {
        ValueKind::Seq => value
            .try_iter()?
            .map(|item| word(&item))
            .collect::<Vec<_>>()
            .join(" "),
        _ => word(&value),
    };
    bounded(text.len())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(expression: &str) -> String {
        let value_of = |one: &Use| match one.root() {
            "p" => Some(Value::from_safe_string("x/a.tar.gz".to_owned())),
            "list" => Some(Value::from(vec!["b", "a b"])),
            "t" => Some(Value::from("it's")),
            _ => None,
        };
        let value =
            uses(expression, &|_, _| false).and_then(|uses| evaluate(expression, &uses, value_of));
        match value {
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
    fn mistakes_have_places_in_the_text_as_written() {
        for (expression, want) in [
            ("list / t", "list / t"),
            ("t ~ (list / t)", "list / t"),
            ("t + t + (list | join)", ""),
            ("list.x.y + + ", "+"),
        ] {
            let uses = uses(expression, &|_, _| false).expect("reads");
            let value_of = |_: &Use| Some(Value::from("x"));
            let range = evaluate(expression, &uses, value_of)
                .err()
                .and_then(|fault| fault.range);
            assert_eq!(
                range.map_or("", |range| &expression[range]),
                want,
                "{expression}"
            );
        }
    }
}
