//! `pipe completions` and `pipe man`: for packagers.

use clap::CommandFactory;

use super::args::{Args, CompletionsArgs};
use super::exit::{Exit, refuse};
use super::output;

pub(super) fn completions(args: &CompletionsArgs) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut <Args as CommandFactory>::command(),
        "pipe",
        &mut text,
    );
    output::out(&String::from_utf8_lossy(&text));
    Exit::Good
}

pub(super) fn man() -> Exit {
    let mut text = Vec::new();
    match clap_mangen::Man::new(<Args as CommandFactory>::command()).render(&mut text) {
        Ok(()) => {
            output::out(&String::from_utf8_lossy(&text));
            Exit::Good
        }
        Err(error) => refuse(&format!("the manual page cannot be written: {error}")),
    }
}
