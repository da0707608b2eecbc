//! What cached steps see of the caller, and what the documentation says of it.

use std::collections::BTreeSet;

use pipe::exec::HANDED_THROUGH;
use regex::Regex;

use crate::support::{Sandbox, repository};

#[test]
fn the_documented_list_is_the_real_one() {
    let page = repository().join("docs/language/environment.md");
    let page = std::fs::read_to_string(page).unwrap();
    let list = page.split("<!-- handed through -->").nth(1).unwrap();
    let list = list.split("<!-- end -->").next().unwrap();
    let names = Regex::new("`([A-Za-z0-9_]+)`").unwrap();
    let documented: BTreeSet<&str> = names
        .captures_iter(list)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert_eq!(documented, HANDED_THROUGH.iter().copied().collect());
}

#[test]
fn of_forty_variables_a_cached_step_sees_none() {
    let sandbox = Sandbox::with(
        "steps:\n  show: { sources: [], outputs: [seen], run: \"env | cut -d= -f1 | sort > seen\" }\n",
    );
    let planted: String = (0..40)
        .map(|number| format!("PLANTED_{number}=x "))
        .collect();
    let _ = sandbox.shell(&format!("{planted} pipe run show")).exits(0);
    let seen = sandbox.read("seen");
    assert!(!seen.contains("PLANTED"), "{seen}");
    let own = [
        "LC_ALL",
        "TZ",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "CLICOLOR_FORCE",
        "FORCE_COLOR",
    ];
    for name in seen.lines() {
        assert!(
            HANDED_THROUGH.contains(&name) || own.contains(&name),
            "{name}"
        );
    }
}
