//! `pipe schema`: the JSON Schemas, generated from the types.

use super::args::{SchemaArgs, SchemaKind};
use super::exit::Exit;
use super::output;

pub(super) fn schema(args: &SchemaArgs) -> Exit {
    output::json(&match args.which {
        SchemaKind::Pipeline => crate::parse::schema::pipeline_schema(),
        SchemaKind::Events => crate::event::events_schema(),
    });
    Exit::Good
}
