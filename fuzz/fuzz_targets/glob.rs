//! A pattern and a path, on two lines: our matching agrees with the naive one.
#![no_main]

use pipe::glob::Pattern;
use pipe::path::RelPath;
use pipe_fuzz::naive;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Some((pattern, path)) = text.split_once('\n') else {
        return;
    };
    // The naive way takes exponential time.
    let heavy = pattern.matches(['*', '{', ',']).count();
    if pattern.len() > 40 || path.len() > 40 || heavy > 8 {
        return;
    }
    let Ok(read) = Pattern::parse(&RelPath::root(), pattern) else {
        return;
    };
    let Ok(place) = RelPath::resolve(&RelPath::root(), path.as_bytes()) else {
        return;
    };
    let has_odd_parts = |text: &str| text.split('/').any(|part| matches!(part, "" | "." | ".."));
    let trimmed = pattern.strip_suffix('/').unwrap_or(pattern);
    let odd_braces = pattern.contains('{') && pattern.contains(['/', '.']);
    if place.is_root() || has_odd_parts(trimmed) || has_odd_parts(path) || odd_braces {
        return;
    }
    assert_eq!(
        read.matches(&place),
        naive::matches(pattern, path),
        "{pattern:?} and {path:?}"
    );
});
