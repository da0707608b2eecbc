//! Text to a typed document in which every key and value knows its place; all errors, not only
//! the first.
//!
//! ```text
//! text ─yaml→ Node (tree) ─extend→ Node, with what it inherits ─decode→ PipelineDoc
//!        └stops, traps: errors; repair: on                        └foreign: help for other tools' words
//! ```
//!
//! `yaml` alone knows the YAML parser; `document` says what may be written, in one declaration for
//! the reader and for the [schema]. What the words mean (names, durations, expressions) is not
//! known here. `dotenv` reads files of variables. This room knows only `source` and `suggest`. Why it is built this way: `docs/design/001`.

mod budget;
mod decode;
mod dialects;
mod document;
mod dotenv;
mod error;
mod extend;
mod foreign;
mod forms;
mod node;
mod repair;
pub mod schema;
mod shapes;
mod stops;
#[cfg(test)]
mod testing;
mod traps;
mod yaml;

use std::cmp::Reverse;

use decode::{Cx, Decode};
pub use dialects::{
    AppBuildDoc, AppDoc, BuildModeDoc, Foreign, ServerBuildDoc, ServerDoc, WorkerBuildDoc,
    WorkerDoc,
};
pub use document::{
    AxisDoc, CacheDoc, CheckDoc, Count, EnvDoc, EnvFileDoc, List, Map, MatrixDoc, OutputDoc,
    PipelineDoc, ProfileDoc, RetriesDoc, StepDoc, TargetDoc, TemplatesDoc, Text, ValueDoc,
    WorkspaceCacheDoc, WorkspaceDoc,
};
pub use dotenv::{Dotenv, DotenvFault, dotenv};
pub use error::ParseError;
pub use extend::{Base, Inherited, Template};
use node::Node;

use crate::source::{SourceFile, SourceMap, Spanned};

/// A file's keys, before they are typed: what it extends comes first.
#[derive(Debug)]
pub struct Read<'a> {
    root: Option<Node<'a>>,
    errors: Vec<ParseError>,
}

/// What could be read of a file.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The document, without what the errors are about.
    pub document: PipelineDoc,
    /// All that is wrong, in the order of the file.
    pub errors: Vec<ParseError>,
    /// Nothing is missing in `document`: there was no error.
    pub whole: bool,
}

/// Reads the keys of a pipeline file or template.
pub fn read(file: &SourceFile) -> Read<'_> {
    let (root, errors) = yaml::read(file);
    Read { root, errors }
}

impl Read<'_> {
    /// What the file extends, as written.
    pub fn extends(&self) -> Option<Spanned<String>> {
        self.root.as_ref().and_then(extend::extends)
    }

    /// The entries of its `workspace.templates`.
    pub fn templates(&self) -> Vec<(Spanned<String>, Template)> {
        self.root
            .as_ref()
            .map(extend::templates)
            .unwrap_or_default()
    }

    /// Whether the file may declare what cannot be read for its mistakes: then what is missing
    /// elsewhere may be there.
    pub fn loses_names(&self) -> bool {
        !self.errors.is_empty() && self.root.as_ref().is_none_or(Node::loses_names)
    }

    /// The file as a template, if it could be read, and what is wrong with its text.
    pub fn into_template(self) -> (Option<Template>, Vec<ParseError>) {
        let template = match self.root {
            Some(root) if root.is_broken() => None,
            Some(root) => Some(Template::new(root)),
            None => self.errors.is_empty().then(Template::default),
        };
        (template, self.errors)
    }

    /// The document: the file's keys over those of `base`. An empty file is a document without
    /// keys. `sources` has the texts of the file and of all that it extends.
    pub fn finish(
        mut self,
        base: Base<'_>,
        inherited: &mut Inherited,
        sources: &SourceMap,
    ) -> Parsed {
        let base = match base {
            // The key is there, but its value is no text: that is said when it is decoded.
            Base::None if self.root.as_ref().is_some_and(extend::is_there) => Base::Unknown,
            base => base,
        };
        let root = self
            .root
            .map(|root| extend::lay_over(root, base, inherited, &mut self.errors));
        let errors = self.errors;
        let mut cx = Cx::new(sources, errors);
        let document = root.and_then(|root| PipelineDoc::decode(root, &mut cx));
        Parsed::new(document.unwrap_or_default(), cx.errors)
    }
}

impl Parsed {
    fn new(document: PipelineDoc, errors: Vec<ParseError>) -> Self {
        Self {
            document,
            whole: errors.is_empty(),
            errors: sorted(errors),
        }
    }
}

/// A template by itself, and what is wrong with its shape, whoever extends it.
pub fn check(template: &Template, sources: &SourceMap) -> Parsed {
    let mut cx = Cx::new(sources, Vec::new());
    let document = PipelineDoc::decode(template.node().clone(), &mut cx).unwrap_or_default();
    if let Some(workspace) = &document.workspace {
        cx.errors.push(ParseError::UnknownKey {
            key: "workspace".to_owned(),
            place: "a template",
            span: workspace.span,
            help: Some("it can only stand in the root's `pipe.yaml`".to_owned()),
        });
    }
    Parsed::new(document, cx.errors)
}

