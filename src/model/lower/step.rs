//! One step, and the defaults that fill it in.

use super::{Lowering, entries, env_files, is_variable, texts, vars};
use crate::model::error::Complaint;
use crate::model::name::NameKind;
use crate::model::step::{CacheWord, OutputText, Retries, Step};
use crate::model::{MOST_INSTANCES, ModelError, duration, limit};
use crate::parse::{CacheDoc, OutputDoc, RetriesDoc, StepDoc, Text};
use crate::source::{Span, Spanned};
use crate::suggest::{closest, listing};

/// The number of combinations over which a matrix is an error.
const MAX_INSTANCES: u64 = 10_000;

/// The words that `shell` knows.
const SHELLS: [&str; 4] = ["sh", "bash", "pwsh", "python"];

/// Takes from `defaults` each key that `step` does not set.
pub(super) fn fill_in(step: &mut StepDoc, defaults: &StepDoc) {
    macro_rules! fill {
        ($($key:ident)*) => {
            $(if step.$key.is_none() { step.$key.clone_from(&defaults.$key); })*
        };
    }
    fill!(
        run shell needs after sources exclude outputs depfile
        env env_files secrets tools path pass_env env_policy dir vars matrix condition
        timeout grace allow_failure pool weight max_parallel
        retries on_failure allow_background tty interactive incremental
        cache max_instances requires verify hint description internal
    );
}

impl Lowering {
    pub(super) fn step(&mut self, name: Spanned<String>, doc: &StepDoc) -> Step {
        debug_assert!(NameKind::Step.allows(&name.value) || !self.errors.is_empty());
        let (sources, taken_away) = split_sources(doc);
        let step = Step {
            run: texts(doc.run.as_ref()).cloned().collect(),
            shell: self.shell(doc),
            needs: texts(doc.needs.as_ref())
                .filter_map(|text| self.reference(text))
                .collect(),
            after: texts(doc.after.as_ref())
                .filter_map(|text| self.reference(text))
                .collect(),
            sources,
            exclude: taken_away
                .into_iter()
                .chain(texts(doc.exclude.as_ref()).cloned())
                .collect(),
            outputs: texts(doc.outputs.as_ref()).map(output).collect(),
            depfile: doc.depfile.as_ref().map(|path| path.value.clone()),
            env: self.env(doc.env.as_ref()),
            env_files: env_files(doc.env_files.as_ref()),
            secrets: texts(doc.secrets.as_ref())
                .filter_map(|text| self.secret(text))
                .collect(),
            path: texts(doc.path.as_ref()).cloned().collect(),
            pass_env: texts(doc.pass_env.as_ref())
                .filter_map(|text| self.passed(text))
                .collect(),
            inherits_env: doc.env_policy.as_ref().and_then(|word| {
                let inherits = self.read(Some(word), env_policy)?;
                Some(Spanned::new(inherits, word.span))
            }),
            dir: doc.dir.as_ref().map(|dir| dir.value.clone()),
            vars: vars(doc.vars.as_ref()),
            matrix: doc.matrix.as_ref().map(|matrix| self.matrix(&matrix.value)),
            condition: doc.condition.as_ref().map(|text| text.value.clone()),
            timeout: self.written(doc.timeout.as_ref(), limit),
            grace: self.written(doc.grace.as_ref(), duration),
            allow_failure: doc.allow_failure.as_ref().is_some_and(|allow| allow.value),
            pool: doc.pool.as_ref().map(|pool| pool.value.clone()),
            weight: doc.weight.as_ref().map_or(1, |weight| weight.value),
            max_parallel: doc.max_parallel.as_ref().map(|max| max.value),
            retries: doc
                .retries
                .as_ref()
                .map_or(Retries::NONE, |retries| self.retries(&retries.value)),
            on_failure: texts(doc.on_failure.as_ref()).cloned().collect(),
            allow_background: is_set(doc.allow_background.as_ref()),
            tty: is_set(doc.tty.as_ref()),
            interactive: is_set(doc.interactive.as_ref()),
            incremental: is_set(doc.incremental.as_ref()),
            cache: doc
                .cache
                .as_ref()
                .and_then(|cache| self.cache(&cache.value)),
            salt: doc
                .cache
                .as_ref()
                .and_then(|cache| cache.value.salt.as_ref())
                .map(|salt| salt.text.clone()),
            max_instances: self.max_instances(doc),
            tools: entries(doc.tools.as_ref())
                .map(|(name, command)| (name.value.clone(), command.value.clone()))
                .collect(),
            requires: texts(doc.requires.as_ref())
                .filter_map(|check| self.check(check))
                .collect(),
            verify: texts(doc.verify.as_ref())
                .filter_map(|check| self.check(check))
                .collect(),
            hint: doc.hint.as_ref().map(|text| text.value.clone()),
            description: doc.description.as_ref().map(|text| text.value.clone()),
            internal: is_set(doc.internal.as_ref()),
            unread: doc.unread.clone(),
            name,
        };
        let scripts = step.run.iter().chain(&step.on_failure);
        for text in scripts.chain(&step.shell).chain(step.tools.values()) {
            self.no_nul(text);
        }
        // What a step lacks may be what could not be read.
        if doc.unread.is_empty() {
            self.check_group(&step, doc);
            self.check_cache(&step, doc);
            self.check_interactive(&step, doc);
        }
        step
    }

