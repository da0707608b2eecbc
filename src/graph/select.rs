//! References on the command line to steps: scopes, targets, profiles.

use indexmap::IndexMap;
use miette::Diagnostic;
use thiserror::Error;

use crate::model::{Pipeline, Reference, Target, Workspace};
use crate::path::RelPath;
use crate::source::Span;
use crate::suggest::{did_you_mean, listing};

/// Where bare names are looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The pipeline of this member folder.
    Member(RelPath),
    /// All pipelines.
    Workspace,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// References as typed; none means the default target.
    pub references: Vec<String>,
    /// Where bare names are looked up.
    pub scope: Scope,
    /// `-p`: beats the targets' own.
    pub profile: Option<String>,
    /// `--matrix AXIS=VALUE`.
    pub matrix: Vec<(String, String)>,
}

/// A step that was asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Wanted {
    /// The pipeline's name.
    pub pipeline: String,
    /// The step's name.
    pub step: String,
    /// The profile that was asked for.
    pub profile: Option<String>,
    /// Which instances.
    pub cell: Vec<(String, String)>,
    /// Where a target lists it.
    pub span: Option<Span>,
}

/// What can be wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum SelectError {
    /// A name that nothing has.
    #[error("there is no {what} `{name}`")]
    #[diagnostic(code(pipe::select::unknown))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is.
        #[help]
        help: String,
    },
    /// No name, and no default.
    #[error("nothing to run: there is no `default` target here")]
    #[diagnostic(code(pipe::select::no_default))]
    NoDefault {
        /// What there is.
        #[help]
        help: String,
    },
    /// A reference that cannot be read.
    #[error("{message}")]
    #[diagnostic(
        code(pipe::select::bad_reference),
        help("a reference is `pipeline:name@axis=value`, all but the name optional")
    )]
    Bad {
        /// What is wrong.
        message: String,
    },
    /// A target that leads back to itself.
    #[error("targets that list each other: {circle}")]
    #[diagnostic(code(pipe::select::target_circle))]
    Circle {
        /// `a → b → a`.
        circle: String,
    },
    /// A step that is not to be asked for.
    #[error("`{name}` is internal: other steps use it, and it cannot be asked for")]
    #[diagnostic(code(pipe::select::internal))]
    Internal {
        /// The step.
        name: String,
    },
}

/// The steps that `request` asks for, without repetition.
///
/// # Errors
///
/// Everything that is wrong with the request.
pub fn select(workspace: &Workspace, request: &Request) -> Result<Vec<Wanted>, Vec<SelectError>> {
    let mut selection = Selection {
        workspace,
        request,
        wanted: IndexMap::new(),
        errors: Vec::new(),
    };
    selection.check_profile();
    if request.references.is_empty() {
        selection.default_target();
    }
    for text in &request.references {
        match Reference::parse(text) {
            Ok(reference) => selection.reference(&reference),
            Err(error) => selection.errors.push(SelectError::Bad {
                message: error.message,
            }),
        }
    }
    match selection.errors.is_empty() {
        true => Ok(selection.wanted.into_keys().collect()),
        false => Err(selection.errors),
    }
}

struct Selection<'a> {
    workspace: &'a Workspace,
    request: &'a Request,
    wanted: IndexMap<Wanted, ()>,
    errors: Vec<SelectError>,
}

