//! What is in the key, and what is not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::fixture::{Place as Workspace, output, path, step};
use crate::cache::action::Action;
use crate::cache::{BASE_ENV, Digest, Entry, EntryPath, Identity, Kind, Upstream};
use crate::expand::{Late, LateTexts, Piece, Place, Template};
use crate::plan::{CacheMode, Check, CheckKind, Dialect, EnvPolicy, EnvSetting, PlanStep, Shell};

fn input(at: &str, text: &str) -> Entry {
    Entry {
        path: EntryPath::In(path(at)),
        kind: Kind::File,
        exec: false,
        digest: Digest::of(text.as_bytes()),
        identity: Identity::default(),
    }
}

fn action(step: &PlanStep, inputs: Vec<Entry>) -> Action {
    let mut action = Action::of(step, &Late::default(), inputs).unwrap();
    // The same on every machine that runs this test.
    action.platform = ("linux".to_owned(), "amd64".to_owned());
    action
}

fn base() -> Action {
    action(
        &step("a", &["dist/"]),
        vec![input("src/a", "one"), input("src/b", "two")],
    )
}

/// What golden keys hold: a release must not empty everybody's store. If this fails, the meaning of
/// a field has changed: count up `SCHEMA`, and only then change the keys here.
#[test]
fn golden_keys() {
    let mut full = step("full", &["bin/app", "dist/", "gen/*.c", "!dist/tmp"]);
    full.args = vec!["-v".to_owned()];
    full.dir = path("sub/dir");
    full.env = BTreeMap::from([
        ("CC".to_owned(), EnvSetting::Set(Template::text("cc"))),
        ("EMPTY".to_owned(), EnvSetting::Set(Template::text(""))),
        ("TZ".to_owned(), EnvSetting::Unset),
    ]);
    full.path = vec![path("tools/bin")];
    full.pass_env = vec!["HOME".to_owned(), "DISPLAY".to_owned()];
    full.env_policy = EnvPolicy::Inherit;
    full.salt = vec!["2".to_owned()];
    full.verify = vec![check(CheckKind::Env {
        name: "X".to_owned(),
    })];
    let mut link = input("src/l", "x");
    (link.kind, link.exec) = (Kind::Link, true);
    let mut outside = input("src/o", "y");
    outside.path = EntryPath::Outside("/etc/hosts".to_owned());
    let mut compiled = base();
    compiled.depfile = Some(path("dist/d"));
    compiled.discovered = Some(vec![input("inc/x.h", "x"), outside.clone()]);
    let keys = [
        base().key(),
        action(&full, vec![link, outside]).key(),
        action(&step("e", &[]), Vec::new()).key(),
        compiled.weak_key(),
        compiled.key(),
    ];
    let keys = keys.map(|key| key.to_string());
    let golden = [
        "5f62d4496cf5f4770df33f78fb1b0a9b81eb29a9769b6988ccbf68dcdf06b638",
        "6aeb8223ec7a5e0c4afe8b69151375349924734eaf3fff10248e5abec0aca7da",
        "369da3a3398fa28b1517ecdc5891ee410ddef28032c4d1799c610c9302c2d6fc",
        "4ddefddcaae7857c34716c0e806b37c92e7e6d327d273c3f9fdb3c117116fda9",
        "97f72c27e6eb07173b62a58bda6884b0506f31fbb14f75d0f9322ea489ed6d54",
    ];
    assert_eq!(keys, golden);
}

fn check(kind: CheckKind) -> Check {
    Check {
        kind,
        within: None,
        timeout: Duration::from_secs(10),
        message: None,
        late: LateTexts::default(),
    }
}

fn file_check(min_size: Option<u64>, executable: Option<bool>, matches: Option<&str>) -> Check {
    check(CheckKind::File {
        path: path("dist/a"),
        min_size,
        max_size: None,
        executable,
        matches: matches.map(str::to_owned),
    })
}

