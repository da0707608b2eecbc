//! What pipeline files extend: entries of the root's `workspace.templates`, and files.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use miette::LabeledSpan;

use super::discover::Loader;
use super::{ENDINGS, LoadError};
use crate::model::of_template;
use crate::parse::{self, Base, Inherited, Template};
use crate::path::RelPath;
use crate::source::{Span, Spanned};
use crate::suggest::did_you_mean;

/// So many templates may extend each other in a row.
const LONGEST_CHAIN: usize = 64;

/// Something with keys that can be extended, and can extend something.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Id {
    /// An entry of `workspace.templates`.
    Named(String),
    /// A file.
    File(RelPath),
}

/// All templates of a workspace.
#[derive(Default)]
pub(super) struct Templates {
    /// Entries of `workspace.templates`, as written.
    named: IndexMap<String, Template>,
    /// Files of `pipelines/` whose names begin with `_`.
    files: IndexSet<RelPath>,
    /// Those that were asked for, with all that they extend.
    ready: HashMap<Id, Found>,
    pub(super) inherited: Inherited,
    /// The file with `workspace.templates` could not be read: a name that is missing may be in it.
    pub(super) incomplete: bool,
}

/// What came of an `extends`.
#[derive(Clone)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// An error was reported.
    Unknown,
    /// This.
    Template(Arc<Template>),
}

impl Found {
    pub(super) fn as_base(&self) -> Base<'_> {
        match self {
            Self::Nothing => Base::None,
            Self::Unknown => Base::Unknown,
            Self::Template(template) => Base::Template(template),
        }
    }
}

impl Templates {
    pub(super) fn add_named(&mut self, named: Vec<(Spanned<String>, Template)>) {
        let named = named.into_iter();
        self.named
            .extend(named.map(|(name, template)| (name.value, template)));
    }

    pub(super) fn add_file(&mut self, file: RelPath) {
        self.files.insert(file);
    }
}

/// A file or template on the way from one to what it extends, with the place of its `extends`.
type Trail = Vec<(Id, Span)>;

impl Loader {
    /// What `id` extends, where its `extends` says so.
    pub(super) fn base_of(&mut self, id: Id, extends: Option<Spanned<String>>) -> Found {
        self.base(id, extends, &mut Trail::new())
    }

    /// All templates by themselves, also of those that nobody extends.
    pub(super) fn check_templates(&mut self) {
        let named = self.templates.named.keys().cloned().map(Id::Named);
        let files = self.templates.files.iter().cloned().map(Id::File);
        for id in named.chain(files).collect::<Vec<_>>() {
            let found = self.ready(id, &mut Trail::new()).unwrap_or_else(|error| {
                self.loaded.load.push(error);
                Found::Unknown
            });
            if let Found::Template(template) = found {
                let parsed = parse::check(&template, &self.loaded.sources);
                self.loaded.model.extend(of_template(&parsed.document));
                self.complain(parsed.errors);
            }
        }
    }

    fn base(&mut self, id: Id, extends: Option<Spanned<String>>, trail: &mut Trail) -> Found {
        let Some(extends) = extends else {
            return Found::Nothing;
        };
        let folder = match &id {
            Id::File(file) => file.parent().unwrap_or_default(),
            Id::Named(_) => RelPath::root(),
        };
        trail.push((id, extends.span));
        let found = self
            .target(&extends, &folder)
            .and_then(|target| self.extended(target, &extends, trail));
        trail.pop();
        found.unwrap_or_else(|error| {
            let follows = matches!(error, LoadError::UnknownTemplate { .. });
            if !(follows && self.templates.incomplete) {
                self.loaded.load.push(error);
            }
            Found::Unknown
        })
    }

    /// What `extends` means in a file of `folder`.
    fn target(&self, extends: &Spanned<String>, folder: &RelPath) -> Result<Id, LoadError> {
        let name = &extends.value;
        let is_path = name.contains('/') || ENDINGS.iter().any(|ending| has_ending(name, ending));
        if self.templates.named.contains_key(name) {
            Ok(Id::Named(name.clone()))
        } else if is_path {
            RelPath::resolve(folder, name.as_bytes())
                .map(Id::File)
                .map_err(|error| self.unknown(format!("`{name}` {error}"), extends))
        } else {
            Err(self.unknown(format!("there is no template `{name}`"), extends))
        }
    }

    /// The end of `trail` extends `id`.
    fn extended(
        &mut self,
        id: Id,
        extends: &Spanned<String>,
        trail: &mut Trail,
    ) -> Result<Found, LoadError> {
        if let Some(at) = trail.iter().position(|(other, _)| *other == id) {
            return Err(circle(&trail[at..]));
        }
        if trail.len() > LONGEST_CHAIN {
            let (most, span) = (LONGEST_CHAIN, extends.span);
            return Err(LoadError::ExtendsChain { most, span });
        }
        self.ready(id, trail).map_err(|error| match error {
            LoadError::Unreadable { path, reason } => {
                self.unknown(format!("cannot read `{path}`: {reason}"), extends)
            }
            error => error,
        })
    }

    /// A template with all that it extends.
    fn ready(&mut self, id: Id, trail: &mut Trail) -> Result<Found, LoadError> {
        if let Some(found) = self.templates.ready.get(&id) {
            return Ok(found.clone());
        }
        let written = match &id {
            Id::Named(name) => self.templates.named.get(name).cloned(),
            Id::File(file) => self.template_in(file)?,
        };
        let found = match written {
            None => Found::Unknown,
            Some(template) => {
                let base = self.base(id.clone(), template.extends(), trail);
                let inherited = &mut self.templates.inherited;
                let (template, errors) = template.over(base.as_base(), inherited);
                self.complain(errors);
                match base {
                    Found::Unknown => Found::Unknown,
                    _ => Found::Template(Arc::new(template)),
                }
            }
        };
        self.templates.ready.insert(id, found.clone());
        Ok(found)
    }

    fn template_in(&mut self, file: &RelPath) -> Result<Option<Template>, LoadError> {
        self.look_at(file.under(&self.root));
        let source = self.source(file).map_err(|reason| {
            let path = file.to_string();
            LoadError::Unreadable { path, reason }
        })?;
        let Some(source) = source else {
            return Ok(None);
        };
        let (template, errors) = parse::read(&source).into_template();
        self.complain(errors);
        Ok(template)
    }

    fn unknown(&self, message: String, extends: &Spanned<String>) -> LoadError {
        let files = self.templates.files.iter().map(|file| format!("//{file}"));
        let known: Vec<String> = self.templates.named.keys().cloned().chain(files).collect();
        let help = if known.is_empty() {
            "write it into `workspace.templates` of the root's `pipe.yaml`, or extend a file by its path, \
             relative to this one or, with `//`, to the root"
                .to_owned()
        } else {
            did_you_mean(&extends.value, known.iter().map(String::as_str))
        };
        let span = extends.span;
        LoadError::UnknownTemplate {
            message,
            span,
            help,
        }
    }
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, last)| last == ending)
}

/// The templates of `trail`, the last of which extends the first.
fn circle(trail: &[(Id, Span)]) -> LoadError {
    let names = trail.iter().chain(trail.first()).map(|(id, _)| match id {
        Id::Named(name) => name.clone(),
        Id::File(file) => file.to_string(),
    });
    let places = trail
        .iter()
        .map(|(_, span)| LabeledSpan::new_with_span(None, *span));
    LoadError::ExtendsCircle {
        circle: names.collect::<Vec<_>>().join(" → "),
        places: places.collect(),
    }
}
