//! Paths that two instances of one run make, as far as that can be told before anything is made.
//!
//! Two globs may meet in a file that nobody knows yet: that is told when it has been made.

use std::collections::{HashMap, HashSet};

use miette::LabeledSpan;

use super::together::Together;
use super::{GraphError, InstanceIx, StepGraph};
use crate::expand::{Instance, OutputKind};
use crate::glob::Pattern;
use crate::path::RelPath;
use crate::source::Span;

/// Which target asks for a profile, and where it says so.
pub(super) type Askers = HashMap<String, (String, Span)>;

/// One of what is made, and by whom.
#[derive(Clone, Copy)]
struct Made<T> {
    what: T,
    by: InstanceIx,
    span: Span,
}

/// A literal output, and whether it is a folder with all in it.
type Place<'g> = Made<(&'g RelPath, bool)>;

/// An output is compared with so many that are around it or equal.
const MOST_COMPARED: usize = 100;

/// Clashes, and who is in any of them.
pub(super) struct Found {
    /// Of the clashes that two places in the files lead to, one.
    pub(super) errors: Vec<GraphError>,
    pub(super) suspects: HashSet<InstanceIx>,
}

/// All clashes among some instances, which are in order.
pub(super) fn find<'g>(
    graph: &'g StepGraph,
    askers: &'g Askers,
    together: Together<'g>,
    among: &[InstanceIx],
) -> Found {
    let mut places: Vec<Place<'_>> = Vec::new();
    let mut globs: Vec<Made<&Pattern>> = Vec::new();
    for by in among.iter().copied() {
        let instance = &graph.instances[by];
        let first = graph.first[by];
        let is_stood_for =
            matches!(together, Together::All) && first != by && among.binary_search(&first).is_ok();
        for (output, span) in instance.plan.outputs.iter().zip(&instance.output_spans) {
            let span = *span;
            let mut place = |path, folder| {
                let what = (path, folder);
                places.push(Made { what, by, span });
            };
            match &output.kind {
                _ if output.negated => {}
                // The first stands for its equals where all run together.
                _ if is_stood_for => {}
                OutputKind::File(path) => place(path, false),
                OutputKind::Folder(path) => place(path, true),
                OutputKind::Glob(what) => globs.push(Made { what, by, span }),
            }
        }
    }
    // Part by part: what lies in a folder then follows it.
    places.sort_by(|a, b| a.what.0.parts().cmp(b.what.0.parts()));
    let mut clashes = Clashes {
        graph,
        askers,
        together,
        told: HashSet::new(),
        found: Found {
            errors: Vec::new(),
            suspects: HashSet::new(),
        },
    };
    clashes.of_places(&places);
    clashes.of_globs(&places, &globs);
    clashes.found
}

struct Clashes<'g> {
    graph: &'g StepGraph,
    askers: &'g Askers,
    together: Together<'g>,
    told: HashSet<(Span, Span)>,
    found: Found,
}

