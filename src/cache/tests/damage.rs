//! What people, disks and kills can do to results.

use std::path::Path;

use super::fixture::{Place, executable, listing, step, write};
use crate::cache::Upstream;
use crate::cache::journal::Note;
use crate::sys::fs::{
    create_dir_all, remove_dir_all, remove_file, rename, set_mode, symlink, write_atomic,
};

fn make(_: &str, root: &Path) {
    let text = std::fs::read_to_string(root.join("src/a")).unwrap();
    write(&root.join("dist/a"), &text);
    write(&root.join("dist/sub/big"), &text.repeat(2000));
    write(&root.join("dist/sub/tool"), &text);
    executable(&root.join("dist/sub/tool"));
}

fn never(name: &str, _: &Path) {
    panic!("`{name}` runs");
}

fn built() -> Place {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    assert_eq!(place.run(make).notes, Vec::<String>::new());
    place
}

/// What is done to the output folder.
type Damage<'a> = &'a dyn Fn(&Path);

#[test]
fn whatever_is_done_to_an_output_is_put_right_and_told() {
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("big"), "precious");
    let damages: [(&str, Damage<'_>); 8] = [
        ("dist/a", &|dist| write(&dist.join("a"), "onE")),
        ("dist/a", &|dist| write(&dist.join("a"), "")),
        ("dist/a", &|dist| remove_file(&dist.join("a")).unwrap()),
        ("dist/a", &|dist| executable(&dist.join("a"))),
        ("dist/sub/tool", &|dist| {
            set_mode(&dist.join("sub/tool"), 0o644).unwrap();
        }),
        ("dist/a", &|dist| {
            remove_file(&dist.join("a")).unwrap();
            write(&dist.join("a/x"), "in a folder");
        }),
        ("dist/a", &|dist| {
            remove_file(&dist.join("a")).unwrap();
            let decoy = outside.path().join("decoy");
            write(&decoy, "x");
            symlink(&decoy, &dist.join("a")).unwrap();
        }),
        ("dist/sub/big", &|dist| {
            remove_dir_all(&dist.join("sub")).unwrap();
            symlink(outside.path(), &dist.join("sub")).unwrap();
        }),
    ];
    for (path, damage) in damages {
        let mut place = built();
        let before = listing(&place.at("dist"));
        damage(&place.at("dist"));
        let report = place.run(never);
        assert_eq!(report.did, ["restored"], "{path}");
        assert_eq!(listing(&place.at("dist")), before);
        assert!(
            report.notes.iter().any(|note| note.contains(path)),
            "{path}: {:?}",
            report.notes
        );
        assert_eq!(place.run(never).did, ["up to date"]);
    }
    assert_eq!(
        std::fs::read_to_string(outside.path().join("big")).unwrap(),
        "precious"
    );
}

