//! Runs the transcripts. `UPDATE=1` rewrites those that differ; `CASE=word` runs only files whose
//! path contains the word.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::case::Case;
use crate::support::{files_below, repository};

#[test]
fn diagnostics() {
    run_all("diagnostics");
}

#[test]
fn plans() {
    run_all("plans");
}

#[test]
fn stories() {
    run_all("stories");
}

/// Runs all cases of a folder, some at once.
fn run_all(folder: &str) {
    let only = std::env::var("CASE").unwrap_or_default();
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    let mut paths = files_below(&repository().join("tests").join(folder), ".txt");
    assert!(!paths.is_empty(), "tests/{folder} holds no case");
    paths.retain(|path| path.to_string_lossy().contains(&only));
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(differences) = Case::read(path).run(update) {
                failed.lock().unwrap().push(differences);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    assert!(
        failed.is_empty(),
        "{}\n{} of {} cases differ; UPDATE=1 takes what came out",
        failed.concat(),
        failed.len(),
        paths.len()
    );
}
