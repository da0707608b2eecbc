//! `pipe schema`: the JSON Schemas, generated from the types.

use std::path::Path;

use super::args::{SchemaArgs, SchemaKind};
use super::exit::Exit;
use super::output;
use crate::cache::{make_state_dir, mark_state_dir};
use crate::init::SCHEMA_NAME;
use crate::sys::fs::{FsError, read, write_atomic};

pub(super) fn schema(args: &SchemaArgs) -> Exit {
    output::json(&match args.which {
        SchemaKind::Pipeline => crate::parse::schema::pipeline_schema(),
        SchemaKind::Events => crate::event::events_schema(),
    });
    Exit::Good
}

/// Writes the schema of pipeline files beside what else `pipe` keeps in a workspace: files written
/// by `pipe init` name it, so that an editor finds it without a network.
pub(super) fn keep(state_dir: &Path) -> Result<(), FsError> {
    make_state_dir(state_dir)?;
    mark_state_dir(state_dir)?;
    write_atomic(&state_dir.join(SCHEMA_NAME), text().as_bytes())
}

/// Writes it where it is missing, as in a fresh checkout, and where it may be another version's
/// (`look`) and is. Where that cannot be, it is only an editor that knows less.
pub(super) fn provide(state_dir: &Path, look: bool) {
    let file = state_dir.join(SCHEMA_NAME);
    let is_good = match look {
        true => read(&file).is_ok_and(|kept| kept == text().as_bytes()),
        false => file.exists(),
    };
    if !is_good {
        let _ = keep(state_dir);
    }
}

fn text() -> String {
    format!("{:#}\n", crate::parse::schema::pipeline_schema())
}
