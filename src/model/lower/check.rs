//! Checks of `requires` and `verify`.

use regex::RegexBuilder;

use super::{Lowering, is_variable};
use crate::model::step::CheckText;
use crate::model::{ModelError, duration, limit, requirement, size};
use crate::parse::{CheckDoc, Text};
use crate::source::{Span, Spanned};

/// What can be looked at, and which keys say what must be true of it.
const KINDS: [(&str, &[&str]); 6] = [
    ("file", &["min_size", "max_size", "executable", "matches"]),
    ("run", &["matches", "not_matches"]),
    ("http", &["status", "matches"]),
    ("tcp", &[]),
    ("env", &[]),
    ("tool", &["version", "command"]),
];
/// A regular expression's compiled form is no larger, in bytes: a few characters can make very large
/// ones, which take long to make.
const MAX_COMPILED: usize = 2 << 20;

impl Lowering {
    pub(super) fn check(&mut self, doc: &Spanned<CheckDoc>) -> Option<CheckText> {
        let (kind, subject) = self.subject(doc)?;
        let doc = &doc.value;
        self.check_demands(doc, kind);
        self.check_subject(kind, subject);
        Some(CheckText {
            span: subject.span,
            kind,
            subject: subject.value.clone(),
            sizes: (
                self.written(doc.min_size.as_ref(), size),
                self.written(doc.max_size.as_ref(), size),
            ),
            executable: doc.executable.as_ref().map(|executable| executable.value),
            status: self.status(doc),
            matches: self.pattern(doc.matches.as_ref()),
            not_matches: self.pattern(doc.not_matches.as_ref()),
            version: self.written(doc.version.as_ref(), requirement),
            command: doc.command.as_ref().map(|text| text.value.clone()),
            within: self.written(doc.within.as_ref(), duration),
            timeout: self.written(doc.timeout.as_ref(), limit),
            condition: doc.condition.as_ref().map(|text| text.value.clone()),
            message: doc.message.as_ref().map(|text| text.value.clone()),
        })
    }

