//! A script with values in it: our reader of a shell's quotes says where they stand.
#![no_main]

use pipe_fuzz::{check, quoted};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let script = quoted(
        &text
            .replace('@', "${{ output }}")
            .replace('%', "${{ vars.list }}"),
    );
    check(&format!(
        "vars: {{ list: [a, b c] }}\nsteps: {{ a: {{ outputs: [\"o'ut $x\"], run: {script} }} }}\n"
    ));
});
