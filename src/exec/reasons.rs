//! The cache's reasons as facts of the event stream.

use crate::cache::MissReason;
use crate::event::Reason;

/// What `reasons` say, in the words of events.
pub(super) fn reasons(reasons: &[MissReason]) -> Vec<Reason> {
    reasons.iter().map(reason).collect()
}

fn reason(reason: &MissReason) -> Reason {
    Reason {
        kind: reason.kind().to_owned(),
        name: reason.name(),
        old: reason.old(),
        new: reason.new(),
        text: reason.text(),
    }
}
