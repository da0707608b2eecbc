//! What cached steps see of the caller, what the documentation says of it, and tools.

use std::collections::BTreeSet;

use pipe::exec::SHIMS;
use pipe::plan::HANDED_THROUGH;
use regex::Regex;

use crate::support::{Sandbox, repository};

#[test]
fn the_documented_list_is_the_real_one() {
    let documented = documented("handed through");
    assert_eq!(
        documented,
        HANDED_THROUGH
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    );
}

#[test]
fn the_documented_shims_are_the_known_ones() {
    let documented = documented("shims");
    assert!(
        SHIMS.iter().all(|name| documented.contains(*name)),
        "{documented:?}"
    );
    assert_eq!(documented.len(), SHIMS.len() + 2, "beside cargo and rustc");
}

/// The words in backticks of one list of the page.
fn documented(list: &str) -> BTreeSet<String> {
    let page = repository().join("docs/language/environment.md");
    let page = std::fs::read_to_string(page).unwrap();
    let from = page.split(&format!("<!-- {list} -->")).nth(1).unwrap();
    let list = from.split("<!-- end -->").next().unwrap();
    let names = Regex::new("`([A-Za-z0-9_-]+)`").unwrap();
    let names = names.captures_iter(list);
    names.map(|found| found[1].to_owned()).collect()
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

/// `cp` is a program, no script: asked once, it need not be asked again as long as it and the file
/// that it is given rest.
#[test]
fn what_a_tool_said_is_remembered() {
    let sandbox = Sandbox::with(
        "steps:\n  a: { sources: [], tools: { t: cp -v --target-directory=asked VERSION }, run: \"true\" }\n",
    );
    sandbox.mkdir("asked");
    let is_asked = || {
        let _ = sandbox.shell("rm -f asked/*").exits(0);
        let _ = sandbox.shell("pipe run a").exits(0);
        sandbox.root().join("asked/VERSION").exists()
    };
    let rests = || (0..1000).any(|_| !is_asked());
    sandbox.write("VERSION", "1");
    assert!(is_asked());
    assert!(rests());
    sandbox.write("VERSION", "2");
    assert!(is_asked());
    assert!(rests());
    let _ = sandbox.shell("echo damage > .pipe/tools").exits(0);
    assert!(is_asked());
    assert!(!is_asked());
}
