//! Words for people: did-you-mean, lists of names, names that can be shown. This room knows nobody.

use std::borrow::Cow;

/// The one of `known` that is most like `name`, if any is like it.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, candidate)| {
            *likeness > 0.8 || strsim::osa_distance(&lower, candidate) <= 1
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `did you mean `x`?` for the closest of `known`; else what there is, or that there is nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match (closest(name, known.iter().copied()), known.as_slice()) {
        (Some(close), _) => format!("did you mean `{close}`?"),
        (None, []) => "there is none".to_owned(),
        (None, [one]) => format!("there is `{one}`"),
        (None, known) => format!("there are {}", listing(known)),
    }
}

/// `` `a`, `b` and `c` ``, cut after twelve.
pub fn listing(names: &[&str]) -> String {
    const MOST: usize = 12;
    let quoted: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| format!("`{name}`"))
        .collect();
    match (names.len(), quoted.as_slice()) {
        (count, _) if count > MOST => format!("{} and {} more", quoted.join(", "), count - MOST),
        (_, [rest @ .., last]) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

/// `text` with an escape for each character that would do something to a terminal instead of being
/// seen, or would turn the text around; line breaks stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let shown = |character: char| match is_unseen(character) {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Whether `character` is a control character, or one that changes the direction of text.
pub fn is_unseen(character: char) -> bool {
    character.is_control() && character != '\n'
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions() {
        assert_eq!(
            did_you_mean("biuld", ["test", "build"]),
            "did you mean `build`?"
        );
        assert_eq!(
            did_you_mean("zzz", ["test", "build"]),
            "there are `test` and `build`"
        );
        assert_eq!(did_you_mean("rnu", ["needs", "run"]), "did you mean `run`?");
        assert_eq!(did_you_mean("zzz", []), "there is none");
        assert_eq!(listing(&["a"]), "`a`");
    }
    #[test]
    fn what_would_not_be_seen_is_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\nc");
        assert_eq!(printable("x\u{202e}y\r"), "x\\u{202e}y\\r");
        assert_eq!(printable("grün"), "grün");
    }
}
