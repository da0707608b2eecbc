//! The layers of declared environment: `env` of workspace, pipeline, profile and step, and the dotenv
//! files of pipeline and step below theirs.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::error::ExpandError;
use super::facts::EnvFile;
use super::instance::Findings;
use super::names::{undeclared, undefined};
use super::parts::{folder, take};
use super::resolved::EnvSetting;
use super::scope::{Expanded, Known, Reader, Scope, Typed};
use super::template::Template;
use super::value::Val;
use crate::model::{EnvFileText, EnvMap, EnvText};
use crate::source::Span;

/// The variables of some dotenv files, once they were asked for.
pub(super) type FileLayer = OnceCell<Expanded<BTreeMap<String, String>>>;

/// Where a variable has its value from.
enum Declared<'a> {
    Written(&'a EnvText),
    File(String),
}

impl<'a> Scope<'a> {
    /// All declared variables of the step. Those that are secrets of it are left out: what a dotenv
    /// file says of them is for other steps.
    pub(super) fn environment(&self, errors: &mut Findings) -> BTreeMap<String, EnvSetting> {
        let mut env = BTreeMap::new();
        for name in self.names(errors) {
            if self.is_secret(&name) {
                continue;
            }
            let declared = self.declared(&name).transpose();
            let setting = declared.map(|declared| self.setting(&name, declared?));
            if let Some(setting) = setting.and_then(|setting| take(setting, errors)) {
                env.insert(name, setting);
            }
        }
        self.check_secrets(errors);
        env
    }

    /// The names that any layer has.
    fn names(&self, errors: &mut Findings) -> std::collections::BTreeSet<String> {
        let mut names: std::collections::BTreeSet<String> = self
            .written_layers()
            .into_iter()
            .flatten()
            .flat_map(|layer| layer.keys().cloned())
            .collect();
        for layer in [self.step_files(), self.pipeline_files()] {
            let variables = take(layer, errors);
            names.extend(
                variables
                    .into_iter()
                    .flat_map(|layer| layer.keys().cloned()),
            );
        }
        names
    }

    /// `env` of step, profile, pipeline and workspace.
    fn written_layers(&self) -> [Option<&'a EnvMap>; 4] {
        let profile = self
            .profile
            .and_then(|name| self.pipeline.profiles.get(name));
        [
            self.step.map(|step| &step.env),
            profile.map(|profile| &profile.env),
            Some(&self.pipeline.env),
            Some(&self.workspace.settings.env),
        ]
    }