impl Clashes<'_> {
    /// Equal paths, and paths in folders.
    fn of_places(&mut self, places: &[Place<'_>]) {
        let mut around: Vec<Place<'_>> = Vec::new();
        for this in places {
            let (path, _) = this.what;
            while around.last().is_some_and(|other| !path.is_in(other.what.0)) {
                around.pop();
            }
            let clash = around.iter().take(MOST_COMPARED).find(|other| {
                (other.what.1 || other.what.0 == path) && self.both_make(other.by, this.by, path)
            });
            if let Some(other) = clash {
                self.tell(
                    path.to_string(),
                    (other.by, other.span),
                    (this.by, this.span),
                );
            }
            around.push(*this);
        }
    }

    /// Globs that match another's file, lie in another's folder or are another's too.
    fn of_globs(&mut self, places: &[Place<'_>], globs: &[Made<&Pattern>]) {
        let mut texts: HashMap<&str, Vec<&Made<&Pattern>>> = HashMap::new();
        let mut folders: HashMap<&RelPath, Vec<&Place<'_>>> = HashMap::new();
        for place in places.iter().filter(|place| place.what.1) {
            folders.entry(place.what.0).or_default().push(place);
        }
        for glob in globs {
            let this = (glob.by, glob.span);
            let text = glob.what.text();
            let equal = texts.entry(text).or_default();
            let mut compared = equal.iter().take(MOST_COMPARED);
            if let Some(same) = compared.find(|same| self.both_run(same.by, glob.by)) {
                self.tell(text.to_owned(), (same.by, same.span), this);
            }
            equal.push(glob);
            let above = std::iter::successors(Some(glob.what.prefix().clone()), RelPath::parent);
            let mut above = above.filter_map(|folder| folders.get(&folder)).flatten();
            if let Some(folder) =
                above.find(|folder| self.both_make(folder.by, glob.by, glob.what.prefix()))
            {
                self.tell(text.to_owned(), (folder.by, folder.span), this);
            }
            let matched = below(places, glob.what.prefix()).iter().filter(|place| {
                let (path, is_folder) = place.what;
                !is_folder && glob.what.matches(path) && self.both_make(place.by, glob.by, path)
            });
            for place in matched.collect::<Vec<_>>() {
                self.tell(place.what.0.to_string(), (place.by, place.span), this);
            }
        }
    }

    /// Whether these are two instances of one run. Equal ones are run once, so they make their
    /// outputs once.
    fn both_run(&self, one: InstanceIx, other: InstanceIx) -> bool {
        self.graph.first[one] != self.graph.first[other] && self.together.run(one, other)
    }

    /// Whether these are two instances of one run, and neither takes `path` away.
    fn both_make(&self, one: InstanceIx, other: InstanceIx, path: &RelPath) -> bool {
        let takes_away = |ix: InstanceIx| {
            let mut outputs = self.graph.instances[ix].plan.outputs.iter();
            outputs.any(|output| output.negated && output.kind.covers(path))
        };
        self.both_run(one, other) && !takes_away(one) && !takes_away(other)
    }

    fn tell(&mut self, path: String, first: (InstanceIx, Span), second: (InstanceIx, Span)) {
        self.found.suspects.extend([first.0, second.0]);
        if !self.told.insert((first.1, second.1)) {
            return;
        }
        let label = |text: &str, span| LabeledSpan::new_with_span(Some(text.to_owned()), span);
        let mut places = vec![label("made here", first.1)];
        let (one, other) = (
            &self.graph.instances[first.0],
            &self.graph.instances[second.0],
        );
        let help = if first.1 != second.1 {
            places.push(label("and here", second.1));
            "each path has one maker: give one of the steps another path, or take it away from one with `!`".to_owned()
        } else if one.cell == other.cell {
            places.extend(self.askers_of(one, other));
            "two profiles of one step run together: let the path name the profile, for example `bin/${{ profile }}/app`, or run the targets one after the other".to_owned()
        } else {
            let axis = telling_apart(one, other);
            format!("let the path name what tells the instances apart: `${{{{ matrix.{axis} }}}}`")
        };
        self.found.errors.push(GraphError::OutputClash {
            path,
            first: one.plan.identity(),
            second: other.plan.identity(),
            places,
            help,
        });
    }

    /// Where targets ask for the profiles of the two.
    fn askers_of(&self, one: &Instance, other: &Instance) -> Vec<LabeledSpan> {
        let profiles = [&one.plan.profile, &other.plan.profile];
        let asked = profiles.into_iter().flatten();
        let labels = asked.filter_map(|profile| {
            let (target, span) = self.askers.get(profile)?;
            let text = format!("target `{target}` asks for `{profile}`");
            Some(LabeledSpan::new_with_span(Some(text), *span))
        });
        labels.collect()
    }
}

/// The first axis in which two instances of a step differ.
fn telling_apart<'i>(one: &'i Instance, other: &Instance) -> &'i str {
    let differs = |axis: &&String| {
        one.cell.get(*axis).map(|value| value.label())
            != other.cell.get(*axis).map(|value| value.label())
    };
    let axes = one.axes.iter().chain(one.cell.keys());
    axes.into_iter().find(differs).map_or("os", String::as_str)
}

/// The places in a folder; they are sorted part by part.
fn below<'p, 'g>(places: &'p [Place<'g>], folder: &RelPath) -> &'p [Place<'g>] {
    let before = |place: &Place<'_>| place.what.0.parts().lt(folder.parts());
    let rest = &places[places.partition_point(before)..];
    &rest[..rest.partition_point(|place| place.what.0.is_in(folder))]
}
