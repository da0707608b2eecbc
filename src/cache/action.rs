//! What decides on a step's result, and its key. The table in this room's first lines says what is
//! in it; two matches here name every field of a step and of an action, so that a new one does not
//! compile before somebody has decided. Knows no disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::encode::{Encoder, Field, Items, UNSET, key, push_text, set};
use super::entry::{Entry, EntryPath, Kind};
use super::made::PrepareError;
use crate::expand::{Late, Template};
use crate::path::RelPath;
use crate::plan::{Check, CheckKind, EnvPolicy, EnvSetting, Output, OutputKind, PlanStep, Shell};
use crate::sys::host;

/// The base environment of every step, unless it declares these variables itself.
pub const BASE_ENV: [(&str, &str); 2] = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];

/// So many characters of what a tool printed are kept for people.
const LONGEST_LINE: usize = 200;

/// The digest of an [`Action`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ActionKey(pub Digest);

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a tool printed, for the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Printed {
    digest: Digest,
    /// Its first line, for people.
    line: String,
}

impl Printed {
    /// What stands in the key for `text`.
    pub(super) fn of(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        Self {
            digest: Digest::of(text.as_bytes()),
            line: line.chars().take(LONGEST_LINE).collect(),
        }
    }
}

/// What decides on a step's result: all of it, and nothing else.
#[derive(Clone, Debug)]
pub struct Action {
    /// The scripts, stamps and job count as placeholders.
    pub command: Vec<String>,
    /// What they see as `"$@"`.
    pub args: Vec<String>,
    /// The working folder.
    pub dir: RelPath,
    /// Declared variables; `None` where one is taken away.
    pub env: BTreeMap<String, Option<String>>,
    /// Names of variables that are handed through.
    pub pass_env: BTreeSet<String>,
    /// Names of secrets.
    pub secrets: Vec<String>,
    /// Operating system and processor, as Go spells them.
    pub platform: (String, String),
    /// What tools printed, by name.
    pub tools: BTreeMap<String, Printed>,
    /// Sources and outputs of needed steps; sorted by path, without doubles.
    pub inputs: Vec<Entry>,
    /// What its depfile listed beside these; `None` where there is no depfile, and where nobody knows
    /// yet what it lists. Sorted by path, without doubles.
    pub discovered: Option<Vec<Entry>>,
    /// The depfile.
    pub depfile: Option<RelPath>,
    /// Declared outputs.
    pub outputs: Vec<Output>,
    /// What runs the scripts.
    pub shell: Shell,
    /// What is seen of the caller's environment.
    pub env_policy: EnvPolicy,
    /// Folders in front of `PATH`.
    pub path: Vec<RelPath>,
    /// Checks after the command, and their scripts filled in.
    pub verify: Vec<(Check, Option<String>)>,
    /// Words that only make keys differ.
    pub salt: Vec<String>,
    /// Whether outputs of the previous run stayed in place.
    pub incremental: bool,
    /// Whether the outputs are a terminal.
    pub tty: bool,
}

impl Action {
    /// The action of `step` with the late values `late` and the inputs `inputs`.
    pub(super) fn of(
        step: &PlanStep,
        late: &Late,
        mut inputs: Vec<Entry>,
    ) -> Result<Self, PrepareError> {
        let PlanStep {
            scripts,
            shell,
            args,
            dir,
            env,
            path,
            pass_env,
            secrets,
            env_policy,
            outputs,
            depfile,
            salt,
            verify,
            incremental,
            tty,
            // In the key by what they bring: `inputs`, `late` and `Prepared::with_tools`.
            sources: _,
            tools: _,
            needs: _,
            need_names: _,
            // Not in the key: they change no result.
            name: _,
            profile: _,
            description: _,
            after: _,
            cache: _,
            timeout: _,
            grace: _,
            weight: _,
            limits: _,
            allow_failure: _,
            retries: _,
            on_failure: _,
            allow_background: _,
            interactive: _,
            requires: _,
            same_as: _,
            hint: _,
            skip: _,
        } = step;
        sort_inputs(&mut inputs);
        Ok(Self {
            command: scripts
                .iter()
                .map(|script| fill(script, late, "run"))
                .collect::<Result<_, _>>()?,
            args: args.clone(),
            dir: dir.clone(),
            env: environment(env, late)?,
            pass_env: pass_env.iter().cloned().collect(),
            secrets: secrets.clone(),
            platform: (host::os().to_owned(), host::arch().to_owned()),
            tools: BTreeMap::new(),
            inputs,
            discovered: None,
            depfile: depfile.as_ref().map(|depfile| depfile.path.clone()),
            outputs: outputs.clone(),
            shell: shell.clone(),
            env_policy: *env_policy,
            path: path.clone(),
            verify: verify
                .iter()
                .map(|check| filled(check, late))
                .collect::<Result<_, _>>()?,
            salt: salt.clone(),
            incremental: *incremental,
            tty: *tty,
        })
    }

