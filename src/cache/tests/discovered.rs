//! Steps with a depfile: what their commands turned out to read decides too.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::fixture::{Place, output, path, ran, step, write};
use crate::cache::action::Action;
use crate::cache::{Cache, Digest, Entry, EntryPath, Identity, Kind, MissReason, Upstream};
use crate::expand::Late;
use crate::plan::{DepfileAt, PlanStep, Sources};
use crate::sys::fs::{create_dir_all, remove_dir_all, remove_file};

/// A step that reads `src/a` and all that this names, line by line.
fn compile() -> PlanStep {
    let mut step = step("a", &["out/a.o", "out/a.d"]);
    step.sources = Some(Sources {
        patterns: vec![super::fixture::pattern("src/a")],
        ..Sources::default()
    });
    step.depfile = Some(DepfileAt {
        path: path("out/a.d"),
        is_declared: false,
    });
    step
}

/// What the command makes of the files: `-` stands for one that is not there.
fn compiled(root: &Path) -> (String, String) {
    let text = std::fs::read_to_string(root.join("src/a")).unwrap();
    let mut object = text.clone();
    for name in text.lines() {
        let header = std::fs::read_to_string(root.join(name));
        object += &format!("{name}={}\n", header.as_deref().unwrap_or("-"));
    }
    (object, format!("a.o: src/a {}\n", text.replace('\n', " ")))
}

/// Brings the step up to date in a run of its own, with something that happens while its command
/// runs; what was done, and the files that changed meanwhile.
fn bring_while(place: &mut Place, meanwhile: &dyn Fn(&Place)) -> (&'static str, Vec<EntryPath>) {
    let cache = place.open();
    let (step, plan, since) = (place.steps[0].clone(), place.plan(), cache.tree().now());
    let prepared = cache.prepare(&step, &Upstream::default(), since).unwrap();
    if cache.up_to_date(&step, &prepared, since).is_ok() {
        return ("up to date", Vec::new());
    }
    let stored = cache.stored(&step, &prepared, since);
    if let Some(made) = cache.restore(&step, &prepared, since) {
        assert_eq!(stored, made.key, "told beforehand");
        cache.save().unwrap();
        return ("restored", Vec::new());
    }
    let mut aside = cache.set_aside(&step).unwrap();
    let began = settled(&cache, place);
    let root = place.folder.path();
    let (object, depfile) = compiled(root);
    write(&root.join("out/a.o"), &object);
    write(&root.join("out/a.d"), &depfile);
    meanwhile(place);
    let mut ran = ran(&cache, root, "a");
    let at = step.depfile.as_ref().unwrap();
    let found = cache.discover(&plan, &step, at, &prepared, (&began, ran.since));
    let found = found.unwrap();
    ran.discovered = found.prepared.discovered_paths();
    let kept = found.changed.is_empty().then_some(&found.prepared);
    cache.capture(&step, kept, &ran, &mut aside).unwrap();
    // Where `.pipe` was deleted, nobody knows what was in the place of the outputs: it is kept, and told.
    let _kept = cache.discard(aside);
    cache.save().unwrap();
    ("executed", found.changed)
}

/// A tick of the clock that is later than all that was written up to now.
fn settled(cache: &Cache, place: &Place) -> crate::cache::Tick {
    place.write("probe", "");
    let probe = cache.tree().look(&path("probe"), cache.tree().advance());
    let probe = probe.unwrap();
    loop {
        let tick = cache.tree().tick();
        if cache.tree().stood(&probe, &tick) {
            return tick;
        }
    }
}

fn bring(place: &mut Place) -> &'static str {
    let (did, changed) = bring_while(place, &|_| {});
    assert_eq!(changed, []);
    did
}

fn why(place: &mut Place) -> Vec<String> {
    let cache = place.open();
    let prepared = cache.prepare(&place.steps[0], &Upstream::default(), 0);
    let why = cache.explain(&place.steps[0], &prepared.unwrap());
    why.iter().map(MissReason::text).collect()
}

