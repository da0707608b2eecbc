//! What happens to a step from run to run.

use std::path::Path;

use super::fixture::{
    Place, executable, execute, listing, output, path, pattern, ran, step, write,
};
use crate::cache::{
    CaptureError, Ended, MissReason, OutputChange, PrepareError, TreeError, Upstream,
};
use crate::plan::{CacheMode, Literal, Sources};
use crate::sys::fs::{create_dir_all, remove_dir_all, remove_file, symlink};

/// A command that copies `src/a` to `dist/a`.
fn copy(_: &str, root: &Path) {
    let text = std::fs::read_to_string(root.join("src/a")).unwrap();
    write(&root.join("dist/a"), &text);
}

/// A command of which nobody knows why it runs.
fn never(name: &str, _: &Path) {
    panic!("`{name}` runs");
}

fn forget_all(place: &Place) {
    remove_dir_all(&place.at(".pipe")).unwrap();
}

#[test]
fn a_step_runs_once_and_again_when_a_source_changes() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    let first = place.run(copy);
    assert_eq!(
        (first.did, first.why),
        (vec!["executed"], vec![MissReason::NeverRan])
    );
    assert_eq!(place.run(never).did, ["up to date"]);
    place.write("src/a", "two");
    let second = place.run(copy);
    assert_eq!(second.did, ["executed"]);
    assert_eq!(second.why[0].text(), "source `src/a` changed");
    assert_eq!(place.read("dist/a").as_deref(), Some("two"));
    place.write("src/a", "one");
    assert_eq!(place.run(never).did, ["restored"]);
    assert_eq!(place.read("dist/a").as_deref(), Some("one"));
    assert_eq!(place.run(never).did, ["up to date"]);
}

#[test]
fn reasons_name_what_changed() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    place.run(copy);
    place.write("src/b", "new");
    place.steps[0].args.push("-x".to_owned());
    place.steps[0].pass_env.push("HOME".to_owned());
    let texts: Vec<String> = place.run(copy).why.iter().map(MissReason::text).collect();
    let wanted = [
        "source `src/b` is new",
        "argument 1 changed: `-x` is new",
        "`HOME` was added to `pass_env`",
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn another_checkout_gets_the_result_from_the_store() {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    let make = |_: &str, root: &Path| {
        write(&root.join("dist/bin/tool"), "#!/bin/sh\n");
        executable(&root.join("dist/bin/tool"));
        write(&root.join("dist/big"), &"x".repeat(100_000));
        symlink(Path::new("bin/tool"), &root.join("dist/link")).unwrap();
        symlink(Path::new("nowhere"), &root.join("dist/broken")).unwrap();
        create_dir_all(&root.join("dist/empty/inside")).unwrap();
    };
    place.run(make);
    let mut other = place.sibling();
    let report = other.run(never);
    assert_eq!(report.did, ["restored"]);
    assert_eq!(listing(&other.at("dist")), listing(&place.at("dist")));
    assert_eq!(
        std::fs::read_to_string(report.log.unwrap()).unwrap(),
        "made a\n"
    );
    assert_eq!(other.run(never).did, ["up to date"]);
}

#[test]
fn without_pipes_folder_outputs_are_compared_and_not_written() {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    place.run(copy);
    let before = place.at("dist/a").metadata().unwrap().modified().unwrap();
    forget_all(&place);
    assert_eq!(place.run(never).did, ["restored"]);
    assert_eq!(
        place.at("dist/a").metadata().unwrap().modified().unwrap(),
        before
    );
}

#[test]
fn a_renamed_step_and_one_with_another_timeout_are_hits() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    place.run(copy);
    place.steps[0].name = "b".to_owned();
    assert_eq!(place.run(never).did, ["restored"]);
    place.steps[0].timeout = Some(std::time::Duration::from_secs(1));
    assert_eq!(place.run(never).did, ["up to date"]);
}

