//! The workspace as loaded, and the way from a request to a plan.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::diagnose::{Finding, MORE, events, is_error, of_loading};
use super::exit::{Exit, refuse};
use super::options::{self, Surroundings};
use super::standing::{self, Standing};
use super::{args::Selection, output};
use crate::cache::{Cache, CacheOptions};
use crate::event;
use crate::expand::{ExpandError, Facts, refused};
use crate::graph::{
    GraphError, Linked, Purpose, Request, Scope, SelectError, StepGraph, Wanted, every, link,
    select,
};
use crate::load::{EnvFiles, Loaded, facts};
use crate::plan::{self, Plan};
use crate::suggest::did_you_mean;

/// A loaded workspace and where the caller stands in it.
pub(super) struct Session<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) root: PathBuf,
    pub(super) loaded: Loaded,
    /// Where the caller's bare names are looked up.
    pub(super) scope: Scope,
    /// What is wrong with files, before anything was asked for.
    pub(super) findings: Vec<Finding>,
    /// The variables of which it matters whether the caller has set them.
    pub(super) asked: BTreeSet<String>,
    /// The dotenv files that were asked for.
    env_files: Arc<EnvFiles>,
    /// Values from the command line that were refused.
    refused: Vec<ExpandError>,
}

/// A plan, or what is wrong.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) warnings: Vec<event::Diagnostic>,
    /// What was asked for, as typed.
    pub(super) targets: Vec<String>,
}

impl<'a> Session<'a> {
    /// Finds and loads the workspace around the caller.
    ///
    /// # Errors
    ///
    /// When there is none: it is told, and the exit is what remains.
    pub(super) fn open(around: &'a Surroundings) -> Result<Self, Exit> {
        Self::opened(around, true)
    }

    /// The same where nothing is going to run: a dotenv file that is missing or broken is no matter.
    ///
    /// # Errors
    ///
    /// As those of [`Session::open`].
    pub(super) fn survey(around: &'a Surroundings) -> Result<Self, Exit> {
        Self::opened(around, false)
    }

    fn opened(around: &'a Surroundings, env_files_matter: bool) -> Result<Self, Exit> {
        let Standing {
            root,
            mut loaded,
            scope,
        } = standing::find(around).map_err(|error| {
            tell(&events(&[Box::new(error)], &Default::default(), around));
            Exit::Invalid
        })?;
        let findings = of_loading(&mut loaded);
        let env_files = Arc::new(EnvFiles::new(&root, &loaded.sources, env_files_matter));
        Ok(Self {
            around,
            root,
            loaded,
            scope,
            findings,
            asked: BTreeSet::new(),
            env_files,
            refused: Vec::new(),
        })
    }

