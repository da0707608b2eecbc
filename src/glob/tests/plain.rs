//! A matcher that is slow and plain: it takes patterns as values and tries all ways. What the
//! program's own matcher says is held to it, here and wherever else there is something to compare
//! (it needs nothing but the standard library).

/// A pattern as a value, for the plain matcher.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// This character.
    Text(char),
    /// `*`.
    Star,
    /// `?`.
    One,
    /// One of these characters, or none of them.
    Class(bool, Vec<char>),
    /// `/`.
    Slash,
    /// `**`.
    Deep,
    /// `{a,b}`.
    Either(Vec<Vec<Self>>),
}

/// The text of a pattern.
pub(super) fn render(nodes: &[Node]) -> String {
    let one = |node: &Node| match node {
        Node::Text(char) if "*?[]{},\\".contains(*char) => format!("\\{char}"),
        Node::Text(char) => char.to_string(),
        Node::Star => "*".to_owned(),
        Node::One => "?".to_owned(),
        Node::Class(not, chars) => {
            format!(
                "[{}{}]",
                if *not { "!" } else { "" },
                chars.iter().collect::<String>()
            )
        }
        Node::Slash => "/".to_owned(),
        Node::Deep => "**".to_owned(),
        Node::Either(ways) => {
            let ways: Vec<String> = ways.iter().map(|way| render(way)).collect();
            format!("{{{}}}", ways.join(","))
        }
    };
    nodes.iter().map(one).collect()
}

/// Whether two stars come together, which means another thing than each alone.
pub(super) fn stars_meet(nodes: &[Node]) -> bool {
    let star = |node: &Node| matches!(node, Node::Star | Node::Deep);
    let inner =
        |node: &Node| matches!(node, Node::Either(ways) if ways.iter().any(|way| stars_meet(way)));
    nodes.windows(2).any(|two| two.iter().all(star)) || nodes.iter().any(inner)
}

/// All ways to choose from the braces.
fn written_out(nodes: &[Node]) -> Vec<Vec<Node>> {
    let Some((first, rest)) = nodes.split_first() else {
        return vec![vec![]];
    };
    let heads = match first {
        Node::Either(ways) => ways.iter().flat_map(|way| written_out(way)).collect(),
        other => vec![vec![other.clone()]],
    };
    let tails = written_out(rest);
    heads
        .iter()
        .flat_map(|head| tails.iter().map(move |tail| [&head[..], tail].concat()))
        .collect()
}

/// Characters, or single bytes where there is none.
fn units(name: &[u8]) -> Vec<Result<char, u8>> {
    let chunks = name.utf8_chunks();
    chunks
        .flat_map(|chunk| {
            chunk
                .valid()
                .chars()
                .map(Ok)
                .chain(chunk.invalid().iter().copied().map(Err))
        })
        .collect()
}

fn name_fits(nodes: &[Node], name: &[Result<char, u8>]) -> bool {
    match (nodes.split_first(), name.split_first()) {
        (None, first) => first.is_none(),
        (Some((Node::Star, rest)), first) => {
            name_fits(rest, name) || first.is_some_and(|(_, tail)| name_fits(nodes, tail))
        }
        (Some(_), None) => false,
        (Some((node, rest)), Some((unit, tail))) => {
            let fits = match node {
                Node::One => true,
                Node::Text(char) => *unit == Ok(*char),
                Node::Class(not, chars) => unit.is_ok_and(|unit| chars.contains(&unit)) != *not,
                _ => false,
            };
            fits && name_fits(rest, tail)
        }
    }
}

fn parts_fit(parts: &[&[Node]], names: &[Vec<Result<char, u8>>]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, first) => first.is_none(),
        (Some(([Node::Deep], [])), first) => first.is_some(),
        (Some(([Node::Deep], rest)), first) => {
            parts_fit(rest, names) || first.is_some_and(|(_, tail)| parts_fit(parts, tail))
        }
        (Some(_), None) => false,
        (Some((part, rest)), Some((name, tail))) => name_fits(part, name) && parts_fit(rest, tail),
    }
}

/// Whether the pattern matches a path.
pub(super) fn plain_match(nodes: &[Node], path: &[u8]) -> bool {
    let names: Vec<_> = path.split(|byte| *byte == b'/').map(units).collect();
    written_out(nodes).iter().any(|way| {
        let below = matches!(way.last(), Some(Node::Slash));
        let split = way.split(|node| matches!(node, Node::Slash));
        let mut parts: Vec<&[Node]> = split.filter(|part| !part.is_empty()).collect();
        if below && !matches!(parts.last(), Some([Node::Deep])) {
            parts.push(&[Node::Deep]);
        }
        !parts.is_empty() && parts_fit(&parts, &names)
    })
}