#[test]
fn an_equal_output_stops_the_rebuild() {
    let mut second = step("b", &["out"]);
    second.sources = Some(Sources::default());
    second.needs = vec![0];
    let mut place = Place::new(vec![step("a", &["dist/a"]), second]);
    let make = |name: &str, root: &Path| match name {
        "a" => {
            let text = std::fs::read_to_string(root.join("src/a")).unwrap();
            write(&root.join("dist/a"), &text.to_lowercase());
        }
        _ => write(
            &root.join("out"),
            &std::fs::read_to_string(root.join("dist/a")).unwrap(),
        ),
    };
    assert_eq!(place.run(make).did, ["executed", "executed"]);
    place.write("src/a", "ONE");
    assert_eq!(place.run(make).did, ["executed", "up to date"]);
    place.write("src/a", "two");
    let report = place.run(make);
    assert_eq!(report.did, ["executed", "executed"]);
    assert_eq!(report.why[0].text(), "`dist/a` changed (made by `a`)");
    assert_eq!(report.why[0].kind(), "dependency");
}

#[test]
fn a_literal_source_that_a_step_makes_is_an_input() {
    let mut second = step("b", &["out"]);
    let literals = vec![Literal::Made {
        path: path("dist/a"),
        by: 0,
    }];
    second.sources = Some(Sources {
        literals,
        ..Sources::default()
    });
    second.after = vec![0];
    let mut place = Place::new(vec![step("a", &["dist/"]), second]);
    let make = |name: &str, root: &Path| match name {
        "a" => {
            copy(name, root);
            write(
                &root.join("dist/other"),
                &std::fs::read_to_string(root.join("src/a")).unwrap(),
            );
        }
        _ => write(
            &root.join("out"),
            &std::fs::read_to_string(root.join("dist/a")).unwrap(),
        ),
    };
    place.run(make);
    place.write("src/a", "two");
    let report = place.run(make);
    assert_eq!(report.did, ["executed", "executed"]);
    assert_eq!(report.why.len(), 1, "only the file that it names");
    let cache = place.open();
    let skipped = cache
        .prepare(&place.steps[1], &Upstream::default(), 0)
        .unwrap();
    assert_eq!(
        skipped.action.inputs.len(),
        1,
        "what lies there counts, also when its step is skipped"
    );
}

#[test]
fn local_results_stay_here_and_uncached_steps_always_run() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    place.steps[0].cache = CacheMode::Local;
    place.run(copy);
    assert_eq!(place.run(never).did, ["up to date"]);
    assert_eq!(place.sibling().run(copy).did, ["executed"]);
    for (mode, reason) in [
        (CacheMode::Off, MissReason::Off),
        (CacheMode::Undeclared, MissReason::Undeclared),
    ] {
        place.steps[0].cache = mode;
        let report = place.run(copy);
        assert_eq!((report.did, report.why), (vec!["executed"], vec![reason]));
        let last = place.open().last("a").unwrap();
        assert_eq!((last.key, last.outputs.len()), (None, 1));
    }
    assert_eq!(
        std::fs::read_dir(place.store().join("v1/rec"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn force_reads_nothing_and_writes_all() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    place.run(copy);
    place.options.read_store = false;
    let report = place.run(|_, root| write(&root.join("dist/a"), "forced"));
    assert_eq!(
        (report.did, report.why),
        (vec!["executed"], vec![MissReason::Forced])
    );
    let mut other = place.sibling();
    other.run(never);
    assert_eq!(other.read("dist/a").as_deref(), Some("forced"));
}

#[test]
fn without_a_store_the_last_result_still_counts() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    place.options.store = None;
    place.run(copy);
    assert_eq!(place.run(never).did, ["up to date"]);
    remove_file(&place.at("dist/a")).unwrap();
    let report = place.run(copy);
    let missing = MissReason::Output {
        path: "dist/a".to_owned(),
        change: OutputChange::Missing,
    };
    assert_eq!((report.did, report.why), (vec!["executed"], vec![missing]));
}

#[test]
fn a_source_that_changes_while_the_command_runs_taints_the_result() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    let tainting = |name: &str, root: &Path| {
        copy(name, root);
        write(&root.join("src/a"), "two");
        write(&root.join("src/a"), "one");
    };
    assert_eq!(place.run(tainting).did, ["executed"]);
    let report = place.run(copy);
    assert_eq!(
        (report.did, report.why),
        (vec!["executed"], vec![MissReason::NotKept])
    );
    assert_eq!(place.run(never).did, ["up to date"]);
}

