//! Which names an expression uses, and where: `vars.x`, `matrix.go-version`,
//! `needs["api:build"].outputs`.

use std::borrow::Cow;
use std::ops::Range;

use super::engine::{FILTERS, Fault, TESTS};
use super::flow::carries;
use super::limits::check_size;
use super::scope::Typed;
use super::tokens::{Kind, Token, tokens};
use crate::suggest::did_you_mean;

/// Words of the language itself.
const KEYWORDS: [&str; 12] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False",
];

/// One use of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Use<'e> {
    /// `["matrix", "platform", "goos"]`.
    pub(super) parts: Vec<Cow<'e, str>>,
    /// Where it stands in the expression.
    pub(super) range: Range<usize>,
    /// `| default` follows: it need not be defined.
    pub(super) defaulted: bool,
    /// What stands beside it.
    pub(super) role: Role,
    /// Nothing of its text can get into the value: it is only compared, counted or a condition.
    pub(super) is_compared: bool,
}

/// How a number is taken that prints otherwise than it counts (`1.10`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// As written: what is beside it asks for no number.
    Free,
    /// As a number: it is compared or calculated with.
    Number,
    /// As text, which it is compared with.
    Text,
}

impl Use<'_> {
    pub(super) fn root(&self) -> &str {
        &self.parts[0]
    }

    pub(super) fn member(&self) -> Option<&str> {
        self.parts.get(1).map(Cow::as_ref)
    }

    /// What an expression that uses it has of what the command line set of it.
    pub(super) fn typed(&self, typed: Typed) -> Typed {
        match self.is_compared {
            true => Typed::Nothing,
            false => typed,
        }
    }

    /// The name as it is written: with dots where it can be.
    pub(super) fn name(&self) -> String {
        let mut name = self.parts[0].to_string();
        for part in &self.parts[1..] {
            match part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
            {
                true => name.extend([".", part]),
                false => name.push_str(&format!("[\"{part}\"]")),
            }
        }
        name
    }
}

/// Whether an expression is nothing but a dotted name: most are, and these need no engine.
fn is_plain(expression: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    expression.split('.').all(is_name) && !KEYWORDS.contains(&expression)
}

/// The uses of names in `expression`, in order. `declared` tells whether a name with hyphens is one.
///
/// # Errors
///
/// A filter, test or function that does not exist.
pub(super) fn uses<'e>(
    expression: &'e str,
    declared: &dyn Fn(&str, &str) -> bool,
) -> Result<Vec<Use<'e>>, Fault> {
    if is_plain(expression) {
        return Ok(vec![Use {
            parts: expression.split('.').map(Cow::Borrowed).collect(),
            range: 0..expression.len(),
            defaulted: false,
            role: Role::Free,
            is_compared: false,
        }]);
    }
    check_size(expression).map_err(|message| Fault {
        message,
        help: Some("split it up with variables: `vars.x`".to_owned()),
        is_syntax: true,
        range: None,
    })?;
    let tokens = tokens(expression);
    let mut uses = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        refuse_sign(&tokens[at], tokens.get(at + 1))?;
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        if tokens[at].kind != Kind::Word || before.is_some_and(|token| token.is_sign(".")) {
            at += 1;
        } else if before.is_some_and(|token| token.is_sign("|")) {
            check_word(&tokens[at], "filter", &FILTERS)?;
            at += 1;
        } else if follows_is(&tokens[..at]) && tokens[at].text != "not" {
            check_word(&tokens[at], "test", &TESTS)?;
            at += 1;
        } else if KEYWORDS.contains(&tokens[at].text) || is_argument(&tokens, at) {
            at += 1;
        } else {
            let (parts, end) = path(expression, &tokens, at, declared);
            refuse_call(&parts, &tokens, at, end)?;
            uses.push(Use {
                parts,
                range: tokens[at].at..tokens[end - 1].range().end,
                defaulted: is_defaulted(&tokens[end..]),
                role: role(&tokens, at, end),
                is_compared: !carries(&tokens, at, end),
            });
            at = end;
        }
    }
    Ok(uses)
}

/// The first parts of the names in an expression that could be read before.
pub(super) fn roots(expression: &str) -> impl Iterator<Item = String> {
    let uses = uses(expression, &|_, _| false).unwrap_or_default();
    uses.into_iter().map(|one| one.parts[0].to_string())
}

/// Signs of other languages.
fn refuse_sign(token: &Token, next: Option<&Token>) -> Result<(), Fault> {
    let twice = next.is_some_and(|next| next.is_sign(token.text) && next.at == token.at + 1);
    let help = match token.text {
        "$" if token.kind == Kind::Sign => "variables of the shell stand outside of `${{ }}`",
        "&" => "write `and`",
        "|" if twice => "write `or`, or `x | default('...')` for what may be missing",
        "!" => "write `not`",
        _ => return Ok(()),
    };
    Err(Fault {
        message: format!("this is no expression: unexpected `{}`", token.text),
        help: Some(help.to_owned()),
        is_syntax: true,
        range: Some(token.range()),
    })
}

