//! Documents to pipelines: the border between "as written" and "as meant".
//!
//! Nothing stops at the first error: what cannot be read is reported and left out.

use std::borrow::Cow;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::error::{Complaint, ModelError};
use super::name::NameKind;
use super::pipeline::{Pipeline, Profile, Settings, Target, Vars};
use super::quantity::{duration, size};
use super::reference::Reference;
use super::step::{EnvFileText, EnvMap, EnvText, Written};
use crate::parse::{
    EnvDoc, EnvFileDoc, List, Map, PipelineDoc, StepDoc, TargetDoc, Text, ValueDoc, WorkspaceDoc,
};
use crate::path::RelPath;
use crate::source::{Span, Spanned};

mod check;
mod matrix;
mod step;

/// What a file's place says about its pipeline, where the file itself does not.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub file: RelPath,
    /// The name that it has by its place.
    pub name: String,
    /// The folder that it has by its place.
    pub dir: RelPath,
    /// The member folder it stands in.
    pub member: Option<RelPath>,
    /// The start of the file.
    pub start: Span,
    /// The whole file, where it extends another.
    pub own: Option<Span>,
    /// Whether it is the root's `pipe.yaml`, which may have a `workspace:` key.
    pub is_root: bool,
}

/// A pipeline and all that is wrong with it.
#[derive(Debug)]
pub struct Lowered {
    /// The pipeline, without what could not be read.
    pub pipeline: Pipeline,
    /// The `workspace:` key, where it may stand.
    pub settings: Option<Settings>,
    /// What is wrong.
    pub errors: Vec<ModelError>,
}

/// Makes a pipeline of `document`. `workspace_defaults` is the root's `workspace.defaults`.
pub fn lower(
    document: &PipelineDoc,
    place: Place,
    workspace_defaults: Option<&StepDoc>,
) -> Lowered {
    let mut lowering = Lowering { errors: Vec::new() };
    let settings = lowering.settings(document, &place);
    let pipeline = lowering.pipeline(document, place, workspace_defaults);
    Lowered {
        pipeline,
        settings,
        errors: lowering.errors,
    }
}

/// What is wrong in a template, whatever those who extend it add.
pub fn of_template(document: &PipelineDoc) -> Vec<ModelError> {
    let mut lowering = Lowering { errors: Vec::new() };
    for (name, doc) in entries(document.steps.as_ref()) {
        lowering.name(&name.value, name.span, NameKind::Step);
        lowering.part_of_a_step(&doc.value);
    }
    lowering.targets(document);
    lowering.profiles(document);
    lowering.env(document.env.as_ref());
    lowering.defaults(document.defaults.as_ref());
    let is_whole = |error: &ModelError| !matches!(error, ModelError::NothingToDo { .. });
    lowering.errors.retain(is_whole);
    lowering.errors
}

/// What all steps of a file together take from `defaults`, as [`weight`] counts it: some keys for
/// each of 100 000 steps.
const MAX_INHERITED: usize = 128 << 20;

/// Collects errors on the way.
struct Lowering {
    errors: Vec<ModelError>,
}

impl Lowering {
    fn pipeline(
        &mut self,
        document: &PipelineDoc,
        place: Place,
        workspace_defaults: Option<&StepDoc>,
    ) -> Pipeline {
        let name = match &document.name {
            Some(name) => self.name(&name.value.text, name.span, NameKind::Pipeline),
            None => self.name_by_place(document, &place),
        };
        self.defaults(document.defaults.as_ref());
        let mut defaults = document.defaults.as_ref().map(|d| d.value.clone());
        if let Some(of_workspace) = workspace_defaults {
            step::fill_in(defaults.get_or_insert_default(), of_workspace);
        }
        let dir = self.dir(document, &place);
        let steps = self.steps(document, defaults.as_ref());
        let pipeline = Pipeline {
            name,
            file: place.file,
            own: place.own,
            description: document
                .description
                .as_ref()
                .map(|text| text.value.text.clone()),
            dir,
            member: place.member,
            vars: vars(document.vars.as_ref()),
            env: self.env(document.env.as_ref()),
            env_files: env_files(document.env_files.as_ref()),
            profiles: self.profiles(document),
            targets: self.targets(document),
            steps,
        };
        self.check_targets(&pipeline);
        pipeline
    }