    /// `.pipe`.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.root.join(".pipe")
    }

    /// What expressions may ask of the world.
    pub(super) fn facts(&self, assignments: Vec<(String, String)>) -> Facts {
        let settings = &self.loaded.workspace.settings;
        facts(
            &self.root,
            settings,
            &self.around.env,
            assignments.into_iter().collect(),
            Arc::clone(&self.env_files),
        )
    }

    /// Findings as events.
    pub(super) fn events(&self, findings: &[Finding]) -> Vec<event::Diagnostic> {
        events(findings, &self.loaded.sources, self.around)
    }

    /// The graph of what was asked for (of all steps in a survey); findings are added to the
    /// session's.
    pub(super) fn graph(&mut self, selection: &Selection, purpose: Purpose) -> StepGraph {
        let (request, assignments) = match options::request(selection, self.scope.clone()) {
            Ok(request) => request,
            Err(message) => {
                let help = "such as `--matrix os=linux`".to_owned();
                self.findings
                    .push(Box::new(SelectError::Bad { message, help }));
                return StepGraph::default();
            }
        };
        self.check_assignments(&assignments);
        self.check_kinds(&assignments);
        let facts = self.facts(assignments);
        let select = match purpose {
            Purpose::Run { .. } => select,
            Purpose::Survey => every,
        };
        match select(&self.loaded.workspace, &request) {
            Ok(wanted) => self.link(&facts, &wanted, purpose),
            Err(errors) => {
                if !self.loaded.doubts.any() {
                    self.findings
                        .extend(errors.into_iter().map(|error| Box::new(error) as Finding));
                }
                // What is wrong in the files is told all the same.
                self.link(&facts, &[], purpose)
            }
        }
    }

    /// The graph of `wanted`.
    pub(super) fn link(&mut self, facts: &Facts, wanted: &[Wanted], purpose: Purpose) -> StepGraph {
        let linked = link(&self.loaded.workspace, facts, wanted, purpose);
        self.take(facts, linked)
    }

    /// A graph, whose findings are added to the session's.
    pub(super) fn take(&mut self, facts: &Facts, linked: Linked) -> StepGraph {
        let Linked {
            graph,
            expand,
            errors,
            ..
        } = linked;
        let asked = facts.asked.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.extend(asked.iter().cloned());
        let looked_at = self.env_files.hand_over(&mut self.loaded.sources);
        if let Some(paths) = &mut self.loaded.looked_at {
            paths.extend(looked_at);
        }
        let (doubts, sources) = (&self.loaded.doubts, &self.loaded.sources);
        let (findings, refused) = (&mut self.findings, &self.refused);
        // The names of other pipelines may be lost in any file.
        let in_doubt = |name: &str, span| match name.starts_with("needs") || name.contains(':') {
            true => doubts.any(),
            false => doubts.hold_at(span),
        };
        let is_missing = |error: &ExpandError| match error {
            ExpandError::Undefined { name, span, .. } => in_doubt(name, *span),
            ExpandError::Pool { span, .. } => doubts.hold_at(*span),
            _ => false,
        };
        findings.extend(
            expand
                .into_iter()
                .filter(|error| !(refused.contains(error) || is_missing(error)))
                .map(|error| Box::new(error) as Finding),
        );
        let follows = |error: &GraphError| match error {
            GraphError::Unknown { span, .. } | GraphError::NoInstance { span, .. } => {
                in_doubt(sources.text(*span), *span)
            }
            _ => false,
        };
        findings.extend(
            errors
                .into_iter()
                .filter(|error| !follows(error))
                .map(|error| Box::new(error) as Finding),
        );
        graph
    }

    /// A variable that no pipeline declares is a mistake when it is typed.
    fn check_assignments(&mut self, assignments: &[(String, String)]) {
        let workspace = &self.loaded.workspace;
        let of_pipelines = workspace.pipelines.values().flat_map(|pipeline| {
            let profiles = pipeline
                .profiles
                .values()
                .flat_map(|profile| profile.vars.keys());
            let steps = pipeline.steps.values().flat_map(|step| step.vars.keys());
            pipeline.vars.keys().chain(profiles).chain(steps)
        });
        let known: std::collections::BTreeSet<&str> = workspace
            .settings
            .vars
            .keys()
            .chain(of_pipelines)
            .map(String::as_str)
            .collect();
        for (name, _) in assignments {
            if !known.contains(name.as_str()) {
                let help = match known.is_empty() {
                    true => format!("declare it in a pipeline file: `vars: {{ {name}: \"\" }}`"),
                    false => did_you_mean(name, known.iter().copied()),
                };
                self.findings.push(Box::new(SelectError::Unknown {
                    what: "variable",
                    name: name.clone(),
                    help,
                }));
            }
        }
    }

    /// So is a value that no declaration of the variable takes, whoever uses it.
    fn check_kinds(&mut self, assignments: &[(String, String)]) {
        let workspace = &self.loaded.workspace;
        for (name, text) in assignments {
            for pipeline in workspace.pipelines.values() {
                let profiles = pipeline.profiles.values().map(|profile| &profile.vars);
                let steps = pipeline.steps.values().map(|step| &step.vars);
                let layers = [&workspace.settings.vars, &pipeline.vars];
                let layers = layers.into_iter().chain(profiles).chain(steps);
                let declared = layers.filter_map(|vars| Some(&vars.get(name)?.value));
                let error = refused(text, name, declared);
                let error = error.filter(|error| !self.refused.contains(error));
                self.refused.extend(error);
            }
        }
        let errors = self.refused.iter().cloned();
        self.findings
            .extend(errors.map(|error| Box::new(error) as Finding));
    }

    /// The plan of what was asked for.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, as events.
    pub(super) fn plan(
        &mut self,
        selection: &Selection,
        args: &[String],
        strict: bool,
    ) -> Result<Planned, Vec<event::Diagnostic>> {
        let purpose = Purpose::Run {
            args: !args.is_empty(),
        };
        let graph = self.graph(selection, purpose);
        let findings = std::mem::take(&mut self.findings);
        let events = self.events(&findings);
        if findings.iter().any(is_error) || strict && !findings.is_empty() {
            return Err(events);
        }
        let plan = plan::build(graph, self.loaded.workspace.settings.ignore.clone(), args);
        Ok(Planned {
            plan,
            warnings: events,
            targets: selection.words.clone(),
        })
    }

    /// The cache for looking things up, without a store.
    ///
    /// # Errors
    ///
    /// What is wrong is told; the exit is what remains.
    pub(super) fn cache(&self, plan: &Plan) -> Result<Cache, Exit> {
        let options = CacheOptions {
            root: self.root.clone(),
            state_dir: self.state_dir(),
            store: None,
            ignore: self.loaded.workspace.settings.ignore.clone(),
            run: String::new(),
            read_store: false,
        };
        Cache::open(options, plan).map_err(|error| refuse(&error.to_string()))
    }

    /// The steps that `selection` asks for and what is remembered of them. Works with the files
    /// that can be read; only a request for something unknown is refused.
    ///
    /// # Errors
    ///
    /// What is wrong is told; the exit is what remains.
    pub(super) fn records(&mut self, selection: &Selection) -> Result<(Plan, Cache), Exit> {
        let graph = self.graph(selection, Purpose::Run { args: false });
        let findings = std::mem::take(&mut self.findings);
        if graph.wanted.is_empty() {
            tell(&self.events(&findings));
            return Err(Exit::Invalid);
        }
        let plan = plan::build(graph, self.loaded.workspace.settings.ignore.clone(), &[]);
        let cache = self.cache(&plan)?;
        Ok((plan, cache))
    }

    /// The profiles that can be asked for from where the caller stands.
    pub(super) fn profiles_in_scope(&self) -> BTreeSet<String> {
        let pipelines = self.loaded.workspace.pipelines.values();
        let in_scope = pipelines.filter(|pipeline| self.scope.holds(pipeline));
        in_scope
            .flat_map(|pipeline| pipeline.profiles.keys().cloned())
            .collect()
    }

    /// A request for references in the caller's scope.
    pub(super) fn request(&self, references: Vec<String>, profile: Option<String>) -> Request {
        Request {
            references,
            scope: self.scope.clone(),
            profile,
            matrix: Vec::new(),
        }
    }
}

