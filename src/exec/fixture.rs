//! Steps and plans for the tests of this room.

use std::time::Duration;

use crate::expand::Template;
use crate::path::RelPath;
use crate::plan::{
    CacheMode, Dialect, EnvPolicy, Output, OutputKind, Plan, PlanStep, Retries, Shell, StepIx,
};

/// A step that runs `script` every time.
pub(super) fn step(name: &str, script: &str) -> PlanStep {
    PlanStep {
        name: name.to_owned(),
        profile: None,
        description: None,
        scripts: vec![Template::text(script)],
        shell: Shell {
            words: ["sh", "-e", "-c"].map(str::to_owned).to_vec(),
            dialect: Dialect::Posix,
        },
        args: Vec::new(),
        dir: RelPath::root(),
        env: Default::default(),
        path: Vec::new(),
        pass_env: Vec::new(),
        secrets: Vec::new(),
        env_policy: EnvPolicy::Strict,
        sources: None,
        outputs: Vec::new(),
        depfile: None,
        needs: Vec::new(),
        after: Vec::new(),
        need_names: Default::default(),
        cache: CacheMode::Undeclared,
        salt: Vec::new(),
        timeout: None,
        grace: Duration::from_secs(5),
        weight: 1,
        limits: Vec::new(),
        allow_failure: false,
        retries: Retries::NONE,
        on_failure: Vec::new(),
        allow_background: false,
        tty: false,
        interactive: false,
        incremental: false,
        tools: Default::default(),
        requires: Vec::new(),
        verify: Vec::new(),
        same_as: None,
        hint: None,
        skip: false,
    }
}

/// A plan of steps that need each other so.
pub(super) fn plan(needs: &[Vec<StepIx>]) -> Plan {
    let step = |(at, needs): (usize, &Vec<StepIx>)| PlanStep {
        needs: needs.clone(),
        ..step(&format!("s{at}"), "true")
    };
    Plan {
        steps: needs.iter().enumerate().map(step).collect(),
        ..Plan::default()
    }
}

/// A declared output file.
pub(super) fn file(path: &str) -> Output {
    let path = RelPath::resolve(&RelPath::root(), path.as_bytes()).expect("a path");
    Output {
        kind: OutputKind::File(path),
        optional: false,
        negated: false,
    }
}