    /// One of the words that name a shell, or a command.
    fn shell(&mut self, doc: &StepDoc) -> Vec<Text> {
        let Some(list) = &doc.shell else {
            return Vec::new();
        };
        let words = &list.value.0;
        let list_of = |text: &str| match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => "[zsh, -c]".to_owned(),
            [word] => format!("[{word}, -c]"),
            words => format!("[{}]", words.join(", ")),
        };
        let (message, help) = match words.as_slice() {
            [] if doc.unread.contains(&"shell") => return Vec::new(),
            [] => (
                "`shell` is an empty list".to_owned(),
                format!(
                    "write one of {}, or the words of a command: `[zsh, -c]`",
                    listing(&SHELLS)
                ),
            ),
            // One text is a word of ours; one in a list is a program.
            [word] if word.span == list.span && is_no_shell(&word.text) => (
                format!("`{}` is no shell that can be named so", word.text),
                match closest(&word.text, SHELLS).filter(|_| is_slip(&word.text)) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!(
                        "the words are {}; any other program is written as a list: `{}`",
                        listing(&SHELLS),
                        list_of(&word.text)
                    ),
                },
            ),
            words => return words.to_vec(),
        };
        self.bad_value(message, list.span, help);
        Vec::new()
    }

    /// A name, or a pattern of names.
    fn passed(&mut self, text: &Text) -> Option<Text> {
        if text.text.contains("${{") || is_variable(&text.text) {
            return Some(text.clone());
        }
        let message = format!("`{}` cannot be the name of a variable", text.text);
        let help = "each entry is a name, or a pattern with `*`: `[CC, \"AWS_*\"]`";
        self.bad_value(message, text.span, help);
        None
    }

    /// One name: a pattern could take in more than somebody thought of.
    fn secret(&mut self, text: &Text) -> Option<Spanned<String>> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !text.text.is_empty() && text.text.chars().all(is_part) {
            return Some(Spanned::new(text.text.clone(), text.span));
        }
        let message = format!("`{}` cannot be the name of a secret", text.text);
        let help = "each entry is the name of one variable of the caller, like `DEPLOY_TOKEN`";
        self.bad_value(message, text.span, help);
        None
    }

    fn retries(&mut self, doc: &RetriesDoc) -> Retries {
        let placed = |text: &Option<Text>| {
            text.clone()
                .map(|text| Spanned::new(text.clone(), text.span))
        };
        let (delay, backoff) = (placed(&doc.delay), placed(&doc.backoff));
        Retries {
            max: doc.max,
            delay: self.read(delay.as_ref(), duration).unwrap_or_default(),
            backoff: self.read(backoff.as_ref(), backoff_of).unwrap_or(1.0),
        }
    }

    /// What cannot be repeated from what is declared cannot be kept.
    fn check_cache(&mut self, step: &Step, doc: &StepDoc) {
        let name = &step.name.value;
        let mode = doc.cache.as_ref().map(|cache| {
            let mode = cache.value.mode.as_ref();
            mode.map_or(cache.span, |mode| mode.span)
        });
        let (message, help) = match step.cache {
            Some(CacheWord::Shared | CacheWord::Local) if step.interactive => (
                format!("`{name}` is `interactive`, so its result cannot be kept"),
                "what somebody answers is in no key: take `cache` away, or `interactive`",
            ),
            Some(CacheWord::Shared) if step.incremental => (
                format!("`{name}` is `incremental`, so its result cannot be `shared`"),
                "what it makes depends on what lay there before: say `cache: local`, or take `incremental` away",
            ),
            _ => return,
        };
        self.errors.extend(mode.map(|span| ModelError::BadStep {
            message,
            span,
            help: help.to_owned(),
        }));
    }

    /// What goes to the terminal directly cannot be masked.
    fn check_interactive(&mut self, step: &Step, doc: &StepDoc) {
        let secrets = doc.secrets.as_ref().filter(|_| step.interactive);
        self.errors.extend(secrets.map(|secrets| ModelError::BadStep {
            message: format!("`{}` is `interactive` and cannot have `secrets`", step.name.value),
            span: secrets.span,
            help: "what it prints goes to the terminal directly and cannot be masked: it sees the caller's whole environment anyway".to_owned(),
        }));
    }

    fn max_instances(&mut self, doc: &StepDoc) -> u64 {
        let Some(max) = &doc.max_instances else {
            return MAX_INSTANCES;
        };
        if max.value > MOST_INSTANCES {
            self.bad_value(
                format!("one step has at most {MOST_INSTANCES} instances"),
                max.span,
                format!("write {MOST_INSTANCES} or less, and make two steps of it where that is not enough"),
            );
        }
        max.value.min(MOST_INSTANCES)
    }

    fn cache(&mut self, doc: &CacheDoc) -> Option<CacheWord> {
        let mode = doc.mode.as_ref()?;
        let mode = Spanned::new(mode.clone(), mode.span);
        self.read(Some(&mode), |word| match word {
            "shared" | "true" => Ok(CacheWord::Shared),
            "local" => Ok(CacheWord::Local),
            "off" | "false" => Ok(CacheWord::Off),
            word => Err(Complaint::new(
                format!("`{word}` is not a cache mode"),
                "write `shared`, `local` or `off`",
            )),
        })
    }

    /// A step without `run` does nothing itself, so what only a command could use is a mistake.
    fn check_group(&mut self, step: &Step, doc: &StepDoc) {
        if !step.is_group() {
            return;
        }
        let before = self.errors.len();
        let mut refuse = |key: &str, span: Option<Span>| {
            let Some(span) = span else { return };
            self.errors.push(ModelError::BadStep {
                message: format!("`{}` has `{key}` but no `run`", step.name.value),
                span,
                help: "a step without `run` only groups what it needs; add `run:`, or take the key away".to_owned(),
            });
        };
        refuse("outputs", doc.outputs.as_ref().map(|list| list.span));
        refuse("depfile", doc.depfile.as_ref().map(|path| path.span));
        refuse("on_failure", doc.on_failure.as_ref().map(|list| list.span));
        refuse("verify", doc.verify.as_ref().map(|list| list.span));
        refuse("matrix", doc.matrix.as_ref().map(|matrix| matrix.span));
        let needed = texts(doc.needs.as_ref()).chain(texts(doc.after.as_ref()));
        if needed.count() == 0 && self.errors.len() == before {
            self.errors.push(ModelError::NothingToDo {
                what: "step",
                name: step.name.value.clone(),
                span: step.name.span,
                help: "add `run:` with a command, or `needs:` with the steps that it stands for",
            });
        }
    }
}

