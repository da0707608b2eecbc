//! Words that are not keys here: other tools' words for something that exists, and misspelt ones.
//!
//! It knows words, not where they were found.

use super::decode::Document;
use super::document::{PipelineDoc, StepDoc, WorkspaceDoc};
use crate::suggest;

/// Other tools' words, and what they are called here.
const FOREIGN: &[(&str, &str)] = &[
    ("artifacts", "outputs"),
    ("cmd", "run"),
    ("cmds", "run"),
    ("command", "run"),
    ("continue-on-error", "allow_failure"),
    ("cwd", "dir"),
    ("dependsOn", "needs"),
    ("depends_on", "needs"),
    ("deps", "needs"),
    ("desc", "description"),
    ("dotenv", "env_files"),
    ("env_file", "env_files"),
    ("generates", "outputs"),
    ("ignore_error", "allow_failure"),
    ("inputs", "sources"),
    ("jobs", "steps"),
    ("passThroughEnv", "pass_env"),
    ("preconditions", "requires"),
    ("retry", "retries"),
    ("rules", "steps"),
    ("script", "run"),
    ("src", "sources"),
    ("tasks", "steps"),
    ("when", "if"),
    ("working-directory", "dir"),
];

/// Longer words have no lookalikes, and comparing them costs.
const MAX_WORD: usize = 40;
/// A place with more keys than this is one of the large ones.
const FEW: usize = 8;

/// What may have been meant by `word`, where the keys are `keys`.
pub(super) fn help(word: &str, keys: &[&str]) -> Option<String> {
    if word == "timeout-minutes" && keys.contains(&"timeout") {
        return Some("`timeout-minutes: 10` is written `timeout: 10m`".to_owned());
    }
    how_many(word, keys)
        .or_else(|| translated(word, keys))
        .or_else(|| elsewhere(word, keys))
        .or_else(|| similar(word, keys))
        .or_else(|| Some(listed(keys)))
}

/// `jobs` are steps elsewhere, and a number here.
fn how_many(word: &str, keys: &[&str]) -> Option<String> {
    let is_pipeline = word == "jobs" && keys == PipelineDoc::KEYS;
    is_pipeline.then(|| {
        "`jobs` of other tools are called `steps` here; how many run at once is `workspace: { jobs: 4 }`, or `-j4`"
            .to_owned()
    })
}

fn translated(word: &str, keys: &[&str]) -> Option<String> {
    let (_, here) = FOREIGN.iter().find(|(foreign, _)| *foreign == word)?;
    keys.contains(here)
        .then(|| format!("`{word}` is called `{here}` here"))
}

/// Where the large sets of keys have `word`.
fn elsewhere(word: &str, keys: &[&str]) -> Option<String> {
    if keys.len() <= FEW {
        return None;
    }
    let places = [
        (StepDoc::PLACE, StepDoc::KEYS),
        (WorkspaceDoc::PLACE, WorkspaceDoc::KEYS),
        (PipelineDoc::PLACE, PipelineDoc::KEYS),
        ("a target", &["steps", "profile"]),
    ];
    let (place, _) = places.into_iter().find(|(_, keys)| keys.contains(&word))?;
    Some(format!("`{word}` is a key of {place}"))
}

fn similar(word: &str, keys: &[&str]) -> Option<String> {
    if word.len() > MAX_WORD {
        return None;
    }
    let key = suggest::closest(word, keys.iter().copied())?;
    Some(format!("did you mean `{key}`?"))
}

fn listed(keys: &[&str]) -> String {
    format!("the keys here are {}", suggest::listing(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_foreign_word_leads_to_a_word_of_the_language() {
        let known = |word: &str| StepDoc::KEYS.contains(&word) || PipelineDoc::KEYS.contains(&word);
        for (foreign, here) in FOREIGN {
            assert!(known(here), "{foreign} is called {here}");
            assert!(
                !StepDoc::KEYS.contains(foreign),
                "{foreign} is a key of a step"
            );
        }
    }

    #[test]
    fn help_is_where_the_word_is_known() {
        let step = |word| help(word, StepDoc::KEYS);
        assert_eq!(step("cmds").as_deref(), Some("`cmds` is called `run` here"));
        assert_eq!(step("Needs").as_deref(), Some("did you mean `needs`?"));
        assert_eq!(
            step("steps").as_deref(),
            Some("`steps` is a key of a pipeline file")
        );
        assert!(step("zzz").is_some_and(|help| help.starts_with("the keys here are `")));
        assert_eq!(
            step("profile").as_deref(),
            Some("`profile` is a key of a target")
        );
        assert!(step("timeout-minutes").is_some_and(|help| help.contains("`timeout: 10m`")));
        assert_eq!(
            help("jobs", PipelineDoc::KEYS).as_deref(),
            how_many("jobs", PipelineDoc::KEYS).as_deref()
        );
        assert_eq!(
            help("zzz", &["a", "b"]).as_deref(),
            Some("the keys here are `a` and `b`")
        );
    }
}