    /// A variable as the strongest layer has it. A file is read only if no layer above has the name,
    /// so that `env` can stand in the path of a file below it.
    fn declared(&self, name: &str) -> Expanded<Option<Declared<'a>>> {
        let written = |layer: Option<&'a EnvMap>| {
            let text = layer.and_then(|layer| layer.get(name));
            text.map(|text| Declared::Written(&text.value))
        };
        let in_file = |layer: Expanded<&BTreeMap<String, String>>| {
            layer.map(|layer| layer.get(name).cloned().map(Declared::File))
        };
        let [step, profile, pipeline, workspace] = self.written_layers();
        if let Some(found) = written(step) {
            return Ok(Some(found));
        }
        if let Some(found) = in_file(self.step_files())? {
            return Ok(Some(found));
        }
        if let Some(found) = written(profile).or_else(|| written(pipeline)) {
            return Ok(Some(found));
        }
        Ok(in_file(self.pipeline_files())?.or_else(|| written(workspace)))
    }

    /// The same for an expression, which may stand in the path of a file.
    fn sought(&self, name: &str, span: Span) -> Expanded<Option<Declared<'a>>> {
        self.enter(&format!("env.{name}"), span)?;
        let found = self.declared(name);
        self.leave();
        found
    }

    fn setting(&self, name: &str, declared: Declared<'_>) -> Expanded<EnvSetting> {
        Ok(match declared {
            Declared::File(value) => EnvSetting::Set(Template::text(value)),
            Declared::Written(EnvText::Unset) => EnvSetting::Unset,
            Declared::Written(EnvText::Value(text)) => {
                EnvSetting::Set(self.template(text, Reader::Late)?)
            }
            Declared::Written(EnvText::FromCaller { default }) => {
                match (self.facts.env.get(name), default) {
                    (Some(value), _) => EnvSetting::Set(Template::text(value.as_str())),
                    (None, Some(default)) => EnvSetting::Set(self.template(default, Reader::Late)?),
                    (None, None) => EnvSetting::Unset,
                }
            }
        })
    }

    fn is_secret(&self, name: &str) -> bool {
        let secrets = self.step.iter().flat_map(|step| &step.secrets);
        secrets.into_iter().any(|secret| secret.value == name)
    }

    /// What `env` declares is in the key, in records and in what `pipe why` says: no place for a
    /// secret.
    fn check_secrets(&self, errors: &mut Findings) {
        for secret in self.step.iter().flat_map(|step| &step.secrets) {
            let name = &secret.value;
            let mut layers = self.written_layers().into_iter().flatten();
            if layers.any(|layer| layer.contains_key(name)) {
                errors.push(ExpandError::BadKey {
                    message: format!("`{name}` is a secret here and declared in `env` as well"),
                    span: secret.span,
                    help: Some(
                        "what `env` declares is part of the key and shown by `pipe why`: keep one of the two"
                            .to_owned(),
                    ),
                });
            }
        }
    }

    /// Whether `env.NAME` has a value at all.
    pub(super) fn has_variable(&self, name: &str) -> bool {
        !self.is_secret(name) && matches!(self.declared(name), Ok(Some(_)))
    }

    /// The value of `env.NAME`.
    pub(super) fn variable(&self, variable: &str, name: &str, span: Span) -> Expanded<Known> {
        let found = match self.is_secret(variable) {
            true => None,
            false => self.sought(variable, span)?,
        };
        if found.is_none() && self.any_variable.get() {
            return Ok(Known::of(Val::Text(String::new())));
        }
        let Some(declared) = found else {
            let known = self.names(&mut Findings::new());
            let known = known.iter().map(String::as_str);
            return Err(match self.is_secret(variable) {
                true => undefined(name, variable, known, span),
                false => undeclared(name, "env", variable, known, span),
            });
        };
        let outside = |value: String| Known {
            value: Val::Text(value),
            outside: Some(name.to_owned()),
            typed: Typed::Nothing,
        };
        let empty = || Known::of(Val::Text(String::new()));
        self.once(&format!("env.{variable}"), span, || match declared {
            // Such a file is a person's own as often as not.
            Declared::File(value) => Ok(outside(value)),
            Declared::Written(EnvText::Value(text)) => self.text_value(text),
            Declared::Written(EnvText::Unset) => Ok(empty()),
            Declared::Written(EnvText::FromCaller { default }) => {
                let value = match (self.facts.env.get(variable), default) {
                    (Some(value), _) => Ok(outside(value.clone())),
                    (None, Some(default)) => self.text_value(default),
                    (None, None) => Ok(empty()),
                };
                // Whoever calls: what only some can run would be found out by the others.
                value.map(|known| Known {
                    outside: Some(name.to_owned()),
                    ..known
                })
            }
        })
    }

    fn step_files(&self) -> Expanded<&BTreeMap<String, String>> {
        let files = self.step.map_or(&[][..], |step| &step.env_files);
        self.file_layer(&self.step_files, files, "the step's env_files")
    }

    fn pipeline_files(&self) -> Expanded<&BTreeMap<String, String>> {
        let files = &self.pipeline.env_files;
        self.file_layer(&self.pipeline_files, files, "the pipeline's env_files")
    }

    /// What `files` say together.
    fn file_layer<'s>(
        &'s self,
        layer: &'s FileLayer,
        files: &[EnvFileText],
        name: &str,
    ) -> Expanded<&'s BTreeMap<String, String>> {
        if layer.get().is_none() && !files.is_empty() {
            self.enter(name, files[0].path.span)?;
            let read = self.read_all(files);
            self.leave();
            let _ = layer.set(read);
        }
        let read = layer.get_or_init(|| Ok(BTreeMap::new()));
        read.as_ref().map_err(Clone::clone)
    }

    fn read_all(&self, files: &[EnvFileText]) -> Expanded<BTreeMap<String, String>> {
        let mut variables = BTreeMap::new();
        for file in files {
            self.read(file, &mut variables)?;
        }
        Ok(variables)
    }

    /// Adds what `file` says. Its mistakes beside the first, and its warnings, go to `more`.
    fn read(&self, file: &EnvFileText, to: &mut BTreeMap<String, String>) -> Expanded<()> {
        let span = file.path.span;
        let path = folder(self, &file.path)?;
        let wrong = |reason: &str, help: &str| ExpandError::EnvFile {
            path: path.to_string(),
            reason: reason.to_owned(),
            span,
            help: help.to_owned(),
        };
        if self
            .facts
            .made
            .get()
            .is_some_and(|made| made.matches(&path))
        {
            let help = format!(
                "such files are read before the first step runs; a step that needs what another one wrote \
                 reads it in its script: `. ./{}`",
                file.path.text
            );
            return Err(wrong("is made by a step", &help));
        }
        let found = (self.facts.env_file)(&path);
        let (dotenv, place) = match &*found {
            EnvFile::Missing if file.optional => return Ok(()),
            EnvFile::Unknown => {
                self.any_variable.set(true);
                return Ok(());
            }
            EnvFile::Missing => {
                let help = format!(
                    "where it need not be there, write `{{ path: {}, optional: true }}`",
                    file.path.text
                );
                return Err(wrong("does not exist", &help));
            }
            EnvFile::Unreadable(reason) => {
                let help = "a dotenv file holds lines of `NAME=value`";
                return Err(wrong(&format!("cannot be read: {reason}"), help));
            }
            EnvFile::Read { dotenv, span } => (dotenv, *span),
        };
        let mut first = None;
        for fault in &dotenv.faults {
            let error = ExpandError::of_dotenv(fault, place);
            match first {
                None if !fault.is_warning => first = Some(error),
                _ => self.more.borrow_mut().push(error),
            }
        }
        to.extend(dotenv.variables.iter().cloned());
        first.map_or(Ok(()), Err)
    }
}