#[test]
fn an_output_folder_swapped_for_a_link_is_not_followed() {
    let mut place = built();
    let outside = tempfile::tempdir().unwrap();
    remove_dir_all(&place.at("dist")).unwrap();
    symlink(outside.path(), &place.at("dist")).unwrap();
    assert_eq!(place.run(never).did, ["restored"]);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(place.at("dist").symlink_metadata().unwrap().is_dir());
    assert!(
        place
            .at(".pipe/kept/r2/dist")
            .symlink_metadata()
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn equal_bytes_behind_a_link_are_not_the_outputs() {
    for moved in ["dist", "dist/sub"] {
        let mut place = built();
        let before = listing(&place.at("dist"));
        rename(&place.at(moved), &place.at("twin")).unwrap();
        symlink(&place.at("twin"), &place.at(moved)).unwrap();
        let twin = listing(&place.at("twin"));
        assert_eq!(place.run(never).did, ["restored"], "{moved}");
        assert!(place.at(moved).symlink_metadata().unwrap().is_dir());
        assert_eq!(listing(&place.at("dist")), before);
        assert_eq!(listing(&place.at("twin")), twin, "left alone");
        assert_eq!(place.run(never).did, ["up to date"]);
    }
}

#[test]
fn a_folder_above_the_outputs_swapped_for_a_link_is_refused() {
    let mut place = Place::new(vec![step("a", &["build/dist/"])]);
    place.run(|_, root| write(&root.join("build/dist/a"), "x"));
    let outside = tempfile::tempdir().unwrap();
    remove_dir_all(&place.at("build")).unwrap();
    symlink(outside.path(), &place.at("build")).unwrap();
    let cache = place.open();
    let prepared = cache
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap();
    assert!(cache.up_to_date(&place.steps[0], &prepared, 0).is_err());
    assert!(cache.restore(&place.steps[0], &prepared, 0).is_none());
    assert!(
        cache.notes()[0].contains("links are not followed"),
        "it says why"
    );
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn files_that_nobody_made_are_kept() {
    let mut place = built();
    place.write("dist/notes.txt", "a person's");
    let report = place.run(never);
    assert_eq!(report.did, ["restored"]);
    assert_eq!(
        place.read(".pipe/kept/r2/dist/notes.txt").as_deref(),
        Some("a person's")
    );
    assert_eq!(report.notes.len(), 1);
    place.write("dist/more.txt", "also");
    place.write("src/a", "two");
    let report = place.run(make);
    assert_eq!(report.did, ["executed"]);
    assert_eq!(
        place.read(".pipe/kept/r3/dist/more.txt").as_deref(),
        Some("also")
    );
    assert!(
        report.notes[0].contains("dist/more.txt"),
        "{:?}",
        report.notes
    );
    assert!(!place.at("dist/more.txt").exists());
}

#[test]
fn old_outputs_are_gone_after_a_run() {
    let mut place = built();
    place.write("src/a", "two");
    let report = place.run(|_, root| write(&root.join("dist/b"), "other"));
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!(
        listing(&place.at("dist")).into_keys().collect::<Vec<_>>(),
        ["b"]
    );
    place.write("src/a", "one");
    assert_eq!(place.run(never).did, ["restored"]);
    assert_eq!(listing(&place.at("dist")).len(), 3);
    assert!(!place.at(".pipe/kept").exists());
}

#[test]
fn a_restore_leaves_empty_folders_that_it_finds() {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    let make = |_: &str, root: &Path| {
        create_dir_all(&root.join("dist/empty/deep")).unwrap();
        write(
            &root
                .join("dist")
                .join(std::fs::read_to_string(root.join("src/a")).unwrap()),
            "x",
        );
    };
    place.run(make);
    place.write("src/a", "two");
    place.run(make);
    place.write("src/a", "one");
    assert_eq!(place.run(never).did, ["restored"]);
    assert_eq!(
        listing(&place.at("dist")).into_keys().collect::<Vec<_>>(),
        ["empty/deep/", "one"]
    );
    place.write("dist/mine", "a person's");
    assert_eq!(place.run(never).did, ["restored"]);
    assert!(place.at("dist/empty/deep").is_dir());
    assert_eq!(place.run(never).did, ["up to date"]);
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() {
                open.push(entry);
            } else {
                found.push(entry);
            }
        }
    }
    found
}

#[test]
fn a_damaged_store_costs_a_run_and_nothing_else() {
    for part in ["cas", "rec"] {
        for damage in [
            &|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
            &|bytes: &mut Vec<u8>| bytes[40] ^= 1,
        ] as [&dyn Fn(&mut Vec<u8>); 2]
        {
            let mut place = built();
            let before = listing(&place.at("dist"));
            for file in files(&place.store().join("v1").join(part)) {
                let mut bytes = std::fs::read(&file).unwrap();
                damage(&mut bytes);
                write_atomic(&file, &bytes).unwrap();
            }
            place.write("dist/sub/big", "edited");
            let report = place.run(make);
            assert_eq!(report.did, ["executed"]);
            assert!(
                report.notes.iter().any(|note| note.contains("quarantine")),
                "{:?}",
                report.notes
            );
            assert_eq!(listing(&place.at("dist")), before);
            remove_dir_all(&place.at("dist")).unwrap();
            assert_eq!(place.run(never).did, ["restored"], "it was stored again");
        }
    }
}

#[test]
fn a_result_that_is_damaged_in_part_changes_nothing() {
    let mut place = built();
    let blob = files(&place.store().join("v1/cas")).pop().unwrap();
    write(&blob, "damaged");
    remove_file(&place.at("dist/sub/big")).unwrap();
    write(&place.at("dist/a"), "edited");
    let before = listing(&place.at("dist"));
    let cache = place.open();
    let prepared = cache
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap();
    assert!(cache.restore(&place.steps[0], &prepared, 0).is_none());
    assert_eq!(listing(&place.at("dist")), before);
}

#[test]
fn a_store_that_cannot_be_written_is_told_once_and_nothing_fails() {
    let mut place = Place::new(vec![step("a", &["dist/a"]), step("b", &["out"])]);
    write(&place.store(), "a file where the store should be");
    let report =
        place.run(|name, root| write(&root.join(if name == "a" { "dist/a" } else { "out" }), "x"));
    assert_eq!(report.did, ["executed", "executed"]);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(report.notes[0].starts_with("the store is not used"));
    assert_eq!(place.run(never).did, ["up to date", "up to date"]);
}

#[test]
fn what_a_killed_run_left_half_made_is_removed() {
    let place = built();
    let (state, temporary) = (place.at(".pipe"), ".pipe-tmp-abc123");
    write(&state.join(temporary), "half");
    write(&state.join("plans").join(temporary), "half");
    write(&state.join("aside/r9-1/lock"), "1");
    write(&state.join("aside/r8-1/journal"), "");
    crate::cache::sweep(&state);
    assert!(!state.join(temporary).exists());
    assert_eq!(files(&state.join("plans")).len(), 0);
    assert_eq!(
        files(&state.join("aside")),
        [state.join("aside/r8-1/journal")]
    );
}

/// What a kill leaves: the run's values are dropped, nothing is put back or saved.
fn kill<T>(value: T) {
    drop(value);
}

#[test]
fn a_kill_while_the_command_runs_is_undone_by_the_next_run() {
    let mut place = built();
    let before = listing(&place.at("dist"));
    place.write("src/a", "two");
    let cache = place.open();
    kill(cache.set_aside(&place.steps[0]).unwrap());
    place.write("dist/half", "of it");
    kill(cache);
    let cache = place.open();
    assert_eq!(listing(&place.at("dist")), before);
    assert_eq!(
        std::fs::read_dir(place.at(".pipe/aside")).unwrap().count(),
        0
    );
    drop(cache);
    place.write("src/a", "one");
    assert_eq!(place.run(never).did, ["up to date"]);
    assert!(!place.at(".pipe/kept").exists());
}

#[test]
fn what_could_not_be_cleared_gives_way_to_what_was_there() {
    let mut place = built();
    let before = listing(&place.at("dist"));
    let cache = place.open();
    kill(cache.set_aside(&place.steps[0]).unwrap());
    place.write("dist/half", "of it");
    cache.write(&Note::Cleared { number: 0 }).unwrap();
    kill(cache);
    assert_eq!(place.run(never).notes, Vec::<String>::new());
    assert_eq!(listing(&place.at("dist")), before);
}

#[test]
fn a_kill_of_the_first_run_leaves_nothing_for_people_to_keep() {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    let cache = place.open();
    kill(cache.set_aside(&place.steps[0]).unwrap());
    place.write("dist/half", "of it");
    kill(cache);
    let report = place.run(make);
    assert_eq!(report.notes, Vec::<String>::new());
    assert!(!place.at(".pipe/kept").exists());
}

#[test]
fn a_live_run_is_left_alone() {
    let mut place = built();
    let cache = place.open();
    let aside = cache.set_aside(&place.steps[0]).unwrap();
    place.write("dist/a", "new");
    let other = place.open();
    assert_eq!(place.read("dist/a").as_deref(), Some("new"));
    drop(other);
    cache.put_back(aside).unwrap();
    assert_eq!(place.read("dist/a").as_deref(), Some("one"));
}

#[test]
fn a_cut_journal_loses_no_file() {
    let place_with_journal = || {
        let mut place = Place::new(vec![step("a", &["one", "two"])]);
        place.run(|_, root| {
            for name in ["one", "two"] {
                write(&root.join(name), name);
            }
        });
        let cache = place.open();
        kill(cache.set_aside(&place.steps[0]).unwrap());
        kill(cache);
        let bench = std::fs::read_dir(place.at(".pipe/aside"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        (place, bench)
    };
    let (_place, bench) = place_with_journal();
    let length = std::fs::read(bench.join("journal")).unwrap().len();
    for cut in 0..length {
        let (mut place, bench) = place_with_journal();
        let bytes = std::fs::read(bench.join("journal")).unwrap();
        write_atomic(&bench.join("journal"), &bytes[..cut]).unwrap();
        drop(place.open());
        let mut found = Vec::new();
        for file in files(place.folder.path())
            .iter()
            .filter(|file| !file.ends_with("journal"))
        {
            found.extend(std::fs::read_to_string(file));
        }
        assert!(
            ["one", "two"]
                .iter()
                .all(|text| found.iter().any(|found| found == text)),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_kill_after_the_result_was_taken_finishes_the_work() {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    place.run(|name, root| {
        make(name, root);
        write(&root.join("dist/old"), "not made again");
    });
    place.write("src/a", "two");
    place.write("dist/mine", "a person's");
    let cache = place.open();
    let prepared = cache
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap();
    let mut aside = cache.set_aside(&place.steps[0]).unwrap();
    make("a", place.folder.path());
    let ran = super::fixture::ran(&cache, place.folder.path(), "a");
    cache
        .capture(&place.steps[0], Some(&prepared), &ran, &mut aside)
        .unwrap();
    kill(aside);
    kill(cache);
    let report = place.run(never);
    assert_eq!(report.did, ["up to date"]);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert_eq!(place.read("dist/a").as_deref(), Some("two"));
    assert!(!place.at("dist/old").exists());
    assert_eq!(
        place.read(".pipe/kept/r3/dist/mine").as_deref(),
        Some("a person's")
    );
}

#[test]
fn pipes_own_files_may_be_anything() {
    for file in ["state", "stat", "fields"] {
        let mut place = built();
        let target = place.at(".pipe").join(file);
        if target.is_dir() {
            remove_dir_all(&target).unwrap();
        }
        write(&target, "garbage that is longer than any header of ours");
        let report = place.run(never);
        assert_ne!(report.did, ["executed"], "{file}");
    }
    let mut place = built();
    rename(&place.at(".pipe/fields"), &place.at(".pipe/gone")).unwrap();
    remove_dir_all(&place.store()).unwrap();
    place.write("src/a", "two");
    assert_eq!(place.run(make).why, [crate::cache::MissReason::Forgotten]);
    create_dir_all(&place.at("dist")).unwrap();
}
