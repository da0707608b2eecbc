//! Parts of documents that nobody wrote: they stand where what they follow from stands.

use crate::parse::{EnvDoc, List, Map, Text};
use crate::source::{Span, Spanned};

/// Makes parts that stand at one place.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) Span);

impl At {
    /// A field with this value.
    #[expect(clippy::unnecessary_wraps, reason = "fields of documents are options")]
    pub(super) fn field<T>(self, value: T) -> Option<Spanned<T>> {
        Some(self.spanned(value))
    }

    /// A value with its place.
    pub(super) fn spanned<T>(self, value: T) -> Spanned<T> {
        Spanned::new(value, self.0)
    }

    /// Text.
    pub(super) fn text(self, text: impl Into<String>) -> Text {
        Text {
            text: text.into(),
            span: self.0,
            ..Text::default()
        }
    }

    /// A field with these texts.
    pub(super) fn texts<T: Into<String>>(
        self,
        texts: impl IntoIterator<Item = T>,
    ) -> Option<Spanned<List<Text>>> {
        let texts = texts.into_iter().map(|text| self.text(text));
        self.field(List(texts.collect()))
    }

    /// A field with these names and values.
    pub(super) fn map<T, const N: usize>(self, entries: [(&str, T); N]) -> Option<Spanned<Map<T>>> {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (self.spanned(name.to_owned()), self.spanned(value)));
        self.field(Map(entries.collect()))
    }
}

/// Variables with the values that are written.
pub(super) fn variables(env: &Spanned<Map<Text>>) -> Spanned<Map<EnvDoc>> {
    let variable = |(name, value): &(Spanned<String>, Spanned<Text>)| {
        let value = Spanned::new(EnvDoc::Value(value.value.clone()), value.span);
        (name.clone(), value)
    };
    Spanned::new(Map(env.value.0.iter().map(variable).collect()), env.span)
}
