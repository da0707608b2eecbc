//! Words for people: did-you-mean, and lists of names. This room knows nobody.

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
}
