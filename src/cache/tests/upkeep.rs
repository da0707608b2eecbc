//! What a collection may take away while others use the store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fixture::{Place, step, write};
use crate::cache::{Limits, Upkeep, Upstream};
use crate::sys::fs::set_modified;

const NOTHING: Limits = Limits {
    max_size: 0,
    max_age: Duration::from_secs(3600),
};

fn upkeep(place: &Place) -> Upkeep {
    Upkeep::find(&place.store()).unwrap().unwrap()
}

/// All files of results and contents.
fn files(place: &Place) -> Vec<PathBuf> {
    let mut open = vec![place.store().join("v1/cas"), place.store().join("v1/rec")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

/// All of it was last used an hour ago.
fn age(place: &Place) {
    let then = crate::sys::clock::wall() - Duration::from_secs(3600);
    for file in files(place) {
        set_modified(&file, then).unwrap();
    }
}

/// A command that makes a file that is named as its step.
fn large(name: &str, root: &Path) {
    write(&root.join(name), &"x".repeat(5000));
}

#[test]
fn what_a_live_run_has_used_stays() {
    let mut place = Place::new(vec![step("a", &["a"]), step("b", &["b"])]);
    place.run(large);
    age(&place);
    let mut sibling = place.sibling();
    let (live, step) = (sibling.open(), &sibling.steps[0]);
    let prepared = live.prepare(step, &Upstream::default(), 0).unwrap();
    assert!(live.restore(step, &prepared, 0).is_some());
    let done = upkeep(&place).collect(&NOTHING).unwrap();
    // What stays is the result of `a`, and the content that both have.
    assert_eq!((files(&place).len(), done.removed, done.spared), (2, 1, 2));
    drop(live);
    let done = upkeep(&place).collect(&NOTHING).unwrap();
    assert_eq!((files(&place).len(), done.left), (0, 0));
}

#[test]
fn a_result_goes_with_its_contents() {
    let mut place = Place::new(vec![step("a", &["a"])]);
    place.run(large);
    let content = files(&place);
    let content = content
        .iter()
        .find(|path| path.metadata().unwrap().len() == 5000);
    let then = crate::sys::clock::wall() - Duration::from_secs(7200);
    set_modified(content.unwrap(), then).unwrap();
    let limits = Limits {
        max_size: 1 << 20,
        ..NOTHING
    };
    assert_eq!(upkeep(&place).collect(&limits).unwrap().removed, 2);
    crate::sys::fs::remove_file(&place.at("a")).unwrap();
    assert_eq!(place.run(large).did, ["executed"]);
}

#[test]
fn what_the_dead_left_is_no_hindrance() {
    let mut place = Place::new(vec![step("a", &["a"])]);
    place.run(large);
    let v1 = place.store().join("v1");
    for file in [
        "trash/1-0/7",
        "live/1-0",
        "flight/ab",
        "cas/ab/.pipe-tmp-xyz",
    ] {
        write(&v1.join(file), "");
    }
    let done = upkeep(&place).collect(&NOTHING).unwrap();
    assert_eq!((done.left, done.spared, files(&place).len()), (0, 0, 0));
    for folder in ["trash", "live", "flight"] {
        assert_eq!(std::fs::read_dir(v1.join(folder)).unwrap().count(), 0);
    }
}

/// Everything was last used an hour earlier than it was.
fn an_hour_goes_by(place: &Place) {
    for file in files(place) {
        let used = file.metadata().unwrap().modified().unwrap();
        set_modified(&file, used - Duration::from_secs(3600)).unwrap();
    }
}

fn size(place: &Place) -> u64 {
    upkeep(place).stats().unwrap().size
}

/// A command that makes something else of each source.
fn changing(name: &str, root: &Path) {
    let text = std::fs::read_to_string(root.join("src/a")).unwrap();
    write(&root.join(name), &text.repeat(5000));
}

#[test]
fn runs_keep_the_store_small_by_themselves() {
    let mut place = Place::new(vec![step("a", &["a"])]);
    let store = place.options.store.as_mut().unwrap();
    store.limits.max_size = 40 << 10;
    // Each leaves 12 KiB.
    for source in "abcdefgh".chars() {
        place.write("src/a", &source.to_string());
        assert_eq!(place.run(changing).did, ["executed"]);
        assert!(size(&place) <= 48 << 10, "{source}: {}", size(&place));
        an_hour_goes_by(&place);
    }
    // What was used last is there, what was used first is not.
    for (source, did) in [("g", "restored"), ("a", "executed")] {
        place.write("src/a", source);
        assert_eq!(place.run(changing).did, [did], "{source}");
    }
}

#[test]
fn what_nobody_uses_for_long_goes_by_itself() {
    let mut place = Place::new(vec![step("a", &["a"])]);
    let store = place.options.store.as_mut().unwrap();
    store.limits.max_age = Duration::from_secs(5400);
    for source in "abc".chars() {
        place.write("src/a", &source.to_string());
        place.run(changing);
        an_hour_goes_by(&place);
        // As if the last round had been long ago.
        crate::sys::fs::remove_file(&place.store().join("v1/census")).unwrap();
    }
    place.run(changing);
    assert_eq!(upkeep(&place).stats().unwrap().results, 2);
}

#[test]
fn a_damaged_census_is_begun_anew() {
    let mut place = Place::new(vec![step("a", &["a"])]);
    place.run(large);
    let census = place.store().join("v1/census");
    let whole = std::fs::read(&census).unwrap();
    for at in (0..whole.len()).step_by(5) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x41;
        for damaged in [&whole[..at], &flipped] {
            crate::sys::fs::write_atomic(&census, damaged).unwrap();
            place.write("src/a", &at.to_string());
            place.run(large);
        }
    }
}