impl<'a> Selection<'a> {
    fn in_scope(&self) -> impl Iterator<Item = &'a Pipeline> {
        let scope = self.request.scope.clone();
        self.workspace
            .pipelines
            .values()
            .filter(move |pipeline| match &scope {
                Scope::Workspace => true,
                Scope::Member(folder) => pipeline.member.as_ref() == Some(folder),
            })
    }

    /// `-p X` that no pipeline in scope has is a mistake.
    fn check_profile(&mut self) {
        let Some(profile) = &self.request.profile else {
            return;
        };
        if !self
            .in_scope()
            .any(|pipeline| pipeline.profiles.contains_key(profile))
        {
            let known = self
                .in_scope()
                .flat_map(|pipeline| pipeline.profiles.keys())
                .map(String::as_str);
            let help = did_you_mean(profile, unique(known));
            self.errors.push(SelectError::Unknown {
                what: "profile",
                name: profile.clone(),
                help,
            });
        }
    }

    fn default_target(&mut self) {
        let defaults: Vec<&Pipeline> = self
            .in_scope()
            .filter(|pipeline| pipeline.targets.contains_key("default"))
            .collect();
        for pipeline in &defaults {
            self.name(pipeline, "default", &[], None, None, &mut Vec::new());
        }
        if defaults.is_empty() {
            let help = match self.names_in_scope().as_slice() {
                [] => "no pipeline file has a target or step yet".to_owned(),
                names => format!(
                    "name one of {}, or add `targets: {{ default: {} }}`",
                    listing(names),
                    names[0]
                ),
            };
            self.errors.push(SelectError::NoDefault { help });
        }
    }

    fn reference(&mut self, reference: &Reference) {
        match &reference.pipeline {
            Some(name) => self.qualified(name, reference),
            None => self.bare(reference),
        }
    }

    fn qualified(&mut self, name: &str, reference: &Reference) {
        let Some(pipeline) = self.workspace.pipelines.get(name) else {
            let help = did_you_mean(name, self.workspace.pipelines.keys().map(String::as_str));
            self.errors.push(SelectError::Unknown {
                what: "pipeline",
                name: name.to_owned(),
                help,
            });
            return;
        };
        let step = if reference.name.is_empty() {
            "default"
        } else {
            &reference.name
        };
        if !self.name(pipeline, step, &reference.cell, None, None, &mut Vec::new()) {
            let known: Vec<&str> = names_of(pipeline).collect();
            let help = did_you_mean(step, known);
            self.errors.push(SelectError::Unknown {
                what: "target or step",
                name: format!("{name}:{step}"),
                help,
            });
        }
    }

    fn bare(&mut self, reference: &Reference) {
        let pipelines: Vec<&Pipeline> = self.in_scope().collect();
        let mut found = false;
        for pipeline in pipelines {
            found |= self.name(
                pipeline,
                &reference.name,
                &reference.cell,
                None,
                None,
                &mut Vec::new(),
            );
        }
        if !found {
            let help = self.help_for(&reference.name);
            self.errors.push(SelectError::Unknown {
                what: "target or step",
                name: reference.name.clone(),
                help,
            });
        }
    }

    fn help_for(&self, name: &str) -> String {
        if let Some(pipeline) = self.workspace.pipelines.get(name) {
            return format!(
                "`{name}` is a pipeline: `pipe run {}:` runs its default target",
                pipeline.name.value
            );
        }
        let elsewhere = self
            .workspace
            .pipelines
            .values()
            .find(|pipeline| names_of(pipeline).any(|n| n == name));
        match elsewhere {
            Some(other) => format!(
                "`{}:{name}` is, outside of this folder's scope",
                other.name.value
            ),
            None => did_you_mean(name, self.names_in_scope()),
        }
    }

    fn names_in_scope(&self) -> Vec<&'a str> {
        unique(self.in_scope().flat_map(names_of))
    }

    /// Adds the target or step `name` of `pipeline`; false if it has none of that name.
    fn name(
        &mut self,
        pipeline: &'a Pipeline,
        name: &str,
        cell: &[(String, String)],
        profile: Option<&str>,
        span: Option<Span>,
        path: &mut Vec<String>,
    ) -> bool {
        if let Some(target) = pipeline.targets.get(name) {
            self.target(pipeline, name, target, cell, profile, path);
            return true;
        }
        let Some(step) = pipeline.steps.get(name) else {
            return false;
        };
        if step.internal && path.is_empty() {
            self.errors.push(SelectError::Internal {
                name: format!("{}:{name}", pipeline.name.value),
            });
        }
        let profile = self
            .request
            .profile
            .as_deref()
            .or(profile)
            .map(str::to_owned);
        let matrix = &step.matrix;
        let has_axis = |axis: &str| {
            matrix
                .as_ref()
                .is_some_and(|matrix| matrix.axes.contains_key(axis))
        };
        let chosen = self
            .request
            .matrix
            .iter()
            .filter(|(axis, _)| has_axis(axis))
            .cloned();
        let wanted = Wanted {
            pipeline: pipeline.name.value.clone(),
            step: name.to_owned(),
            profile,
            cell: cell.iter().cloned().chain(chosen).collect(),
            span,
        };
        self.wanted.insert(wanted, ());
        true
    }

    fn target(
        &mut self,
        pipeline: &'a Pipeline,
        name: &str,
        target: &'a Target,
        cell: &[(String, String)],
        profile: Option<&str>,
        path: &mut Vec<String>,
    ) {
        let full = format!("{}:{name}", pipeline.name.value);
        if let Some(at) = path.iter().position(|other| *other == full) {
            self.errors.push(circle(&path[at..]));
            return;
        }
        path.push(full);
        // An inner profile wins over the outer one.
        let profile = target
            .profile
            .as_ref()
            .map(|profile| profile.value.as_str())
            .or(profile);
        for item in &target.steps {
            let reference = &item.value;
            let cell: Vec<_> = reference.cell.iter().chain(cell).cloned().collect();
            let of = match &reference.pipeline {
                Some(name) => self.workspace.pipelines.get(name),
                None => Some(pipeline),
            };
            let step = if reference.name.is_empty() {
                "default"
            } else {
                &reference.name
            };
            // Unknown names in targets are found, with their place, when the workspace is linked.
            if let Some(of) = of {
                self.name(of, step, &cell, profile, Some(item.span), path);
            }
        }
        path.pop();
    }
}

/// Targets that list each other, the first by name first: whoever finds the circle says the same.
fn circle(names: &[String]) -> SelectError {
    let mut names = names.to_vec();
    let first = (0..names.len()).min_by_key(|ix| &names[*ix]).unwrap_or(0);
    names.rotate_left(first);
    names.push(names[0].clone());
    SelectError::Circle {
        circle: names.join(" → "),
    }
}

/// All that can be typed for a pipeline: its targets, then its steps.
fn names_of(pipeline: &Pipeline) -> impl Iterator<Item = &str> {
    let steps = pipeline
        .steps
        .values()
        .filter(|step| !step.internal)
        .map(|step| step.name.value.as_str());
    pipeline.targets.keys().map(String::as_str).chain(steps)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}