#[test]
fn a_failure_leaves_the_last_good_result() {
    let mut place = Place::new(vec![step("a", &["dist/"])]);
    place.run(copy);
    place.write("src/a", "two");
    let cache = place.open();
    let prepared = cache
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap();
    let aside = cache.set_aside(&place.steps[0]).unwrap();
    assert_eq!(place.read("dist/a"), None);
    place.write("dist/half", "of it");
    cache.failed(&place.steps[0], &ran(&cache, place.folder.path(), "a"));
    let left = cache.put_back(aside).unwrap().unwrap();
    assert_eq!(
        std::fs::read_to_string(left.join("dist/half")).unwrap(),
        "of it"
    );
    assert_eq!(listing(&place.at("dist")).len(), 1);
    assert_eq!(cache.last("a").unwrap().latest.ending, Ended::Failed);
    assert!(cache.up_to_date(&place.steps[0], &prepared, 0).is_err());
    cache.save().unwrap();
    assert_eq!(
        std::fs::read_dir(place.at(".pipe/aside")).unwrap().count(),
        0
    );
    place.write("src/a", "one");
    assert_eq!(
        place.run(never).did,
        ["up to date"],
        "what was good still is"
    );
}

#[test]
fn outputs_must_be_what_they_were_declared() {
    let fails = |outputs: &[&str], make: &dyn Fn(&str, &Path)| {
        let mut place = Place::new(vec![step("a", outputs)]);
        let cache = place.open();
        let prepared = cache
            .prepare(&place.steps[0], &Upstream::default(), 0)
            .unwrap();
        let root = place.folder.path();
        let made = execute(
            &cache,
            &place.steps[0],
            &prepared,
            root,
            make,
            &mut Default::default(),
        );
        made.map(drop)
            .map_err(|error: CaptureError| error.to_string())
    };
    let nothing = |_: &str, _: &Path| {};
    let folder = |_: &str, root: &Path| write(&root.join("out/x"), "");
    let file = |_: &str, root: &Path| write(&root.join("out"), "");
    assert_eq!(
        fails(&["out"], &nothing).unwrap_err(),
        "output `out` was not made"
    );
    assert_eq!(
        fails(&["out/"], &nothing).unwrap_err(),
        "output `out/` was not made"
    );
    assert_eq!(
        fails(&["out/*"], &nothing).unwrap_err(),
        "output `out/*` was not made"
    );
    assert_eq!(
        fails(&["out"], &folder).unwrap_err(),
        "output `out` is a folder; write `out/` for all in it"
    );
    assert_eq!(
        fails(&["out/"], &file).unwrap_err(),
        "output `out/` is no folder"
    );
    assert_eq!(
        fails(&["out/"], &|_, root| create_dir_all(&root.join("out"))
            .unwrap()),
        Ok(())
    );
    let links = |target: &'static str| {
        fails(&["out"], &move |_, root| {
            symlink(Path::new(target), &root.join("out")).unwrap();
        })
    };
    assert_eq!(links("src/a"), Ok(()));
    for target in ["/nonexistent/x", "../x", "src/../../x"] {
        assert!(
            links(target)
                .unwrap_err()
                .contains("outside of the workspace"),
            "{target}"
        );
    }
    let fifo = |_: &str, root: &Path| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("out"),
            rustix::fs::FileType::Fifo,
            mode,
            0,
        )
        .unwrap();
    };
    assert!(fails(&["out"], &fifo).unwrap_err().contains("FIFO"));
}

