//! The command line: the only room that knows clap, and where everything is put together.
//!
//! `args` is what was typed, `options` what it means together with environment and workspace,
//! `session` the workspace as loaded; each command is a small file.

mod args;
mod cache;
mod check;
mod clean;
mod compiled;
mod diagnose;
mod exit;
mod forget;
mod globs;
mod graph;
mod import;
mod init;
mod inventory;
mod list;
mod log;
mod options;
mod output;
mod packaging;
mod plan;
mod rerun;
mod run;
mod schema;
mod session;
mod standing;
mod why;

use std::ffi::OsString;

use clap::Parser;

pub use exit::Exit;

use crate::sys;
use args::{Args, Command};
use options::Surroundings;

/// Runs `pipe` with the words that were typed (the program's name first) and says how it ended.
pub fn main(words: impl IntoIterator<Item = OsString>) -> Exit {
    let words = args::with_command(words.into_iter().collect());
    let words = args::with_job_count(words, sys::host::cpus());
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => return exit::usage(&error),
    };
    let (place, command) = match args.split() {
        Ok(command) => command,
        Err(words) => return exit::no_command(&words),
    };
    let around = match Surroundings::gather(&place) {
        Ok(around) => around,
        Err(message) => return exit::refuse(&message),
    };
    output::said(match command {
        Command::Run(args) => run::run(&around, &args),
        Command::List(args) => list::list(&around, &args),
        Command::Check(args) => check::check(&around, &args),
        Command::Plan(args) => plan::plan(&around, &args.selection, &args.store, args.json),
        Command::Why(args) => why::why(&around, &args),
        Command::Graph(args) => graph::graph(&around, &args),
        Command::Log(args) => log::log(&around, &args),
        Command::Clean(args) => clean::clean(&around, &args),
        Command::Cache(args) => cache::cache(&around, &args),
        Command::Init(args) => init::init(&around, &args),
        Command::Schema(args) => schema::schema(&args),
        Command::Completions(args) => packaging::completions(&args),
        Command::Man => packaging::man(),
    })
}
