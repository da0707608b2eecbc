//! The `pipe` program: hands the words of the command line to the library.

use std::process::ExitCode;

/// Reading a workspace is mostly many small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(pipe::cli::main(std::env::args_os()).code())
}
