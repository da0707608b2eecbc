//! Looks at all that lies in a store: is it what its name says? What is not goes to quarantine.

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::collect::{is_incomplete, key_of};
use super::digest::Digest;
use super::result::{Record, RecordError};
use super::sets;
use super::shelves::Shelves;
use super::stock::{Item, What, stock};
use super::store::copy_hashing;
use crate::sys::fs::{FsError, open_regular, read};

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Contents looked at.
    pub contents: u64,
    /// Results looked at.
    pub results: u64,
    /// Results some of whose contents are gone: no harm, their steps would run.
    pub incomplete: u64,
    /// Files of lists of discovered inputs looked at.
    pub lists: u64,
    /// Results and lists that another version of the program wrote.
    pub foreign: u64,
    /// What was damaged, by where it lay in the store's folder.
    pub damaged: Vec<PathBuf>,
}

/// How one file is.
enum State {
    Good,
    Incomplete,
    Foreign,
    Damaged,
    /// It went meanwhile, or is nothing to verify.
    Gone,
}

/// Reads everything.
pub(super) fn verify(shelves: &Shelves) -> Result<Verified, FsError> {
    let items = stock(shelves)?;
    let states: Vec<State> = items.par_iter().map(|item| state(shelves, item)).collect();
    let mut verified = Verified::default();
    for (item, state) in items.iter().zip(states) {
        if matches!(state, State::Gone) {
            continue;
        }
        match item.what {
            What::Content => verified.contents += 1,
            What::Sets => verified.lists += 1,
            _ => verified.results += 1,
        }
        match state {
            State::Incomplete => verified.incomplete += 1,
            State::Foreign => verified.foreign += 1,
            State::Damaged => {
                shelves.quarantine(&item.path);
                verified.damaged.push(shelves.name_of(&item.path));
            }
            State::Good | State::Gone => {}
        }
    }
    Ok(verified)
}

fn state(shelves: &Shelves, item: &Item) -> State {
    match item.what {
        What::Content => content(&item.path),
        What::Result | What::Bound => result(shelves, &item.path),
        What::Sets => lists(&item.path),
        What::Damaged | What::Unfinished => State::Gone,
    }
}

fn content(path: &Path) -> State {
    let name = path.iter().rev().take(2).filter_map(|part| part.to_str());
    let hex: String = name.collect::<Vec<_>>().into_iter().rev().collect();
    let found = open_regular(path).and_then(|mut file| {
        copy_hashing(&mut file, &mut io::sink()).map_err(|error| FsError::new("read", path, error))
    });
    match found {
        Ok((digest, _)) if Digest::from_hex(&hex) == Some(digest) => State::Good,
        Err(error) if error.is_not_found() => State::Gone,
        _ => State::Damaged,
    }
}

fn result(shelves: &Shelves, path: &Path) -> State {
    let (key, bytes) = match (key_of(path), read(path)) {
        (_, Err(error)) if error.is_not_found() => return State::Gone,
        (Some(key), Ok(bytes)) => (key, bytes),
        _ => return State::Damaged,
    };
    match Record::decode(key, &bytes) {
        Ok(record) if !is_where_it_belongs(shelves, &record, path) => State::Damaged,
        Ok(_) if is_incomplete(shelves, path) => State::Incomplete,
        Ok(_) => State::Good,
        Err(RecordError::Version) => State::Foreign,
        Err(RecordError::Damaged) => State::Damaged,
    }
}

fn lists(path: &Path) -> State {
    match read(path).map(|bytes| sets::decode(&bytes)) {
        Ok(Ok(_)) => State::Good,
        Ok(Err(RecordError::Version)) => State::Foreign,
        Err(error) if error.is_not_found() => State::Gone,
        Ok(Err(RecordError::Damaged)) | Err(_) => State::Damaged,
    }
}

fn is_where_it_belongs(shelves: &Shelves, record: &Record, path: &Path) -> bool {
    let root = record.bound_to.as_ref().map(|root| &*root.0);
    shelves.record(record.key, root) == path
}
