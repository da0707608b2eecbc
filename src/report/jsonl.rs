//! Events as lines of JSON, for programs.
//!
//! One object a line, `event` first, valid UTF-8. What a line means is said by
//! `schema/events.schema.json`, which is made from the same types.

use super::OutputMode;
use super::outlet::{SharedOutlet, quietly};
use crate::event::{Event, Sink, Stream};

/// Writes to standard output.
pub(super) struct Jsonl {
    outlet: SharedOutlet,
    /// Whether pieces of output are wanted too.
    with_output: bool,
}

impl Jsonl {
    pub(super) fn new(outlet: SharedOutlet, mode: OutputMode) -> Self {
        Self {
            outlet,
            with_output: mode == OutputMode::Stream,
        }
    }
}

impl Sink for Jsonl {
    fn take(&mut self, event: &Event) {
        if matches!(event, Event::StepOutput(_)) && !self.with_output {
            return;
        }
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        let mut outlet = self.outlet.lock();
        quietly(outlet.to(Stream::Stdout).write_all(&line));
        outlet.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::Jsonl;
    use crate::event::{Event, Outcome, Sink, StepFinished};
    use crate::report::OutputMode;
    use crate::report::outlet::{Outlet, SharedOutlet};
    use crate::report::testing::{Page, ended, output, run, started};

    fn lines(mode: OutputMode, events: &[Event]) -> String {
        let page = Page::default();
        let outlet = Outlet::new(Box::new(page.clone()), Box::new(std::io::sink()));
        let mut sink = Jsonl::new(SharedOutlet::new(outlet), mode);
        events.iter().for_each(|event| sink.take(event));
        page.text()
    }

    #[test]
    fn every_line_is_an_object_with_its_event_first() {
        let mut step = StepFinished::new("api:build", Outcome::Executed);
        step.exit_code = Some(0);
        let events = [
            run(1, 2),
            started("api:build", None),
            Event::StepFinished(step.into()),
            ended(1200),
        ];
        insta::assert_snapshot!(lines(OutputMode::Auto, &events), @r#"
        {"event":"run_started","version":1,"run":"7","targets":["all"],"instances":1,"jobs":2}
        {"event":"step_started","step":"api:build","why":[],"slot":0}
        {"event":"step_finished","step":"api:build","outcome":"executed","exit_code":0,"attempts":0,"duration_ms":0,"outputs":[],"why":[]}
        {"event":"run_finished","outcome":"ok","counts":{"executed":0,"up_to_date":0,"from_cache":0,"failed":0,"blocked":0,"skipped":0,"cancelled":0},"duration_ms":1200}
        "#);
    }

    #[test]
    fn output_comes_only_with_stream_and_newlines_stay_inside() {
        let events = [output("a:x", "one\ntwo\n")];
        assert_eq!(lines(OutputMode::Group, &events), "");
        assert_eq!(
            lines(OutputMode::Stream, &events),
            "{\"event\":\"step_output\",\"step\":\"a:x\",\"stream\":\"stdout\",\"text\":\"one\\ntwo\\n\"}\n"
        );
    }
}
