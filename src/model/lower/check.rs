//! Checks of `requires` and `verify`.

use super::Lowering;
use crate::model::step::CheckText;
use crate::model::{ModelError, duration, size};
use crate::parse::{CheckDoc, Text};
use crate::source::{Span, Spanned};

impl Lowering {
    /// `step` is where the check belongs to, for one that has no key at all.
    pub(super) fn check(&mut self, doc: &CheckDoc, step: Span) -> Option<CheckText> {
        let (kind, subject) = self.subject(doc, step)?;
        Some(CheckText {
            span: subject.span,
            kind,
            subject: subject.value.clone(),
            sizes: (
                self.read(doc.min_size.as_ref(), size),
                self.read(doc.max_size.as_ref(), size),
            ),
            executable: doc.executable.as_ref().map(|executable| executable.value),
            matches: self.pattern(doc.matches.as_ref()),
            not_matches: self.pattern(doc.not_matches.as_ref()),
            version: self.version(doc.version.as_ref()),
            within: self.read(doc.within.as_ref(), duration),
            timeout: self.read(doc.timeout.as_ref(), duration),
            condition: doc.condition.as_ref().map(|text| text.value.clone()),
            message: doc.message.as_ref().map(|text| text.value.clone()),
        })
    }

    /// The one key that says what is looked at.
    fn subject<'a>(
        &mut self,
        doc: &'a CheckDoc,
        step: Span,
    ) -> Option<(&'static str, &'a Spanned<Text>)> {
        let keys = [
            ("file", &doc.file),
            ("run", &doc.run),
            ("env", &doc.env),
            ("tool", &doc.tool),
            ("tcp", &doc.tcp),
        ];
        let mut given = keys
            .into_iter()
            .filter_map(|(kind, text)| text.as_ref().map(|text| (kind, text)));
        let first = given.next();
        let message = match (first, given.next()) {
            (Some(first), None) => return Some(first),
            (Some((one, _)), Some((two, _))) => {
                format!("a check cannot be both `{one}` and `{two}`")
            }
            (None, _) => "a check must say what is looked at".to_owned(),
        };
        let span = first.map_or(step, |(_, text)| text.span);
        self.errors.push(ModelError::BadCheck { message, span });
        None
    }

    /// A regular expression without expressions in it is tried now.
    fn pattern(&mut self, text: Option<&Spanned<Text>>) -> Option<Text> {
        let text = text?;
        if !text.value.text.contains("${{")
            && let Err(error) = regex::Regex::new(&text.value.text)
        {
            let reason = error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned();
            self.bad_value(
                format!("not a regular expression: {reason}"),
                text.span,
                None,
            );
        }
        Some(text.value.clone())
    }

    fn version(&mut self, text: Option<&Spanned<Text>>) -> Option<Text> {
        let text = text?;
        if let Err(error) = semver::VersionReq::parse(&text.value.text) {
            let help = Some("a requirement is like `>=1.22`, `^3.9` or `>=18, <21`".to_owned());
            self.bad_value(
                format!("`{}` is no version requirement: {error}", text.value.text),
                text.span,
                help,
            );
        }
        Some(text.value.clone())
    }
}
