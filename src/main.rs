//! The `pipe` program: hands the words of the command line to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(pipe::cli::main(std::env::args_os()).code())
}
