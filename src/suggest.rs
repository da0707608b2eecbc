//! Words for people: did-you-mean, lists of names, names that can be shown. This room knows nobody.

use std::borrow::Cow;

/// The one of `known` that is most like `name`, if any is like it.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .filter_map(|candidate| Some((likeness(&lower, &candidate.to_lowercase())?, candidate)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// How like two names are, if at all. Of two letters or fewer one is half of the name: there, another
/// letter makes another name, and only one that is added, or two that are swapped, are a slip.
fn likeness(name: &str, candidate: &str) -> Option<f64> {
    let distance = strsim::osa_distance(name, candidate);
    let (length, other) = (name.chars().count(), candidate.chars().count());
    let is_like = match length.min(other) {
        0 => false,
        1 | 2 => {
            distance == 0
                || distance == 1 && length != other && length.max(other) > 2
                || distance == 1 && length == other && is_swapped(name, candidate)
        }
        _ => distance <= 1 || strsim::jaro_winkler(name, candidate) > 0.8,
    };
    is_like.then(|| strsim::jaro_winkler(name, candidate))
}

fn is_swapped(name: &str, other: &str) -> bool {
    name.chars().eq(other.chars().rev())
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
    fn short_names() {
        let close = |name, known: &[&'static str]| closest(name, known.iter().copied());
        assert_eq!(close("b", &["a", "c"]), None);
        assert_eq!(close("os", &["go"]), None);
        assert_eq!(close("bc", &["bd", "a"]), None);
        assert_eq!(close("A", &["b", "a"]), Some("a"));
        assert_eq!(close("so", &["os"]), Some("os"));
        assert_eq!(close("rn", &["run", "dir"]), Some("run"));
        assert_eq!(close("runs", &["run"]), Some("run"));
    }

    #[test]
    fn what_would_not_be_seen_is_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\nc");
        assert_eq!(printable("x\u{202e}y\r"), "x\\u{202e}y\\r");
        assert_eq!(printable("grün"), "grün");
    }
}
