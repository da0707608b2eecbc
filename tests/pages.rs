//! The examples on the pages of `docs/language/`: what is shown as a whole pipeline passes
//! `pipe check`.

use crate::support::{Sandbox, repository};

#[test]
fn examples_of_pages_pass() {
    let folder = repository().join("docs/language");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        for example in examples(&page) {
            let sandbox = Sandbox::with(example);
            let output = sandbox.pipe(&["check"]);
            let page = path.display();
            assert_eq!(
                output.code,
                Some(0),
                "{page}:\n{example}\n{}{}",
                output.stdout,
                output.stderr
            );
            checked += 1;
        }
    }
    assert!(checked > 5, "only {checked} examples were found");
}

/// The blocks of YAML that have steps.
fn examples(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```yaml\n").skip(1);
    blocks
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.lines().any(|line| line == "steps:"))
}
