//! Examples that need nothing but a shell, in a copy: a first run builds, a second does nothing, and an
//! edit runs what depends on it and nothing else.

use crate::support::{Sandbox, repository};

#[test]
fn ten_workers_of_one_template() {
    let sandbox = copy_of("monorepo-templates");
    let first = executed(&sandbox);
    assert_eq!(first.len(), 19, "{first:?}");
    assert_eq!(executed(&sandbox), Vec::<String>::new());
    sandbox.write("workers/mail/src/main.sh", "serve post\n");
    assert_eq!(executed(&sandbox), ["mail:binary", "mail:test"]);
    let library = sandbox.read("lib/server.sh") + "# the same for all\n";
    sandbox.write("lib/server.sh", library);
    assert_eq!(executed(&sandbox).len(), 10);
}

#[test]
fn a_tqserver_project_without_pipeline_files() {
    let sandbox = copy_of("tqserver");
    assert_eq!(executed(&sandbox), ["api:build", "pages:build"]);
    assert_eq!(executed(&sandbox), Vec::<String>::new());
    let answer = |request: &str| sandbox.shell(request).exits(0).stdout;
    assert_eq!(answer("echo /version | workers/api/bin/api"), "1.4\n");
    let home = answer("echo /home | workers/pages/bin/pages");
    assert_eq!(home, "<h1>At home</h1>\n");
    sandbox.write("workers/pages/pages/draft-news.html", "<h1>Soon</h1>\n");
    assert_eq!(executed(&sandbox), Vec::<String>::new());
    sandbox.write("workers/pages/pages/home.html", "<h1>Welcome</h1>\n");
    assert_eq!(executed(&sandbox), ["pages:build"]);
}

/// The steps that a run executes, sorted; nothing fails.
fn executed(sandbox: &Sandbox) -> Vec<String> {
    let output = sandbox.pipe(&["run", "--json"]).exits(0);
    let events = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let executed = events.filter(|event| event["outcome"] == "executed");
    let mut steps: Vec<String> = executed
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .collect();
    steps.sort();
    steps
}

fn copy_of(example: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let from = repository().join("examples").join(example);
    let _ = sandbox
        .shell(&format!("cp -r '{}/.' . && rm -rf .pipe", from.display()))
        .exits(0);
    sandbox
}
