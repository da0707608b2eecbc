//! A dotenv file: mistakes lie inside of its text.
#![no_main]

use pipe::parse::dotenv;

libfuzzer_sys::fuzz_target!(|text: &str| {
    for fault in dotenv(text).faults {
        assert!(fault.range.start <= fault.range.end && fault.range.end <= text.len());
    }
});