    /// What is wrong with defaults, whether a step takes them or not.
    fn defaults(&mut self, doc: Option<&Spanned<StepDoc>>) {
        if let Some(doc) = doc {
            self.part_of_a_step(&doc.value);
        }
    }

    /// What is wrong with keys of a step, whatever other keys it has.
    fn part_of_a_step(&mut self, doc: &StepDoc) {
        let mut part = doc.clone();
        part.unread.push("others");
        let name = Spanned::new("part".to_owned(), Span::default());
        self.step(name, &part);
    }

    /// The name of a file that does not say it. What nobody can refer to needs none.
    fn name_by_place(&mut self, document: &PipelineDoc, place: &Place) -> Spanned<String> {
        if document.steps.is_some() && !NameKind::Pipeline.allows(&place.name) {
            self.errors.push(ModelError::BadPlaceName {
                name: place.name.clone(),
                span: place.start,
            });
        }
        Spanned::new(place.name.clone(), place.start)
    }

    fn dir(&mut self, document: &PipelineDoc, place: &Place) -> RelPath {
        let Some(dir) = &document.dir else {
            return place.dir.clone();
        };
        RelPath::resolve(&place.dir, dir.value.text.as_bytes()).unwrap_or_else(|error| {
            let help = "a pipeline's folder is in the workspace: `//x` is `x` in its root";
            self.bad_value(format!("`{}` {error}", dir.value.text), dir.span, help);
            place.dir.clone()
        })
    }

    fn steps(
        &mut self,
        document: &PipelineDoc,
        defaults: Option<&StepDoc>,
    ) -> IndexMap<String, super::Step> {
        let written = entries(document.steps.as_ref());
        let mut steps = IndexMap::with_capacity(written.len());
        let of_each = defaults.map_or(0, |defaults| {
            weight(defaults).saturating_sub(weight(&StepDoc::default()))
        });
        let mut inherited = 0;
        for (name, doc) in written {
            let name = self.name(&name.value, name.span, NameKind::Step);
            let mut doc = Cow::Borrowed(&doc.value);
            if let Some(defaults) = defaults {
                inherited += of_each;
                if inherited > MAX_INHERITED {
                    let message = "the defaults are too large for so many steps".to_owned();
                    let help = "give long lists and texts only to the steps that use them";
                    self.bad_value(message, name.span, help);
                    break;
                }
                step::fill_in(doc.to_mut(), defaults);
            }
            steps.insert(name.value.clone(), self.step(name, &doc));
        }
        steps
    }

    fn settings(&mut self, document: &PipelineDoc, place: &Place) -> Option<Settings> {
        let workspace = document.workspace.as_ref()?;
        if !place.is_root {
            self.errors.push(ModelError::WorkspaceInMember {
                span: workspace.span,
            });
            return None;
        }
        Some(self.workspace(&workspace.value))
    }

    fn workspace(&mut self, document: &WorkspaceDoc) -> Settings {
        self.defaults(document.defaults.as_ref());
        let cache = document.cache.as_ref().map(|cache| &cache.value);
        Settings {
            ignore: texts(document.ignore.as_ref())
                .map(|text| text.text.clone())
                .collect(),
            jobs: document.jobs.as_ref().map(|jobs| jobs.value as usize),
            pools: entries(document.pools.as_ref())
                .map(|(name, places)| (name.value.clone(), places.value as usize))
                .collect(),
            keep_going: document.keep_going.as_ref().is_some_and(|keep| keep.value),
            store: cache
                .and_then(|cache| cache.dir.as_ref())
                .map(|dir| PathBuf::from(&dir.value.text)),
            max_size: self.read(cache.and_then(|cache| cache.max_size.as_ref()), size),
            max_age: self.read(cache.and_then(|cache| cache.max_age.as_ref()), duration),
            durable: self
                .read(
                    cache.and_then(|cache| cache.durability.as_ref()),
                    durability,
                )
                .unwrap_or_default(),
            salt: cache
                .and_then(|cache| cache.salt.as_ref())
                .map(|salt| salt.value.text.clone()),
            env: self.env(document.env.as_ref()),
            vars: vars(document.vars.as_ref()),
        }
    }

