//! What a step's processes see of variables.
//!
//! From below to above: what the caller's environment hands through (everything, or for
//! `EnvPolicy::Strict` the list [`HANDED_THROUGH`] and the step's `pass_env`), its `secrets`, the fixed base
//! ([`BASE_ENV`]), hints about colours, the step's `env`, and its `path` in front of `PATH`. What
//! is handed through is in no key. Knows no process and no cache state.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::OnceLock;

use super::mask::SHORTEST;
use crate::cache::BASE_ENV;
use crate::expand::{FillError, Late};
use crate::path::to_os;
use crate::plan::{EnvPolicy, EnvSetting, HANDED_THROUGH, PlanStep, covers};

/// A step's or the caller's variables.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// The caller's variables, and what of them a step sees that asks for none: worked out once a run.
pub(super) struct Caller<'a> {
    all: &'a Variables,
    strict: OnceLock<Variables>,
    inherited: OnceLock<Variables>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(all: &'a Variables) -> Self {
        Self {
            all,
            strict: OnceLock::new(),
            inherited: OnceLock::new(),
        }
    }

    fn handed_through(&self, step: &PlanStep) -> Variables {
        let mut variables = self.under(step.env_policy).clone();
        let patterns = &step.pass_env;
        if !patterns.is_empty() {
            let asked = |name: &str| patterns.iter().any(|pattern| covers(pattern, name));
            variables.extend(self.those(asked));
        }
        variables
    }

    /// The values of the step's secrets, as far as they are set.
    pub(super) fn secrets(&self, step: &PlanStep) -> impl Iterator<Item = (&OsString, &OsString)> {
        let all = self.all;
        let names = step.secrets.clone().into_iter().map(OsString::from);
        names.filter_map(move |name| all.get_key_value(&name))
    }

    /// Why the step's secrets cannot be used, if that is so.
    pub(super) fn bad_secret(&self, step: &PlanStep) -> Option<String> {
        step.secrets.iter().find_map(|name| {
            match self.all.get(OsStr::new(name)).map(|value| value.len()) {
                None => Some(format!("the secret `{name}` is not set")),
                Some(0) => Some(format!("the secret `{name}` is empty")),
                Some(length) if length < SHORTEST => Some(format!(
                    "the secret `{name}` is shorter than {SHORTEST} bytes: it could not be masked"
                )),
                Some(_) => None,
            }
        })
    }

    fn under(&self, policy: EnvPolicy) -> &Variables {
        let is_inherited = policy == EnvPolicy::Inherit;
        let place = if is_inherited {
            &self.inherited
        } else {
            &self.strict
        };
        place.get_or_init(|| {
            let wanted = |name: &str| {
                (is_inherited || HANDED_THROUGH.contains(&name)) && !NEVER.contains(&name)
            };
            self.those(wanted).collect()
        })
    }

    fn those(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (OsString, OsString)> {
        let kept = self.all.iter();
        let kept = kept.filter(move |(name, _)| wanted(&name.to_string_lossy()));
        kept.map(|(name, value)| (name.clone(), value.clone()))
    }
}

/// What of the caller's environment is about the caller's own process and never about a step's.
const NEVER: &[&str] = &[
    "PWD",
    "OLDPWD",
    "_",
    "SHLVL",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
];

/// Programs that know these print colours although nobody sees a terminal. In no key.
const COLOR_HINTS: [(&str, &str); 2] = [("CLICOLOR_FORCE", "1"), ("FORCE_COLOR", "1")];

/// The environment of `step`'s processes.
///
/// # Errors
///
/// When a value cannot be filled in.
pub(super) fn environment(
    step: &PlanStep,
    late: &Late,
    caller: &Caller<'_>,
    root: &Path,
    color: bool,
) -> Result<Variables, FillError> {
    let mut variables = caller.handed_through(step);
    let secrets = caller.secrets(step);
    variables.extend(secrets.map(|(name, value)| (name.clone(), value.clone())));
    for (name, value) in BASE_ENV {
        let asked = step.pass_env.iter().chain(&step.secrets);
        if !asked.into_iter().any(|asked| asked == name) {
            variables.insert(name.into(), value.into());
        }
    }
    if color {
        variables.extend(COLOR_HINTS.map(|(name, value)| (name.into(), value.into())));
    }
    for (name, setting) in &step.env {
        match setting {
            EnvSetting::Set(value) => variables.insert(name.into(), to_os(&value.fill(late)?)),
            EnvSetting::Unset => variables.remove(OsStr::new(name)),
        };
    }
    put_in_front(&mut variables, step, root);
    Ok(variables)
}

fn put_in_front(variables: &mut Variables, step: &PlanStep, root: &Path) {
    if step.path.is_empty() {
        return;
    }
    let mut path = OsString::new();
    for folder in &step.path {
        path.push(folder.under(root));
        path.push(":");
    }
    path.push(
        variables
            .get(OsStr::new("PATH"))
            .map_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"), |old| old),
    );
    variables.insert("PATH".into(), path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixture;
    use crate::expand::Template;
    use crate::path::RelPath;

    fn caller() -> Variables {
        let pairs = [
            ("PATH", "/bin"),
            ("HOME", "/h"),
            ("CC", "gcc"),
            ("AWS_A", "1"),
            ("TZ", "CET"),
            ("PWD", "/x"),
        ];
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    }

    fn seen(step: &PlanStep, color: bool) -> String {
        let variables = environment(
            step,
            &Late::default(),
            &Caller::new(&caller()),
            Path::new("/w"),
            color,
        )
        .unwrap();
        let pairs = variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()));
        pairs.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_strict_step_sees_the_list_and_what_it_asks_for() {
        let mut step = fixture::step("s", "true");
        step.env_policy = EnvPolicy::Strict;
        assert_eq!(
            seen(&step, false),
            "HOME=/h LC_ALL=C.UTF-8 PATH=/bin TZ=UTC"
        );
        step.pass_env = vec!["AWS_*".to_owned(), "TZ".to_owned()];
        assert_eq!(
            seen(&step, false),
            "AWS_A=1 HOME=/h LC_ALL=C.UTF-8 PATH=/bin TZ=CET"
        );
    }

    #[test]
    fn an_inheriting_step_sees_the_callers_with_the_base_on_top() {
        let mut step = fixture::step("s", "true");
        step.env_policy = EnvPolicy::Inherit;
        step.env.insert("CC".to_owned(), EnvSetting::Unset);
        step.env
            .insert("TZ".to_owned(), EnvSetting::Set(Template::text("EST")));
        step.env.insert(
            "FORCE_COLOR".to_owned(),
            EnvSetting::Set(Template::text("0")),
        );
        let seen = seen(&step, true);
        assert_eq!(
            seen,
            "AWS_A=1 CLICOLOR_FORCE=1 FORCE_COLOR=0 HOME=/h LC_ALL=C.UTF-8 PATH=/bin TZ=EST"
        );
    }

    #[test]
    fn folders_go_in_front_of_the_path() {
        let mut step = fixture::step("s", "true");
        step.path = vec![RelPath::root().join(b"tools"), RelPath::root()];
        assert!(seen(&step, false).contains(" PATH=/w/tools:/w:/bin "));
    }
}