fn check_word(token: &Token, what: &str, known: &[&str]) -> Result<(), Fault> {
    if known.contains(&token.text) {
        return Ok(());
    }
    Err(Fault {
        message: format!("there is no {what} `{}`", token.text),
        help: Some(did_you_mean(token.text, known.iter().copied())),
        is_syntax: false,
        range: Some(token.range()),
    })
}

fn follows_is(before: &[Token]) -> bool {
    match before {
        [.., is, not] if not.text == "not" => is.text == "is",
        [.., is] => is.text == "is",
        [] => false,
    }
}

/// `name=` in the parentheses of a filter.
fn is_argument(tokens: &[Token], at: usize) -> bool {
    let opens = |token: &Token| token.is_sign("(") || token.is_sign(",");
    at > 0 && opens(&tokens[at - 1]) && tokens.get(at + 1).is_some_and(|next| next.is_sign("="))
}

/// The parts of the name that begins at `at`, and the token after it.
fn path<'e>(
    expression: &'e str,
    tokens: &[Token<'e>],
    at: usize,
    declared: &dyn Fn(&str, &str) -> bool,
) -> (Vec<Cow<'e, str>>, usize) {
    let mut parts = vec![Cow::Borrowed(tokens[at].text)];
    let mut end = at + 1;
    loop {
        match &tokens[end..] {
            [dot, word, ..] if dot.is_sign(".") && word.kind == Kind::Word => {
                let more = match parts.len() {
                    1 => hyphens(expression, tokens, end + 1, &|name| {
                        declared(&parts[0], name)
                    }),
                    _ => 1,
                };
                let last = tokens[end + more].range().end;
                parts.push(Cow::Borrowed(&expression[word.at..last]));
                end += 1 + more;
            }
            [open, text, close, ..] if open.is_sign("[") && close.is_sign("]") => {
                let Some(name) = text.quoted() else { break };
                parts.push(Cow::Owned(name.to_owned()));
                end += 3;
            }
            _ => break,
        }
    }
    (parts, end)
}

/// How many tokens from `at` are one name: `go-version` is a name where it is declared, or where
/// `go` is not, and otherwise a difference.
fn hyphens(
    expression: &str,
    tokens: &[Token],
    at: usize,
    declared: &dyn Fn(&str) -> bool,
) -> usize {
    let adjacent = |pair: &[Token]| pair[0].range().end == pair[1].at;
    let joins =
        |token: &Token| token.is_sign("-") || matches!(token.kind, Kind::Word | Kind::Number);
    let mut longest = 1;
    while tokens[at..].len() > longest
        && adjacent(&tokens[at + longest - 1..=at + longest])
        && joins(&tokens[at + longest])
    {
        longest += 1;
    }
    let name = |count: usize| &expression[tokens[at].at..tokens[at + count - 1].range().end];
    let found = (1..=longest).rev().find(|count| declared(name(*count)));
    found.unwrap_or(match tokens[at + longest - 1].is_sign("-") {
        true => 1,
        false => longest,
    })
}

/// There are no functions and no methods.
fn refuse_call(parts: &[Cow<str>], tokens: &[Token], at: usize, end: usize) -> Result<(), Fault> {
    if !tokens.get(end).is_some_and(|next| next.is_sign("(")) {
        return Ok(());
    }
    let name = &*parts[parts.len() - 1];
    let help = match FILTERS.contains(&name) {
        true => format!("it is a filter, and is written behind the value: `x | {name}`"),
        false => format!(
            "values go through filters, `x | filter`: {}",
            did_you_mean(name, FILTERS)
        ),
    };
    Err(Fault {
        message: format!("there is no function `{name}`"),
        help: Some(help),
        is_syntax: false,
        range: Some(tokens[at].at..tokens[end - 1].range().end),
    })
}

fn is_defaulted(after: &[Token]) -> bool {
    matches!(after, [bar, filter, ..] if bar.is_sign("|") && filter.text == "default")
}

/// What the tokens on both sides of `at..end` make of a value between them.
fn role(tokens: &[Token], at: usize, end: usize) -> Role {
    let (before, after) = (&tokens[..at], &tokens[end..]);
    let beside_text = match (before, after) {
        ([.., text, sign], _) if compares(sign) && text.kind == Kind::Quoted => true,
        (_, [sign, text, ..]) if compares(sign) && text.kind == Kind::Quoted => true,
        (_, [word, open, text, ..]) if word.text == "in" && open.is_sign("[") => {
            text.kind == Kind::Quoted
        }
        (_, [not, word, open, text, ..]) if not.text == "not" && word.text == "in" => {
            open.is_sign("[") && text.kind == Kind::Quoted
        }
        _ => false,
    };
    let counts = |token: Option<&Token>| {
        token.is_some_and(|token| {
            compares(token) || token.kind == Kind::Sign && "+-*///%**".contains(token.text)
        })
    };
    match beside_text {
        true => Role::Text,
        false if counts(before.last()) || counts(after.first()) => Role::Number,
        false => Role::Free,
    }
}