/// Whether a word may be meant to be another: not where it is a program's name, or a command.
fn is_slip(word: &str) -> bool {
    let others = ["zsh", "dash", "ash", "ksh", "csh", "fish", "nu"];
    !word.contains([' ', '/']) && !others.contains(&word)
}

fn is_no_shell(word: &str) -> bool {
    !SHELLS.contains(&word) && !word.contains("${{")
}

fn is_set(flag: Option<&Spanned<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

fn backoff_of(word: &str) -> Result<f64, Complaint> {
    let factor = word
        .parse()
        .ok()
        .filter(|factor| (1.0..=1e6).contains(factor));
    factor.ok_or_else(|| {
        Complaint::new(
            format!("`{word}` is not a factor"),
            "write a number from 1 up, such as `2` or `1.5`",
        )
    })
}

/// `sources` without the entries that a leading `!` takes away, and those entries.
fn split_sources(doc: &StepDoc) -> (Option<Vec<Text>>, Vec<Text>) {
    let Some(sources) = &doc.sources else {
        return (None, Vec::new());
    };
    let (away, kept): (Vec<Text>, Vec<Text>) = sources
        .value
        .0
        .iter()
        .cloned()
        .partition(|text| text.text.starts_with('!'));
    (
        Some(kept),
        away.into_iter().map(without_first_character).collect(),
    )
}

fn without_first_character(mut text: Text) -> Text {
    text.text.remove(0);
    text
}

fn output(doc: &OutputDoc) -> OutputText {
    let negated = doc.path.text.starts_with('!');
    let path = if negated {
        without_first_character(doc.path.clone())
    } else {
        doc.path.clone()
    };
    OutputText {
        path,
        optional: doc.optional,
        negated,
    }
}

fn env_policy(word: &str) -> Result<bool, Complaint> {
    match word {
        "inherit" => Ok(true),
        "strict" => Ok(false),
        word => Err(Complaint::new(
            format!("`{word}` is not a policy"),
            "write `strict` or `inherit`",
        )),
    }
}