    /// The canonical encoding: what the key is over, and what a later miss is explained by.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.encode_with(self.discovered.as_deref())
    }

    /// The key of all but the discovered inputs.
    pub(super) fn weak_key(&self) -> ActionKey {
        ActionKey(key(&self.encode_with(None)))
    }

    fn encode_with(&self, discovered: Option<&[Entry]>) -> Vec<u8> {
        let Self {
            command,
            args,
            dir,
            env,
            pass_env,
            secrets,
            platform: (os, arch),
            tools,
            inputs,
            discovered: _,
            depfile,
            outputs,
            shell: Shell { words, dialect: _ }, // shows in the command, where it quotes something
            env_policy,
            path,
            verify,
            salt,
            incremental,
            tty,
        } = self;
        let mut to = Encoder::new();
        to.list(Field::Command, command);
        to.list(Field::Args, args);
        to.list(Field::Dir, [dir.as_bytes()]);
        to.field(Field::Env, |items| push_env(items, env));
        to.field(Field::PassEnv, |items| push_names(items, pass_env));
        to.list(Field::Platform, [os, arch]);
        // A key from before there were tools and secrets is still that of a step without.
        if !tools.is_empty() {
            to.field(Field::Tools, |items| push_tools(items, tools));
        }
        if let Some(discovered) = discovered {
            to.each(Field::Discovered, discovered, push_input);
        }
        to.each(Field::Input, inputs, push_input);
        to.each(Field::Output, outputs, push_output);
        to.list(Field::Shell, words);
        to.list(Field::EnvPolicy, [policy(*env_policy)]);
        to.list(Field::Path, path.iter().map(RelPath::as_bytes));
        to.each(Field::Verify, verify, push_check);
        to.list(Field::Salt, salt);
        if !secrets.is_empty() {
            to.list(Field::Secrets, secrets);
        }
        to.flag(Field::Incremental, *incremental);
        to.flag(Field::Tty, *tty);
        if let Some(depfile) = depfile {
            to.list(Field::Depfile, [depfile.as_bytes()]);
        }
        to.finish()
    }

    /// The key.
    pub fn key(&self) -> ActionKey {
        ActionKey(key(&self.encode()))
    }
}

/// The name under which a path stands in the encoding: only those outside begin with `/`.
pub(super) fn path_bytes(path: &EntryPath) -> &[u8] {
    match path {
        EntryPath::In(path) => path.as_bytes(),
        EntryPath::Outside(path) => path.as_bytes(),
    }
}

/// Sorts bytewise and takes doubles out.
pub(super) fn sort_inputs(inputs: &mut Vec<Entry>) {
    fn order(entry: &Entry) -> (&[u8], Kind, bool, Digest) {
        (
            path_bytes(&entry.path),
            entry.kind,
            entry.exec,
            entry.digest,
        )
    }
    inputs.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    inputs.dedup_by(|a, b| order(a) == order(b));
}

/// The finished text of `template`; `place` is for the error.
fn fill(template: &Template, late: &Late, place: &str) -> Result<String, PrepareError> {
    template.fill(late).map_err(|error| PrepareError::Fill {
        place: place.to_owned(),
        error,
    })
}

/// Declared variables over the base.
fn environment(
    env: &BTreeMap<String, EnvSetting>,
    late: &Late,
) -> Result<BTreeMap<String, Option<String>>, PrepareError> {
    let base = BASE_ENV.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    let mut all = BTreeMap::from(base);
    for (name, setting) in env {
        let value = match setting {
            EnvSetting::Set(template) => Some(fill(template, late, &format!("env.{name}"))?),
            EnvSetting::Unset => None,
        };
        all.insert(name.clone(), value);
    }
    Ok(all)
}

/// A check and its script.
fn filled(check: &Check, late: &Late) -> Result<(Check, Option<String>), PrepareError> {
    let script = check.kind.script();
    let script = script
        .map(|script| fill(script, late, "verify"))
        .transpose()?;
    let check = check.filled(late).map_err(|error| PrepareError::Fill {
        place: "verify".to_owned(),
        error,
    })?;
    Ok((check, script))
}