/// Changes of every field; the pattern names all of them.
fn changes() -> Vec<(&'static str, Action)> {
    let Action {
        command: _,
        args: _,
        dir: _,
        env: _,
        pass_env: _,
        secrets: _,
        platform: _,
        tools: _,
        inputs: _,
        discovered: _,
        depfile: _,
        outputs: _,
        shell: _,
        env_policy: _,
        path: _,
        verify: _,
        salt: _,
        incremental: _,
        tty: _,
    } = base();
    let mut all = Vec::new();
    let mut add = |name, change: &dyn Fn(&mut Action)| {
        let mut action = base();
        change(&mut action);
        all.push((name, action));
    };
    let text = str::to_owned;
    add("nothing", &|_| {});
    add("command", &|a| a.command = vec![text("make b")]);
    add("two commands", &|a| {
        a.command = vec![text("make"), text("a")];
    });
    add("no command", &|a| a.command.clear());
    add("argument", &|a| a.args = vec![text("a")]);
    add("two arguments", &|a| a.args = vec![text("a"), text("b")]);
    add("arguments turned", &|a| a.args = vec![text("b"), text("a")]);
    add("arguments joined", &|a| a.args = vec![text("ab")]);
    add("empty argument", &|a| a.args = vec![text("")]);
    add("dir", &|a| a.dir = path("src"));
    add("variable", &|a| {
        drop(a.env.insert(text("X"), Some(text("1"))));
    });
    add("empty variable", &|a| {
        drop(a.env.insert(text("X"), Some(text(""))));
    });
    add("unset variable", &|a| drop(a.env.insert(text("X"), None)));
    add("base variable", &|a| drop(a.env.remove("TZ")));
    add("pass_env", &|a| a.pass_env = BTreeSet::from([text("X")]));
    add("os", &|a| a.platform.0 = text("darwin"));
    add("arch", &|a| a.platform.1 = text("arm64"));
    add("no inputs", &|a| a.inputs.clear());
    add("input path", &|a| {
        a.inputs[0].path = EntryPath::In(path("src/0"));
    });
    add("input outside", &|a| {
        a.inputs[0].path = EntryPath::Outside(text("/src/a"));
    });
    add("input digest", &|a| {
        a.inputs[0].digest = Digest::of(b"three");
    });
    add("input exec", &|a| a.inputs[0].exec = true);
    add("input kind", &|a| a.inputs[0].kind = Kind::Link);
    add("input gone", &|a| a.inputs[0].kind = Kind::Absent);
    add("contents turned", &|a| {
        let (one, two) = (a.inputs[0].digest, a.inputs[1].digest);
        (a.inputs[0].digest, a.inputs[1].digest) = (two, one);
    });
    add("depfile", &|a| a.depfile = Some(path("dist/d")));
    add("nothing discovered", &|a| a.discovered = Some(Vec::new()));
    add("discovered", &|a| {
        a.discovered = Some(vec![input("src/c", "three")]);
    });
    add("discovered digest", &|a| {
        a.discovered = Some(vec![input("src/c", "four")]);
    });
    add("discovered gone", &|a| {
        let absent = Entry {
            kind: Kind::Absent,
            ..input("src/c", "three")
        };
        a.discovered = Some(vec![absent]);
    });
    add("discovered input", &|a| {
        a.inputs.push(input("src/c", "three"));
    });
    add("no outputs", &|a| a.outputs.clear());
    add("output form", &|a| a.outputs = vec![output("dist")]);
    add("output glob", &|a| a.outputs = vec![output("dist/*")]);
    add("output optional", &|a| a.outputs[0].optional = true);
    add("output negated", &|a| a.outputs[0].negated = true);
    add("more outputs", &|a| a.outputs.push(output("x")));
    add("shell", &|a| {
        a.shell.words = vec![text("bash"), text("-ec")];
    });
    add("env_policy", &|a| a.env_policy = EnvPolicy::Inherit);
    add("path", &|a| a.path = vec![path("bin")]);
    add("salt", &|a| a.salt = vec![text("1")]);
    add("incremental", &|a| a.incremental = true);
    add("tty", &|a| a.tty = true);
    let verify = |name, check: Check, all: &mut Vec<(&'static str, Action)>| {
        let mut action = base();
        let script = check.kind.script().map(|_| text("true"));
        action.verify = vec![(check, script)];
        all.push((name, action));
    };
    let run = |matches: Option<&str>, not: Option<&str>| CheckKind::Run {
        script: Template::text("true"),
        matches: matches.map(text),
        not_matches: not.map(text),
    };
    verify("verify file", file_check(None, None, None), &mut all);
    verify("verify size", file_check(Some(0), None, None), &mut all);
    verify("verify exec", file_check(None, Some(false), None), &mut all);
    verify("verify text", file_check(None, None, Some("")), &mut all);
    verify("verify run", check(run(None, None)), &mut all);
    verify("verify run matches", check(run(Some("x"), None)), &mut all);
    verify("verify run not", check(run(None, Some("x"))), &mut all);
    verify(
        "verify env",
        check(CheckKind::Env { name: text("X") }),
        &mut all,
    );
    verify(
        "verify tool",
        check(CheckKind::Tool {
            name: text("X"),
            version: None,
            command: None,
        }),
        &mut all,
    );
    verify(
        "verify version",
        check(CheckKind::Tool {
            name: text("X"),
            version: Some(text("1")),
            command: None,
        }),
        &mut all,
    );
    verify(
        "verify version by command",
        check(CheckKind::Tool {
            name: text("X"),
            version: Some(text("1")),
            command: Some(Template::text("true")),
        }),
        &mut all,
    );
    let http = |status: &[u16], matches: Option<&str>| CheckKind::Http {
        url: text("X"),
        status: status.to_vec(),
        matches: matches.map(text),
    };
    verify("verify http", check(http(&[], None)), &mut all);
    verify("verify status", check(http(&[204], None)), &mut all);
    verify("verify statuses", check(http(&[204, 200], None)), &mut all);
    verify("verify answer", check(http(&[], Some("x"))), &mut all);
    verify(
        "verify tcp",
        check(CheckKind::Tcp { address: text("X") }),
        &mut all,
    );
    all
}