/// Whether the value of `expression` is what the filter `quote` gives, as it gives it.
pub(super) fn is_quoted(expression: &str, uses: &[Use]) -> bool {
    let tokens = tokens(expression);
    let [quoted @ .., bar, filter] = tokens.as_slice() else {
        return false;
    };
    let mut depth = 0_usize;
    // Every operator binds looser than a filter: what is beside one is not quoted.
    let binds = |token: &Token| match token.kind {
        Kind::Word => !KEYWORDS.contains(&token.text),
        Kind::Number | Kind::Quoted => true,
        Kind::Sign => {
            let is_name = |one: &Use| one.range.contains(&token.at);
            matches!(token.text, "." | "|") || uses.iter().any(is_name)
        }
    };
    bar.is_sign("|")
        && filter.text == "quote"
        && quoted.iter().all(|token| match (token.kind, token.text) {
            (Kind::Sign, "(" | "[") => {
                depth += 1;
                true
            }
            (Kind::Sign, ")" | "]") => {
                depth = depth.saturating_sub(1);
                true
            }
            _ => depth > 0 || binds(token),
        })
        && depth == 0
}

fn compares(token: &Token) -> bool {
    token.kind == Kind::Sign && ["==", "!=", "<", ">", "<=", ">="].contains(&token.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(expression: &str) -> String {
        let declared = |root: &str, name: &str| root != "vars" && name == "go-version";
        match uses(expression, &declared) {
            Ok(uses) => uses
                .iter()
                .map(|one| format!("{}{:?}", one.name(), one.role))
                .collect::<Vec<_>>()
                .join(" "),
            Err(fault) => format!("{} at {:?}", fault.message, fault.range),
        }
    }

    #[test]
    fn names_with_their_places() {
        for (expression, want) in [
            ("vars.a", "vars.aFree"),
            (
                "vars.a ~ (matrix.os.x | default(vars.b))",
                "vars.aFree matrix.os.xFree vars.bFree",
            ),
            ("matrix.go-version", "matrix.go-versionFree"),
            ("matrix.go-version - 1", "matrix.go-versionNumber"),
            ("matrix.go-1", "matrix.go-1Free"),
            (
                "needs[\"api:build\"].outputs | first",
                "needs[\"api:build\"].outputsFree",
            ),
            ("'vars.x' ~ \"y\"", ""),
            ("not a and b is not defined or true", "aFree bFree"),
            ("vars.v >= 1.5", "vars.vNumber"),
            ("vars.v == '1.5'", "vars.vText"),
            ("vars.v in ['1', '2']", "vars.vText"),
            ("x | default(value=y)", "xFree yFree"),
            ("x | nope", "there is no filter `nope` at Some(4..8)"),
            ("x is even", "there is no test `even` at Some(5..9)"),
            (
                "a if x else b | lenght",
                "there is no filter `lenght` at Some(16..22)",
            ),
            (
                "hashFiles('x')",
                "there is no function `hashFiles` at Some(0..9)",
            ),
            (
                "vars.x.upper()",
                "there is no function `upper` at Some(0..12)",
            ),
        ] {
            assert_eq!(names(expression), want, "{expression}");
        }
    }

    #[test]
    fn what_is_quoted_as_a_whole() {
        for (expression, want) in [
            ("vars.a | quote", true),
            ("vars.go-version | quote", true),
            ("(vars.a ~ 'b' if x else c) | upper | quote", true),
            ("vars.a[0] | replace('-', '+') | quote", true),
            ("vars.a ~ vars.b | quote", false),
            ("vars.a if x else vars.b | quote", false),
            ("vars.a or vars.b | quote", false),
            ("vars.a - vars.b | quote", false),
            ("vars.a | quote | replace(\"'\", '')", false),
            ("(vars.a | quote)", false),
            ("vars.a", false),
        ] {
            let declared = |_: &str, name: &str| name == "go-version";
            let uses = uses(expression, &declared).expect("reads");
            assert_eq!(is_quoted(expression, &uses), want, "{expression}");
        }
    }

    #[test]
    fn a_default_excuses_the_name_before_it() {
        let found = uses("vars.a ~ vars.b | default('')", &|_, _| false).expect("reads");
        let defaulted: Vec<bool> = found.iter().map(|one| one.defaulted).collect();
        assert_eq!(defaulted, [false, true]);
    }
}
