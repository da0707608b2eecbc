//! Bytes of a pipeline file: read, expanded and linked, whatever they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pipe_fuzz::check(text));