    /// The one key that says what is looked at.
    fn subject<'a>(
        &mut self,
        doc: &'a Spanned<CheckDoc>,
    ) -> Option<(&'static str, &'a Spanned<Text>)> {
        let CheckDoc {
            file,
            run,
            http,
            tcp,
            env,
            tool,
            ..
        } = &doc.value;
        let texts = [file, run, http, tcp, env, tool];
        let mut given = KINDS
            .iter()
            .zip(texts)
            .filter_map(|((kind, _), text)| text.as_ref().map(|text| (*kind, text)));
        let first = given.next();
        let message = match (first, given.next()) {
            (Some(first), None) => return Some(first),
            (Some((one, _)), Some((two, _))) => {
                format!("a check cannot be both `{one}` and `{two}`")
            }
            (None, _) => "a check must say what is looked at".to_owned(),
        };
        let span = first.map_or(doc.span, |(_, text)| text.span);
        self.errors.push(ModelError::BadCheck { message, span });
        None
    }

    /// What is demanded must be something that can be true of what is looked at.
    fn check_demands(&mut self, doc: &CheckDoc, kind: &str) {
        fn place<T>(field: &Option<Spanned<T>>) -> Option<Span> {
            field.as_ref().map(|field| field.span)
        }
        let given = [
            ("min_size", place(&doc.min_size)),
            ("max_size", place(&doc.max_size)),
            ("executable", place(&doc.executable)),
            ("status", place(&doc.status)),
            ("matches", place(&doc.matches)),
            ("not_matches", place(&doc.not_matches)),
            ("version", place(&doc.version)),
            ("command", place(&doc.command)),
        ];
        let taken = KINDS.iter().find(|(known, _)| *known == kind);
        let taken = taken.map_or(&[][..], |(_, demands)| demands);
        for (key, span) in given {
            let Some(span) = span.filter(|_| !taken.contains(&key)) else {
                continue;
            };
            let has: Vec<&str> = KINDS
                .iter()
                .filter(|(_, demands)| demands.contains(&key))
                .map(|(kind, _)| *kind)
                .collect();
            let message = format!(
                "`{key}` says nothing of `{kind}`: it is for {}",
                crate::suggest::listing(&has)
            );
            self.errors.push(ModelError::BadCheck { message, span });
        }
        if let (Some(command), None) = (&doc.command, &doc.version) {
            let message = "`command` names a version, and no `version` is wanted".to_owned();
            let span = command.span;
            self.errors.push(ModelError::BadCheck { message, span });
        }
    }

    /// What is looked at; as far as there are no expressions in it.
    fn check_subject(&mut self, kind: &str, subject: &Spanned<Text>) {
        let text = subject.value.text.as_str();
        let is_open = text.contains("${{");
        let (message, help) = match kind {
            "run" => return self.no_nul(&subject.value),
            "http" => match url_fault(text, is_open) {
                Some(fault) => fault,
                None => return,
            },
            _ if is_open => return,
            "tcp" if !is_address(text) => (
                format!("`{text}` is not a host and a port"),
                "write `tcp: localhost:8080`; ports go from 1 to 65535".to_owned(),
            ),
            "env" if !is_variable(text) => (
                format!("`{text}` cannot be the name of a variable"),
                "name one variable that must be set: `env: GOROOT`".to_owned(),
            ),
            "file" if text.is_empty() => (
                "the path is empty".to_owned(),
                "name a file or folder; the pipeline's own folder is `.`".to_owned(),
            ),
            "tool" if text.trim().is_empty() => (
                "the name of the program is empty".to_owned(),
                "name a program that must be on the `PATH`: `tool: go`".to_owned(),
            ),
            _ => return,
        };
        self.bad_value(message, subject.span, help);
    }

    fn status(&mut self, doc: &CheckDoc) -> Vec<u16> {
        let Some(status) = &doc.status else {
            return Vec::new();
        };
        let known = |number: &u64| {
            u16::try_from(*number)
                .ok()
                .filter(|code| (100..600).contains(code))
        };
        let codes: Vec<u16> = status.value.0.iter().filter_map(known).collect();
        if codes.is_empty() || codes.len() < status.value.0.len() {
            let help = "a status is a number from 100 to 599: `status: 204`, or `[200, 404]`";
            self.bad_value("not a status of HTTP".to_owned(), status.span, help);
        }
        codes
    }

    /// A regular expression without expressions in it is tried now.
    fn pattern(&mut self, text: Option<&Spanned<Text>>) -> Option<Text> {
        let text = text?;
        if !text.value.text.contains("${{")
            && let Err(error) = RegexBuilder::new(&text.value.text)
                .size_limit(MAX_COMPILED)
                .build()
        {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            self.bad_value(
                format!(
                    "`{}` is not a regular expression: {}",
                    text.value.text,
                    reason.trim_start_matches("error: ")
                ),
                text.span,
                "a `\\` in front makes a plain character of a special one: `\\(`, `\\[`, `\\.`",
            );
        }
        Some(text.value.clone())
    }
}

/// Whether it is `host:port`.
fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    parts.is_some_and(|(host, port)| !host.is_empty() && is_port(port))
}

/// What is wrong with a URL, and what to write.
fn url_fault(text: &str, is_open: bool) -> Option<(String, String)> {
    if is_open && text.starts_with("${{") {
        return None;
    }
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|start| text.strip_prefix(start));
    match (rest, text.split_once("://")) {
        (Some(rest), _)
            if is_open || !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']) =>
        {
            None
        }
        (Some(_), _) => Some((
            format!("`{text}` names no host"),
            "write it whole: `http://localhost:8080/health`".to_owned(),
        )),
        (None, Some((scheme, _))) => Some((
            format!("`{scheme}` cannot be asked: only `http` and `https` can"),
            "for any other protocol use `run` with a program that speaks it, or `tcp: host:port`"
                .to_owned(),
        )),
        (None, None) => Some((
            format!("`{text}` is not a URL: it begins with `http://` or `https://`"),
            format!("did you mean `http://{text}`?"),
        )),
    }
}