/// Draws reports on standard error, and counts them where there are many.
pub(super) fn tell(events: &[event::Diagnostic]) {
    for event in events {
        output::err(event.rendered.as_deref().unwrap_or_default());
        output::err("\n");
    }
    let (errors, warnings) = count(events);
    if errors > 1 && !events.iter().any(|event| event.code == MORE) {
        let files: BTreeSet<_> = events
            .iter()
            .filter_map(|event| event.file.as_ref())
            .collect();
        let warnings = match warnings {
            0 => String::new(),
            many => format!(", {}", plural(many, "warning")),
        };
        let files = match files.len() {
            0 | 1 => String::new(),
            many => format!(" in {many} files"),
        };
        output::err(&format!("{errors} errors{warnings}{files}\n"));
    }
}

/// Tells why nothing is done: for errors, or under `--strict` for warnings.
pub(super) fn tell_refusal(events: &[event::Diagnostic]) {
    tell(events);
    if let (0, warnings) = count(events) {
        let warnings = plural(warnings, "warning");
        output::err(&format!("{warnings}: refused, for `--strict` was given\n"));
    }
}

/// Errors and warnings.
fn count(events: &[event::Diagnostic]) -> (usize, usize) {
    let is_error = |event: &&event::Diagnostic| event.severity == event::Severity::Error;
    let errors = events.iter().filter(is_error).count();
    (errors, events.len() - errors)
}

/// `1 step`, `2 steps`.
pub(super) fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