    fn profiles(&mut self, document: &PipelineDoc) -> IndexMap<String, Profile> {
        entries(document.profiles.as_ref())
            .map(|(name, doc)| {
                let name = self.name(&name.value, name.span, NameKind::Profile);
                let profile = Profile {
                    span: name.span,
                    vars: vars(doc.value.vars.as_ref()),
                    env: self.env(doc.value.env.as_ref()),
                };
                (name.value, profile)
            })
            .collect()
    }

    fn targets(&mut self, document: &PipelineDoc) -> IndexMap<String, Target> {
        entries(document.targets.as_ref())
            .map(|(name, doc)| {
                let name = self.name(&name.value, name.span, NameKind::Target);
                let target = self.target(&name, &doc.value);
                (name.value, target)
            })
            .collect()
    }

    fn target(&mut self, name: &Spanned<String>, doc: &TargetDoc) -> Target {
        if doc.steps.is_empty() {
            self.errors.push(ModelError::NothingToDo {
                what: "target",
                name: name.value.clone(),
                span: name.span,
                help: "list the steps that it stands for: `all: [build, test]`",
            });
        }
        Target {
            span: name.span,
            steps: doc
                .steps
                .iter()
                .filter_map(|text| self.reference(text))
                .collect(),
            profile: doc
                .profile
                .as_ref()
                .map(|text| Spanned::new(text.text.clone(), text.span)),
            description: doc.description.clone(),
        }
    }

    /// A target must not have a step's name, nor name a profile that is not there.
    fn check_targets(&mut self, pipeline: &Pipeline) {
        for (name, target) in &pipeline.targets {
            if let Some(step) = pipeline.steps.get(name) {
                let (name, step) = (name.clone(), step.name.span);
                self.errors.push(ModelError::StepAndTarget {
                    name,
                    target: target.span,
                    step,
                });
            }
            let Some(profile) = &target.profile else {
                continue;
            };
            if profile.value.contains("${{") {
                let Complaint { message, help } = no_expression();
                self.bad_value(message, profile.span, help);
                continue;
            }
            if !pipeline.profiles.contains_key(&profile.value) {
                let known: Vec<&str> = pipeline.profiles.keys().map(String::as_str).collect();
                self.errors.push(ModelError::UnknownProfile {
                    name: profile.value.clone(),
                    span: profile.span,
                    help: match known.as_slice() {
                        [] => "it has no `profiles:` at all".to_owned(),
                        known => format!("it has {}", crate::suggest::listing(known)),
                    },
                });
            }
        }
    }

    fn env(&mut self, map: Option<&Spanned<Map<EnvDoc>>>) -> EnvMap {
        let mut env = EnvMap::new();
        for (name, doc) in entries(map) {
            if name.value.is_empty() || name.value.contains(['=', '\0']) {
                self.bad_value(
                    format!("`{}` cannot be the name of a variable", name.value),
                    name.span,
                    "names of variables are not empty and have no `=` in them",
                );
                continue;
            }
            if let Some(value) = self.env_text(&doc.value) {
                env.insert(name.value.clone(), Spanned::new(value, name.span));
            }
        }
        env
    }

    fn env_text(&mut self, doc: &EnvDoc) -> Option<EnvText> {
        Some(match doc {
            EnvDoc::Value(text) => {
                self.no_nul(text);
                EnvText::Value(text.clone())
            }
            EnvDoc::Unset => EnvText::Unset,
            EnvDoc::FromCaller { from, default } if from.text == "caller" => EnvText::FromCaller {
                default: default.clone(),
            },
            EnvDoc::FromCaller { from, .. } => {
                let help = "the only place to take a variable from is `caller`";
                self.bad_value(
                    format!("`{}` is no place to take a variable from", from.text),
                    from.span,
                    help,
                );
                return None;
            }
        })
    }

    fn name(&mut self, name: &str, span: Span, kind: NameKind) -> Spanned<String> {
        if !kind.allows(name) {
            self.errors.push(ModelError::BadName {
                name: name.to_owned(),
                what: kind.words(),
                span,
            });
        }
        Spanned::new(name.to_owned(), span)
    }

