//! A dependency file: the names that are read from one are read again from a plain one of them.
#![no_main]

use pipe::cache::Depfile;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let Ok(read) = Depfile::parse(text) else {
        return;
    };
    // What compilers write in front of these differs.
    let plain = |name: &&Vec<u8>| !name.iter().any(|byte| b"\\:\r\n".contains(byte));
    let names: Vec<Vec<u8>> = read.files.iter().filter(plain).cloned().collect();
    let again = Depfile::parse(&written(&names)).expect("a rule");
    assert_eq!(again.files, names);
});

fn written(names: &[Vec<u8>]) -> Vec<u8> {
    let mut text = b"out:".to_vec();
    for name in names {
        text.push(b' ');
        for byte in name {
            match byte {
                b' ' | b'\t' | b'#' => text.push(b'\\'),
                b'$' => text.push(b'$'),
                _ => {}
            }
            text.push(*byte);
        }
    }
    text
}