#[test]
fn each_field_changes_the_key() {
    let mut seen = HashMap::new();
    for (name, action) in changes() {
        if let Some(other) = seen.insert(action.key(), name) {
            panic!("`{name}` and `{other}` have the same key");
        }
    }
}

#[test]
fn what_is_no_part_of_the_result_is_no_part_of_the_key() {
    let plain = step("a", &["dist/"]);
    let mut other = plain.clone();
    other.name = "other:a".to_owned();
    other.profile = Some("prod".to_owned());
    other.description = Some("text".to_owned());
    other.after = vec![3];
    other.cache = CacheMode::Local;
    other.timeout = Some(Duration::from_secs(1));
    other.grace = Duration::from_secs(9);
    other.retries.max = 3;
    other.on_failure = vec![Template::text("true")];
    other.allow_background = true;
    other.interactive = true;
    other.requires = vec![check(CheckKind::Env {
        name: "X".to_owned(),
    })];
    other.hint = Some("text".to_owned());
    other.shell = Shell {
        dialect: Dialect::Other,
        ..other.shell
    };
    other.scripts.clone_from(&plain.scripts);
    assert_eq!(
        action(&plain, Vec::new()).key(),
        action(&other, Vec::new()).key()
    );
    let mut late = action(&plain, vec![input("a", "x")]);
    late.inputs[0].identity.mtime = 7;
    assert_eq!(late.key(), action(&plain, vec![input("a", "x")]).key());
}

#[test]
fn sets_have_no_order() {
    let plain = step("a", &["dist/"]);
    let (one, two) = (input("src/a", "one"), input("src/b", "two"));
    let turned = action(&plain, vec![two.clone(), one.clone(), one]);
    assert_eq!(turned.key(), base().key());
    let with = |names: [&str; 3]| {
        let mut step = plain.clone();
        step.pass_env = names.map(str::to_owned).to_vec();
        action(&step, vec![two.clone()]).key()
    };
    assert_eq!(with(["A", "B", "A"]), with(["B", "A", "B"]));
}

#[test]
fn times_and_words_of_checks_are_not_in_the_key() {
    let with = |check: Check| {
        let mut action = base();
        action.verify = vec![(check, None)];
        action.key()
    };
    let plain = check(CheckKind::Tcp {
        address: "x:1".to_owned(),
    });
    let other = Check {
        within: Some(Duration::from_secs(3)),
        timeout: Duration::from_secs(1),
        message: Some("text".to_owned()),
        ..plain.clone()
    };
    assert_eq!(with(plain), with(other));
}

#[test]
fn the_base_environment_is_declared() {
    let env = base().env;
    for (name, value) in BASE_ENV {
        assert_eq!(env[name].as_deref(), Some(value));
    }
    let mut own = step("a", &[]);
    own.env
        .insert("TZ".to_owned(), EnvSetting::Set(Template::text("CET")));
    assert_eq!(action(&own, Vec::new()).env["TZ"].as_deref(), Some("CET"));
}

#[test]
fn stamps_and_the_job_count_are_placeholders() {
    let hole = |expression: &str| Piece::Hole {
        expression: expression.to_owned(),
        place: Place::Text,
        early: BTreeMap::new(),
    };
    let mut place = Workspace::new(vec![step("a", &["dist/a"])]);
    let pieces = vec![
        hole("stamp.version"),
        Piece::Text(" ".to_owned()),
        hole("jobs"),
    ];
    place.steps[0].scripts = vec![Template { pieces }];
    let cache = place.open();
    let prepared = cache
        .prepare(&place.steps[0], &Upstream::default(), 0)
        .unwrap();
    assert_eq!(prepared.action.command, ["\u{1}stamp.version\u{1} 1"]);
    assert_eq!(prepared.late.sources, [path("src/a")]);
}
