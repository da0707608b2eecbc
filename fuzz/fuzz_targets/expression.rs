//! The text of an expression, in a script, a pattern and a condition.
#![no_main]

use pipe_fuzz::{check, quoted};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (hole, bare) = (quoted(&format!("${{{{ {text} }}}}")), quoted(text));
    check(&format!(
        "vars: {{ text: \"it's\", list: [a, b c], map: {{ k: 1 }}, number: 3 }}\n\
         steps:\n  \
           a: {{ run: x, outputs: [a.txt], matrix: {{ os: [linux, darwin] }} }}\n  \
           b: {{ needs: [a], outputs: [b/c.d], sources: [{hole}], run: {hole}, env: {{ E: {hole} }} }}\n  \
           c: {{ run: {hole}, if: {bare} }}\n"
    ));
});