fn sorted(mut errors: Vec<ParseError>) -> Vec<ParseError> {
    errors.sort_by_key(|error| {
        let span = error.span();
        (span.start, Reverse(span.end))
    });
    errors
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::panic::catch_unwind;

    use miette::Diagnostic;

    use super::testing::{complaints, file, parse, parsed, source};
    use super::*;

    #[test]
    fn an_empty_file_is_a_pipeline() {
        for text in ["", "\n", "# only a comment\n", "---\n", "\u{feff}"] {
            let parsed = parsed(text);
            assert!(parsed.whole, "{text:?}: {:?}", parsed.errors);
            assert!(parsed.document.steps.is_none());
        }
    }

    #[test]
    fn every_error_is_found_and_the_rest_is_read() {
        let text = "stepz: {}\nname: [a]\nname: b\nsteps:\n  a: { cmd: x, run: ok, internal: 1 }\n  \
                    b: 5\nenv:\n  A:\n  B: kept\n";
        let parsed = parsed(text);
        let codes: Vec<_> = parsed
            .errors
            .iter()
            .filter_map(|error| Some(error.code()?.to_string()))
            .collect();
        assert_eq!(
            codes,
            [
                "pipe::parse::unknown_key",
                "pipe::parse::wrong_type",
                "pipe::parse::duplicate_key",
                "pipe::parse::unknown_key",
                "pipe::parse::wrong_type",
                "pipe::parse::wrong_type",
                "pipe::parse::wrong_type",
            ]
        );
        assert!(!parsed.whole);
        let steps = parsed.document.steps.expect("steps").value.0;
        let names: Vec<_> = steps.iter().map(|(name, _)| name.value.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(
            steps[0].1.value.run.as_ref().expect("run").value.0[0].text,
            "ok"
        );
        assert_eq!(parsed.document.env.expect("env").value.0.len(), 1);
    }

    #[test]
    fn a_null_variable_shows_both_forms() {
        let complaints = complaints("env:\n  A:\n");
        assert!(
            complaints[0].starts_with("text wanted, found null | A | "),
            "{complaints:?}"
        );
        assert!(
            complaints[0].contains("{ from: caller }") && complaints[0].contains("{ unset: true }")
        );
    }

    #[test]
    fn a_generated_file_of_10_000_steps() {
        let mut text = String::from("steps:\n");
        for step in 0..10_000 {
            let _ = write!(
                text,
                "  s{step}:\n    run: cc -c {step}.c -o ${{{{ output }}}}\n    sources: [{step}.c]\n    \
                 outputs: [{step}.o]\n"
            );
        }
        let parsed = parsed(&text);
        assert!(parsed.whole);
        assert_eq!(parsed.document.steps.expect("steps").value.0.len(), 10_000);
    }

    #[test]
    fn an_unknown_key_may_start_the_file() {
        for text in ["one, two: {}\n", ", one: 1\n", "run:x\n", "[one, two\n"] {
            labels_lie_in(text);
        }
    }

    /// Damaged files end in errors whose labels lie in the file, never in a panic.
    #[test]
    fn damage_is_reported() {
        const SEEDS: [&str; 3] = [
            "steps:\n  bé:\n    run: echo \"a: b\"\n    sources: [\"${{ x }}\", 'é', !x, *y]\n",
            "x-a: &a {b: é}\r\nenv: {<<: *a, c: 2}\r\nvars:\r\n  - |\r\n    foo ${{ é }}\r\n\ta\r\n",
            "? [é]\n: - a\n- 'b'\"c\"\n%é\n",
        ];
        const PIECES: [&str; 21] = [
            "\t", "{{", "${{", ": ", "- ", "\"", "'", "\n", "é", "*", "!", "@", "[", "}", " #",
            "<<: ", "\\", "|", "\u{feff}", "---\n", ", ",
        ];
        let mut random = 88_172_645_463_325_252_u64;
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % limit as u64) as usize
        };
        for round in 0..3_000 {
            let mut text = SEEDS[round % SEEDS.len()].to_owned();
            for _ in 0..=below(3) {
                let at = boundary(&text, below(text.len() + 1));
                let end = boundary(&text, (at + below(6)).min(text.len())).max(at);
                text.replace_range(at..end, PIECES[below(PIECES.len())]);
            }
            labels_lie_in(&text);
        }
    }

    fn boundary(text: &str, at: usize) -> usize {
        (0..=at)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or_default()
    }

    fn labels_lie_in(text: &str) {
        let map = source(text);
        let file = file(&map);
        let parsed = catch_unwind(|| parse(&map));
        let parsed = parsed.unwrap_or_else(|_| panic!("panics: {text:?}"));
        for label in parsed
            .errors
            .iter()
            .filter_map(ParseError::labels)
            .flatten()
        {
            let start = label.offset() - file.base() as usize;
            assert!(
                text.get(start..start + label.len()).is_some(),
                "{text:?}: {label:?}"
            );
        }
    }
}
