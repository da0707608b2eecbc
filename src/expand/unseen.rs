//! Warnings about a step's view of its caller's environment: what it does not see and seems to
//! want, and what it sees and no key knows.

use super::caller::{HANDED_THROUGH, covers};
use super::error::ExpandError;
use super::instance::Findings;
use super::mentions::mentions;
use super::resolved::{Dialect, EnvPolicy, PlanStep};
use super::scope::Scope;
use crate::model::Step;
use crate::source::Span;

/// What every step has, whatever the caller sets.
const OF_EVERY_STEP: [&str; 2] = ["LC_ALL", "TZ"];

pub(super) fn warn(scope: &Scope, step: &Step, plan: &PlanStep, findings: &mut Findings) {
    match (plan.env_policy, &step.inherits_env) {
        (EnvPolicy::Inherit, Some(policy)) if plan.cache.is_cached() && is_word(policy.span) => {
            findings.push(ExpandError::InheritedEnv { span: policy.span });
        }
        (EnvPolicy::Strict, _) if plan.shell.dialect == Dialect::Posix => {
            undeclared(scope, step, plan, findings);
        }
        _ => {}
    }
}

/// Whether the word stands there, with or without quotes. A step that is read from another tool's file
/// has its policy by what that tool does, and nobody can change it there.
fn is_word(span: Span) -> bool {
    let length = (span.end - span.start) as usize;
    ["inherit", "'inherit'"]
        .iter()
        .any(|word| word.len() == length)
}

/// Variables that the step's scripts read, that the caller has set, and that do not reach them.
fn undeclared(scope: &Scope, step: &Step, plan: &PlanStep, findings: &mut Findings) {
    for mention in step.run.iter().flat_map(mentions) {
        let name = mention.name;
        if reaches(plan, &name) {
            continue;
        }
        if scope.facts.is_set(&name) {
            findings.push(ExpandError::UndeclaredVariable {
                name,
                span: mention.span,
            });
        }
    }
}

fn reaches(plan: &PlanStep, name: &str) -> bool {
    HANDED_THROUGH.contains(&name)
        || OF_EVERY_STEP.contains(&name)
        || plan.env.contains_key(name)
        || plan.secrets.iter().any(|secret| secret == name)
        || plan.pass_env.iter().any(|pattern| covers(pattern, name))
}