#[test]
fn what_was_discovered_counts_from_then_on() {
    let mut place = Place::new(vec![compile()]);
    place.write("src/a", "x.h\ninc/y.h\ninc/none.h\n");
    place.write("x.h", "1");
    place.write("inc/y.h", "1");
    assert_eq!(bring(&mut place), "executed");
    assert_eq!(bring(&mut place), "up to date");
    place.write("x.h", "2");
    assert_eq!(why(&mut place), ["discovered input `x.h` changed"]);
    assert_eq!(bring(&mut place), "executed");
    place.write("inc/none.h", "1");
    assert_eq!(why(&mut place), ["discovered input `inc/none.h` is new"]);
    assert_eq!(bring(&mut place), "executed");
    remove_file(&place.at("inc/y.h")).unwrap();
    assert_eq!(why(&mut place), ["discovered input `inc/y.h` was removed"]);
    assert_eq!(bring(&mut place), "executed");
    create_dir_all(&place.at("inc/y.h")).unwrap();
    assert_eq!(why(&mut place), ["discovered input `inc/y.h` is new"]);
}

#[test]
fn a_file_that_changes_meanwhile_is_told_also_when_it_was_never_seen_before() {
    for rewrite in [false, true] {
        let mut place = Place::new(vec![compile()]);
        place.write("src/a", "x.h\nz.h\n");
        place.write("z.h", "1");
        place.write("x.h", "1");
        if rewrite {
            bring(&mut place);
            place.write("z.h", "2");
        }
        let x = vec![EntryPath::In(path("x.h"))];
        let edit = |place: &Place| place.write("x.h", "1");
        assert_eq!(bring_while(&mut place, &edit), ("executed", x.clone()));
        assert_eq!(why(&mut place), ["its last result was not kept"]);
        assert_eq!(
            bring(&mut place),
            "executed",
            "though its contents are the same"
        );
        assert_eq!(bring(&mut place), "up to date");
        place.write("z.h", "3");
        let remove = |place: &Place| remove_file(&place.at("x.h")).unwrap();
        assert_eq!(bring_while(&mut place, &remove), ("executed", x));
    }
}

#[test]
fn the_weak_key_is_all_but_what_was_discovered() {
    let action = |discovered: Option<Vec<Entry>>| Action {
        discovered,
        ..Action::of(&compile(), &Late::default(), Vec::new()).unwrap()
    };
    let entry = |text: &str| Entry {
        path: EntryPath::In(path("x.h")),
        kind: Kind::File,
        exec: false,
        digest: Digest::of(text.as_bytes()),
        identity: Identity::default(),
    };
    let weak = action(None).weak_key();
    for text in ["1", "2"] {
        let strong = action(Some(vec![entry(text)]));
        assert_eq!(strong.weak_key(), weak);
        assert_ne!(strong.key(), weak);
    }
    let mut other = action(None);
    other.outputs.push(output("b"));
    assert_ne!(other.weak_key(), weak);
}

const HEADERS: [&str; 4] = ["x.h", "inc/y.h", "inc/deep/z.h", "w.h"];

/// A change of one file: the header, and what is in it; `None` takes it away.
fn edits() -> impl Strategy<Value = Vec<(usize, Option<u8>)>> {
    let what = prop_oneof![3 => (0_u8..3).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((0..HEADERS.len(), what), 0..3)
}

/// Which headers the source names; or nothing new.
fn includes() -> impl Strategy<Value = Option<Vec<usize>>> {
    let some = proptest::sample::subsequence((0..HEADERS.len()).collect::<Vec<_>>(), 0..4);
    proptest::option::weighted(0.3, some)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever changes, appears or goes: what is there afterwards is what the command would make of
    /// the files as they are; it runs never twice for the same files.
    #[test]
    fn a_result_is_never_of_other_files(rounds in proptest::collection::vec((edits(), includes(), any::<bool>()), 1..8)) {
        let mut place = Place::new(vec![compile()]);
        place.write("src/a", "x.h\ninc/y.h\n");
        create_dir_all(&place.at("inc/deep")).unwrap();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (edits, includes, forget) in rounds {
            for (header, text) in edits {
                match text {
                    Some(text) => place.write(HEADERS[header], &text.to_string()),
                    None => drop(remove_file(&place.at(HEADERS[header]))),
                }
            }
            if let Some(includes) = includes {
                let names = includes.into_iter().map(|header| format!("{}\n", HEADERS[header]));
                place.write("src/a", &names.collect::<String>());
            }
            if forget && place.at(".pipe").is_dir() {
                remove_dir_all(&place.at(".pipe")).unwrap();
            }
            let did = bring(&mut place);
            let (object, depfile) = compiled(place.folder.path());
            prop_assert_eq!(place.read("out/a.o"), Some(object.clone()));
            prop_assert_eq!(place.read("out/a.d"), Some(depfile));
            let runs = known.entry(object).or_default();
            *runs += usize::from(did == "executed");
            prop_assert_eq!(*runs, 1);
        }
    }
}
