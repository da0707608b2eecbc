//! The dialect of patterns once more, in the plainest way: braces are written out as text, and what
//! remains is matched by trying everything.

/// Whether `pattern` matches `path`. Only for patterns that [`pipe::glob::Pattern`] reads, without
/// `.` and `..` as parts and without empty parts.
pub fn matches(pattern: &str, path: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    let path: Vec<&str> = path.split('/').collect();
    alternatives(&chars).iter().any(|one| {
        let mut parts = split(one);
        if parts.last().is_some_and(Vec::is_empty) {
            parts.pop();
            parts.push(vec!['*', '*']);
        }
        if parts.last().is_some_and(|part| part == &['*', '*']) {
            parts.push(vec!['*']);
        }
        path_fits(&parts, &path)
    })
}

/// The pattern's texts with one choice of each pair of braces.
fn alternatives(pattern: &[char]) -> Vec<Vec<char>> {
    let Some(open) = find(pattern, 0, &['{']) else {
        return vec![pattern.to_vec()];
    };
    let (mut choices, mut from, mut at, mut depth) = (Vec::new(), open + 1, open + 1, 0);
    loop {
        at = find(pattern, at, &['{', ',', '}']).expect("all braces are closed");
        match pattern[at] {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            end => {
                choices.push(&pattern[from..at]);
                from = at + 1;
                if end == '}' {
                    break;
                }
            }
        }
        at += 1;
    }
    let (head, tail) = (&pattern[..open], &pattern[at + 1..]);
    let whole = choices
        .iter()
        .map(|choice| joined(joined(head.to_vec(), choice), tail));
    whole.flat_map(|one| alternatives(&one)).collect()
}

/// Two stars that come together from inside and outside of braces are no `**`.
fn joined(mut head: Vec<char>, tail: &[char]) -> Vec<char> {
    let escaped = head
        .iter()
        .rev()
        .skip(1)
        .take_while(|c| **c == '\\')
        .count()
        % 2
        == 1;
    let meet = head.last() == Some(&'*') && tail.first() == Some(&'*') && !escaped;
    head.extend(&tail[usize::from(meet)..]);
    head
}

/// The first of `wanted` from `at` on that is neither escaped nor in a class.
fn find(pattern: &[char], mut at: usize, wanted: &[char]) -> Option<usize> {
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 2,
            '[' => at = class_end(pattern, at),
            c if wanted.contains(&c) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// The place behind the class that begins at `at`.
fn class_end(pattern: &[char], at: usize) -> usize {
    let mut at = at + 1;
    at += usize::from(matches!(pattern[at], '!' | '^'));
    let first = at;
    while pattern[at] != ']' || at == first {
        at += if pattern[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn split(pattern: &[char]) -> Vec<Vec<char>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some(at) = find(pattern, from, &['/']) {
        parts.push(pattern[from..at].to_vec());
        from = at + 1;
    }
    parts.push(pattern[from..].to_vec());
    parts
}

fn path_fits(parts: &[Vec<char>], path: &[&str]) -> bool {
    match (parts, path) {
        ([], []) => true,
        ([first, rest @ ..], _) if first == &['*', '*'] => {
            (0..=path.len()).any(|skipped| path_fits(rest, &path[skipped..]))
        }
        ([first, rest @ ..], [name, names @ ..]) => {
            let name: Vec<char> = name.chars().collect();
            name_fits(first, &name) && path_fits(rest, names)
        }
        _ => false,
    }
}

fn name_fits(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=name.len()).any(|taken| name_fits(rest, &name[taken..])),
        (_, []) => false,
        (['?', rest @ ..], [_, more @ ..]) => name_fits(rest, more),
        (['[', ..], [c, more @ ..]) => {
            let end = class_end(pattern, 0);
            class_has(&pattern[1..end - 1], *c) && name_fits(&pattern[end..], more)
        }
        (['\\', c, rest @ ..], [d, more @ ..]) | ([c, rest @ ..], [d, more @ ..]) => {
            c == d && name_fits(rest, more)
        }
        _ => false,
    }
}

fn class_has(class: &[char], c: char) -> bool {
    let (negated, class) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        all => (false, all),
    };
    // Each member, and whether it is a `-` that stands for a range.
    let mut members = Vec::new();
    let mut at = 0;
    while at < class.len() {
        let escaped = class[at] == '\\';
        at += usize::from(escaped);
        members.push(class[at]);
        at += 1;
        if class.get(at) == Some(&'-') && at + 1 < class.len() {
            at += 1;
            at += usize::from(class[at] == '\\');
            let first = members.pop().expect("a member came before");
            members.extend([first, class[at]]);
            at += 1;
        } else {
            members.push(members[members.len() - 1]);
        }
    }
    members
        .chunks(2)
        .any(|range| (range[0]..=range[1]).contains(&c))
        != negated
}