fn policy(policy: EnvPolicy) -> &'static [u8] {
    match policy {
        EnvPolicy::Strict => b"strict",
        EnvPolicy::Inherit => b"inherit",
    }
}

fn push_env(items: &mut Items<'_>, env: &BTreeMap<String, Option<String>>) {
    for (name, value) in env {
        match value {
            Some(value) => items.named(name.as_bytes(), &set(value.as_bytes())),
            None => items.named(name.as_bytes(), UNSET),
        }
    }
}

/// The digest, and the line by which people know what it is.
fn push_tools(items: &mut Items<'_>, tools: &BTreeMap<String, Printed>) {
    for (name, Printed { digest, line }) in tools {
        items.named(name.as_bytes(), &[&digest.0, line.as_bytes()].concat());
    }
}

fn push_names(items: &mut Items<'_>, names: &BTreeSet<String>) {
    for name in names {
        items.named(name.as_bytes(), b"");
    }
}

/// Kind, exec bit, digest.
fn push_input(items: &mut Items<'_>, input: &Entry) {
    let Entry {
        path,
        kind,
        exec,
        digest,
        identity: _,
    } = input;
    let mut value = [0; 34];
    value[0] = kind_byte(*kind);
    value[1] = u8::from(*exec);
    value[2..].copy_from_slice(&digest.0);
    items.named(path_bytes(path), &value);
}

/// The kind as it stands in keys.
pub(super) fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::File => 1,
        Kind::Link => 2,
        Kind::EmptyFolder => 3,
        Kind::Absent => 4,
    }
}

/// Path or pattern as the name, so that it can be shown; form and flags as the value.
fn push_output(items: &mut Items<'_>, output: &Output) {
    let Output {
        kind,
        optional,
        negated,
    } = output;
    let (form, name) = match kind {
        OutputKind::File(path) => (1, path.as_bytes().to_vec()),
        OutputKind::Folder(path) => (2, path.as_bytes().to_vec()),
        OutputKind::Glob(pattern) => (3, pattern.text().as_bytes().to_vec()),
    };
    items.named(&name, &[form, u8::from(*optional), u8::from(*negated)]);
}

/// What a check is about as the name; all that it demands as the value. How long it is tried and
/// what it says when it fails change no result.
fn push_check(items: &mut Items<'_>, (check, filled): &(Check, Option<String>)) {
    let Check {
        kind,
        within: _,
        timeout: _,
        message: _,
        late: _, // filled in
    } = check;
    let mut value = Vec::new();
    let name = match kind {
        CheckKind::File {
            path,
            min_size,
            max_size,
            executable,
            matches,
        } => {
            value.push(1);
            push_option(&mut value, min_size.map(u64::to_le_bytes));
            push_option(&mut value, max_size.map(u64::to_le_bytes));
            push_option(&mut value, executable.map(|wanted| [u8::from(wanted)]));
            push_option(&mut value, matches.as_ref());
            path.as_bytes().to_vec()
        }
        CheckKind::Run {
            script: _,
            matches,
            not_matches,
        } => {
            value.push(2);
            push_option(&mut value, matches.as_ref());
            push_option(&mut value, not_matches.as_ref());
            filled.clone().unwrap_or_default().into_bytes()
        }
        CheckKind::Env { name } => {
            value.push(3);
            name.clone().into_bytes()
        }
        CheckKind::Tool {
            name,
            version,
            command: _,
        } => {
            value.push(4);
            push_option(&mut value, version.as_ref());
            if let Some(command) = filled {
                push_text(&mut value, command.as_bytes());
            }
            name.clone().into_bytes()
        }
        CheckKind::Tcp { address } => {
            value.push(5);
            address.clone().into_bytes()
        }
        CheckKind::Http {
            url,
            status,
            matches,
        } => {
            value.push(6);
            push_option(&mut value, matches.as_ref());
            value.extend(status.iter().flat_map(|code| code.to_le_bytes()));
            url.clone().into_bytes()
        }
    };
    items.named(&name, &value);
}

/// Something that may be there or not.
fn push_option<T: AsRef<[u8]>>(bytes: &mut Vec<u8>, value: Option<T>) {
    match value {
        Some(value) => push_text(bytes, &set(value.as_ref())),
        None => push_text(bytes, UNSET),
    }
}
