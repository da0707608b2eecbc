//! `pipe init --from`: another system's build sections as pipeline files.

use std::path::PathBuf;

use super::args::From;
use super::diagnose::{events, is_error, of_loading};
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::session::tell;
use crate::dialect::{self, Dialect};
use crate::init::{NewFile, SCHEMA_NAME};
use crate::load::import;

/// The files for what another system says, and the folder that they are relative to.
///
/// # Errors
///
/// What is wrong is told; the exit is what remains.
pub(super) fn files(around: &Surroundings, from: From) -> Result<(PathBuf, Vec<NewFile>), Exit> {
    let (dialect, what, said) = match from {
        From::Tqserver => (Dialect::TqServer, "worker of TQServer", "TQServer's files"),
        From::AppJson => (Dialect::App, "`app.json` about building", "`app.json`"),
    };
    let folder = &around.folder;
    let Some(mut imported) = import(folder, dialect) else {
        let folder = folder.display();
        return Err(refuse(&format!("no {what} in `{folder}` or above it")));
    };
    let findings = of_loading(&mut imported.loaded);
    tell(&events(&findings, &imported.loaded.sources, around));
    if findings.iter().any(is_error) {
        return Err(Exit::Invalid);
    }
    let files = imported.documents.iter().map(|(dir, document)| {
        let up = "../".repeat(dir.parts().count());
        NewFile {
            path: dir.join(b"pipe.yaml").to_string(),
            text: dialect::write(document, &format!("{up}.pipe/{SCHEMA_NAME}")),
            kind: format!("says what {said} said"),
        }
    });
    let files = files.collect();
    Ok((imported.root, files))
}
