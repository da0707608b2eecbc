//! From two field lists to reasons: what is in one key and not in the other. Knows no disk.

use std::cmp::Ordering;

use super::digest::Digest;
use super::encode::{Field, FieldList, Item};
use super::entry::Kind;
use super::miss::{FileState, MissReason, Variable};

/// Which step made an input, by its path as it stands in keys; `None` for sources.
pub(super) type MadeBy<'a> = &'a dyn Fn(&[u8]) -> Option<String>;

/// What differs between two encodings; what people most often change comes first.
pub(super) fn reasons(old: &[u8], new: &[u8], made_by: MadeBy<'_>) -> Vec<MissReason> {
    let (Some(old), Some(new)) = (FieldList::parse(old), FieldList::parse(new)) else {
        return vec![MissReason::Forgotten];
    };
    let order = [Field::Input, Field::Discovered, Field::Command];
    let rest = Field::ALL
        .into_iter()
        .filter(|field| !order.contains(field));
    let mut reasons = Vec::new();
    for field in order.into_iter().chain(rest) {
        compare(
            field,
            old.items(field),
            new.items(field),
            made_by,
            &mut reasons,
        );
    }
    reasons
}

fn compare(
    field: Field,
    old: &[Item<'_>],
    new: &[Item<'_>],
    made_by: MadeBy<'_>,
    to: &mut Vec<MissReason>,
) {
    if old == new {
        return;
    }
    match field {
        Field::Input => by_name(old, new, |name, old, new| {
            to.push(input(name, old, new, made_by));
        }),
        Field::Discovered => by_name(old, new, |name, old, new| {
            to.push(MissReason::Discovered {
                path: text(name),
                old: old.and_then(state),
                new: new.and_then(state),
            });
        }),
        Field::Env => by_name(old, new, |name, old, new| {
            to.push(MissReason::Env {
                name: text(name),
                old: old.map(variable),
                new: new.map(variable),
            });
        }),
        Field::Tools => by_name(old, new, |name, old, new| {
            to.push(MissReason::Tool {
                name: text(name),
                old: old.map(line),
                new: new.map(line),
            });
        }),
        Field::PassEnv => by_name(old, new, |name, _, new| {
            to.push(MissReason::PassEnv {
                name: text(name),
                added: new.is_some(),
            });
        }),
        _ => by_place(field, old, new, to),
    }
}

/// Goes through two lists that are sorted by name; tells each name whose values differ.
fn by_name(
    old: &[Item<'_>],
    new: &[Item<'_>],
    mut tell: impl FnMut(&[u8], Option<&[u8]>, Option<&[u8]>),
) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(two)) => one.name.cmp(two.name),
        };
        let before = if order == Ordering::Greater {
            None
        } else {
            old.next()
        };
        let after = if order == Ordering::Less {
            None
        } else {
            new.next()
        };
        let (before_value, after_value) =
            (before.map(|item| item.value), after.map(|item| item.value));
        if let Some(item) = before.or(after).filter(|_| before_value != after_value) {
            tell(item.name, before_value, after_value);
        }
    }
}

/// Tells the first place where two lists differ: what follows may only have moved.
fn by_place(field: Field, old: &[Item<'_>], new: &[Item<'_>], to: &mut Vec<MissReason>) {
    let same = old
        .iter()
        .zip(new)
        .take_while(|(one, two)| one == two)
        .count();
    let show = |item: Option<&Item<'_>>| item.map(|item| shown(field, item));
    let (old, new) = (show(old.get(same)), show(new.get(same)));
    to.push(MissReason::Item {
        field,
        at: same,
        old,
        new,
    });
}

/// An item of a list as text. Outputs and checks are shown by what they are about.
fn shown(field: Field, item: &Item<'_>) -> String {
    match field {
        Field::Output | Field::Verify => text(item.name),
        _ => text(item.value),
    }
}

fn input(name: &[u8], old: Option<&[u8]>, new: Option<&[u8]>, made_by: MadeBy<'_>) -> MissReason {
    let path = text(name);
    let (old, new) = (old.and_then(state), new.and_then(state));
    match made_by(name) {
        Some(step) => MissReason::Dependency {
            step,
            path,
            old,
            new,
        },
        None => MissReason::Source { path, old, new },
    }
}

fn state(value: &[u8]) -> Option<FileState> {
    let (head, digest) = value.split_at_checked(2)?;
    let kind = match head[0] {
        1 => Kind::File,
        2 => Kind::Link,
        3 => Kind::EmptyFolder,
        _ => Kind::Absent,
    };
    Some(FileState {
        kind,
        exec: head[1] != 0,
        digest: Digest(digest.try_into().ok()?),
    })
}

/// The first line of what a tool printed, behind its digest.
fn line(value: &[u8]) -> String {
    text(value.get(32..).unwrap_or_default())
}

fn variable(value: &[u8]) -> Variable {
    match value {
        [1, value @ ..] => Variable::Set(text(value)),
        _ => Variable::Unset,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
