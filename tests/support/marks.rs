//! Places in the files of a case: marked as `«…»` in the case, told by the program in its events.

use std::collections::BTreeSet;

use serde_json::Value;

/// A place in a file: from a line and column up to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    file: String,
    start: (u64, u64),
    end: (u64, u64),
}

/// `text` without its marks, whose places go into `marks`.
pub(crate) fn unmarked(file: &str, text: &str, marks: &mut BTreeSet<Place>) -> String {
    let (mut plain, mut open) = (String::new(), Vec::new());
    let mut at = (1, 1);
    for character in text.chars() {
        match character {
            '«' => open.push(at),
            '»' => drop(marks.insert(Place {
                file: file.to_owned(),
                start: open.pop().unwrap(),
                end: at,
            })),
            other => {
                plain.push(other);
                at = match other {
                    '\n' => (at.0 + 1, 1),
                    _ => (at.0, at.1 + 1),
                };
            }
        }
    }
    assert!(open.is_empty(), "{file}: a mark is never closed");
    plain
}

/// All places that a `diagnostic` event points at, the first one first.
pub(crate) fn places(event: &Value) -> Vec<Place> {
    let related = event["related"].as_array().into_iter().flatten();
    std::iter::once(event)
        .chain(related)
        .filter_map(place)
        .collect()
}

fn place(told: &Value) -> Option<Place> {
    let number = |key: &str| told[key].as_u64();
    Some(Place {
        file: told["file"].as_str()?.to_owned(),
        start: (number("line")?, number("column")?),
        end: (number("end_line")?, number("end_column")?),
    })
}