    fn reference(&mut self, text: &Text) -> Option<Spanned<Reference>> {
        match Reference::parse(&text.text) {
            Ok(reference) => Some(Spanned::new(reference, text.span)),
            Err(error) => {
                self.errors.push(ModelError::BadReference {
                    message: error.message,
                    span: text.span,
                });
                None
            }
        }
    }

    /// No program can be given a text with a NUL in it.
    fn no_nul(&mut self, text: &Text) {
        if text.text.contains('\0') {
            let message = "there is a NUL character in this text".to_owned();
            let help = "it would end the text for every program: take `\\0` out, or let the script print it";
            self.bad_value(message, text.span, help);
        }
    }

    fn bad_value(&mut self, message: String, span: Span, help: impl Into<String>) {
        let help = help.into();
        self.errors.push(ModelError::BadValue {
            message,
            span,
            help,
        });
    }

    /// What `read` makes of a text without expressions in it.
    fn written<T>(
        &mut self,
        text: Option<&Spanned<Text>>,
        read: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<Written<T>> {
        match text {
            Some(text) if text.value.text.contains("${{") => {
                Some(Written::Expression(text.value.clone()))
            }
            text => self.read(text, read).map(Written::Known),
        }
    }

    /// What `read` makes of a text; its complaint becomes an error.
    fn read<T>(
        &mut self,
        text: Option<&Spanned<Text>>,
        read: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        let text = text?;
        let value = match text.value.text.contains("${{") {
            true => Err(no_expression()),
            false => read(&text.value.text),
        };
        value
            .map_err(|Complaint { message, help }| self.bad_value(message, text.span, help))
            .ok()
    }
}

/// Why an expression is refused where one could be expected.
fn no_expression() -> Complaint {
    Complaint::new(
        "no expression can stand here".to_owned(),
        "what a step is and which profile it has is settled before expressions are worked out: write the word itself",
    )
}

/// Whether a variable may be called so, as far as others find it under that name.
fn is_variable(name: &str) -> bool {
    let is_odd = |c: char| c == '=' || c.is_whitespace() || c.is_control();
    !name.is_empty() && !name.contains(is_odd)
}

/// `fsync`, the one word of `durability`: whether it is there.
fn durability(text: &str) -> Result<bool, Complaint> {
    match text {
        "fsync" => Ok(true),
        _ => Err(Complaint::new(
            format!("`{text}` is no durability"),
            "write `fsync`, or leave the key out: what a power cut spoils is noticed, and made again",
        )),
    }
}

/// How large a document is, about, whatever keys it has.
fn weight(document: &StepDoc) -> usize {
    struct Counter(usize);
    impl std::fmt::Write for Counter {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            match self.0 <= MAX_INHERITED {
                true => Ok(()),
                false => Err(std::fmt::Error),
            }
        }
    }
    let mut counter = Counter(0);
    // It ends early where the document is larger than anything that is allowed.
    let _ = std::fmt::Write::write_fmt(&mut counter, format_args!("{document:?}"));
    counter.0
}

/// The entries of a map that may not be there.
fn entries<T>(
    map: Option<&Spanned<Map<T>>>,
) -> impl ExactSizeIterator<Item = &(Spanned<String>, Spanned<T>)> {
    map.map_or(&[][..], |map| &map.value.0).iter()
}

/// The items of a list that may not be there.
fn texts<T>(list: Option<&Spanned<List<T>>>) -> impl Iterator<Item = &T> {
    list.into_iter().flat_map(|list| &list.value.0)
}

fn env_files(list: Option<&Spanned<List<EnvFileDoc>>>) -> Vec<EnvFileText> {
    let file = |doc: &EnvFileDoc| EnvFileText {
        path: doc.path.clone(),
        optional: doc.optional,
    };
    texts(list).map(file).collect()
}

fn vars(map: Option<&Spanned<Map<ValueDoc>>>) -> Vars {
    entries(map)
        .map(|(name, value)| {
            (
                name.value.clone(),
                Spanned::new(value.value.clone(), name.span),
            )
        })
        .collect()
}