#[test]
fn an_optional_output_may_be_missing() {
    let mut place = Place::new(vec![step("a", &["dist/a", "dist/b"])]);
    place.steps[0].outputs[1].optional = true;
    place.run(copy);
    assert_eq!(place.run(never).did, ["up to date"]);
    place.write("dist/b", "a person's");
    let report = place.run(never);
    assert_eq!(report.did, ["restored"]);
    assert_eq!(
        place.read(".pipe/kept/r3/dist/b").as_deref(),
        Some("a person's")
    );
}

#[test]
fn a_link_that_leads_out_of_the_workspace_hides_no_output() {
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("app"), "precious");
    let mut place = Place::new(vec![step("a", &["build/app"])]);
    symlink(outside.path(), &place.at("build")).unwrap();
    let cache = place.open();
    assert!(
        cache
            .set_aside(&place.steps[0])
            .unwrap_err()
            .to_string()
            .contains("go into")
    );
    assert_eq!(
        std::fs::read_to_string(outside.path().join("app")).unwrap(),
        "precious"
    );
}

#[test]
fn results_that_hold_the_workspaces_path_stay_there() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    let make = |_: &str, root: &Path| {
        write(
            &root.join("dist/a"),
            &format!("{}|{}", "x".repeat(70_000), root.display()),
        );
    };
    place.run(make);
    remove_file(&place.at("dist/a")).unwrap();
    assert_eq!(place.run(never).did, ["restored"]);
    let mut other = place.sibling();
    let cache = other.open();
    let prepared = cache
        .prepare(&other.steps[0], &Upstream::default(), 0)
        .unwrap();
    let why = cache.explain(&other.steps[0], &prepared);
    assert_eq!(
        why[1],
        MissReason::Bound {
            root: place.folder.path().to_path_buf()
        }
    );
    assert_eq!(cache.stored(&other.steps[0], &prepared, 0), None);
    drop(cache);
    assert_eq!(other.run(make).did, ["executed"]);
    remove_file(&place.at("dist/a")).unwrap();
    assert_eq!(place.run(never).did, ["restored"], "both have their own");
}

#[test]
fn a_missing_source_names_itself() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    place.steps[0].sources = Some(Sources {
        literals: vec![Literal::File(path("src/none"))],
        ..Sources::default()
    });
    let error = place
        .open()
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap_err();
    assert!(matches!(error, PrepareError::Source(TreeError::Missing(_))));
    assert_eq!(error.to_string(), "source `src/none` does not exist");
    place.steps[0].sources = Some(Sources {
        patterns: vec![pattern("none/*")],
        ..Sources::default()
    });
    let prepared = place
        .open()
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap();
    assert_eq!(prepared.warnings, ["`none/*` matches no file"]);
}

#[test]
fn negated_outputs_are_left_alone() {
    let mut place = Place::new(vec![step("a", &["dist/", "!dist/state/**"])]);
    place.write("dist/state/db", "mine");
    place.write("dist/old/x", "x");
    place.run(copy);
    assert_eq!(place.read("dist/state/db").as_deref(), Some("mine"));
    assert!(!place.at("dist/old").exists());
    assert_eq!(place.run(never).did, ["up to date"]);
    assert!(place.steps[0].outputs.contains(&output("!dist/state/**")));
}

#[test]
fn profiles_take_turns_without_a_word() {
    let mut place = Place::new(vec![step("a", &["dist/a"])]);
    let make = |_: &str, root: &Path| write(&root.join("dist/a"), "dev");
    place.run(make);
    place.steps[0].profile = Some("prod".to_owned());
    place.steps[0].args = vec!["-O".to_owned()];
    let report = place.run(|_, root| write(&root.join("dist/a"), "prod"));
    assert_eq!((report.did, report.notes), (vec!["executed"], vec![]));
    place.steps[0].profile = None;
    place.steps[0].args.clear();
    let report = place.run(never);
    assert_eq!((report.did, report.notes), (vec!["restored"], vec![]));
    assert_eq!(place.read("dist/a").as_deref(), Some("dev"));
}
