//! The JSON Schema of the stream, made from the types of this room.
//!
//! What `schema/events.schema.json` holds; who compares the two is elsewhere.

use schemars::generate::SchemaSettings;

use super::Event;

/// The schema of one line of `--json`.
pub fn events_schema() -> serde_json::Value {
    // Consumers read what is written: fields that are always there are required.
    let settings = SchemaSettings::draft07().for_serialize();
    settings
        .into_generator()
        .into_root_schema_for::<Event>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use crate::event::{
        Diagnostic, Event, Outcome, RunFinished, RunStarted, StepFinished, StepOutput, StepRetried,
        StepStarted, StepWaiting,
    };

    #[test]
    fn every_kind_of_event_holds_to_the_schema() {
        let validator = jsonschema::validator_for(&super::events_schema()).unwrap();
        let events = [
            Event::Diagnostic(Diagnostic::default()),
            Event::RunStarted(RunStarted::default()),
            Event::StepWaiting(StepWaiting::default()),
            Event::StepStarted(StepStarted::default()),
            Event::StepRetried(StepRetried::default()),
            Event::StepOutput(StepOutput::default()),
            Event::StepFinished(StepFinished::new("a:x", Outcome::Executed).into()),
            Event::RunFinished(RunFinished::default()),
        ];
        for event in events {
            let value = serde_json::to_value(&event).unwrap();
            assert!(validator.is_valid(&value), "{value}");
        }
        assert!(!validator.is_valid(&serde_json::json!({ "event": "unknown" })));
    }
}
