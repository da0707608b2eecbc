//! Hostile and odd texts: what the tree is, or where it is refused.

use super::super::testing::{complaints, file, source};
use super::*;
use crate::source::SourceMap;

/// All scalars and keys of `text`: what they are, and what stands at their span.
fn places(text: &str) -> Vec<(String, String)> {
    let map = source(text);
    let (root, errors) = read(file(&map));
    assert!(errors.is_empty(), "{text:?}: {errors:?}");
    let mut found = Vec::new();
    collect(root.as_ref().expect("a node"), &map, &mut found);
    found
}

fn collect(node: &Node<'_>, map: &SourceMap, found: &mut Vec<(String, String)>) {
    let mut push = |text: &str, span| found.push((text.to_owned(), map.text(span).to_owned()));
    match &node.value {
        NodeValue::Null => push("null", node.span),
        NodeValue::Scalar(scalar) => push(&scalar.text, node.span),
        NodeValue::Seq(items) => items.iter().for_each(|item| collect(item, map, found)),
        NodeValue::Map(entries) => {
            for (key, value) in entries {
                found.push((key.text.to_string(), map.text(key.span).to_owned()));
                collect(value, map, found);
            }
        }
        NodeValue::Broken => push("broken", node.span),
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(text, raw)| ((*text).to_owned(), (*raw).to_owned()))
        .collect()
}

#[test]
fn spans_are_exact() {
    assert_eq!(
        places("é: ü # x\n'k': \"q\\u00e9\"\nl: [ö, {a: b}]\n"),
        pairs(&[
            ("é", "é"),
            ("ü", "ü"),
            ("k", "'k'"),
            ("qé", "\"q\\u00e9\""),
            ("l", "l"),
            ("ö", "ö"),
            ("a", "a"),
            ("b", "b"),
        ])
    );
    let windows = "\u{feff}a: b\r\nc: |\r\n  one\r\n  two\r\n\r\nd: e\r\n";
    assert_eq!(
        places(windows),
        pairs(&[
            ("a", "a"),
            ("b", "b"),
            ("c", "c"),
            ("one\ntwo\n", "one\r\n  two"),
            ("d", "d"),
            ("e", "e"),
        ])
    );
    // What is not there is underlined at its key, or at its dash.
    assert_eq!(
        places("a:\nb: ~\nc:\n  -\n  - >-\n    x\n    y\n"),
        pairs(&[
            ("a", "a"),
            ("null", "a"),
            ("b", "b"),
            ("null", "~"),
            ("c", "c"),
            ("null", "-"),
            ("x y", "x\n    y"),
        ])
    );
}

#[test]
fn collections_have_places() {
    let text = "a: [b, c]\nd:\n  e: f\ng:\n  - h: i\n";
    let map = source(text);
    let (root, _) = read(file(&map));
    let NodeValue::Map(entries) = root.expect("a node").value else {
        panic!("a map")
    };
    let spans: Vec<_> = entries
        .iter()
        .map(|(_, node)| map.text(node.span))
        .collect();
    assert_eq!(spans, ["[b, c]", "d", "g"]);
    let NodeValue::Seq(items) = &entries[2].1.value else {
        panic!("a list")
    };
    assert_eq!(map.text(items[0].span), "h");
}

#[test]
fn duplicate_keys_show_both_places() {
    let map = source("a: 1\nb: 2\n\"a\": 3\n");
    let (_, errors) = read(file(&map));
    let [ParseError::DuplicateKey { key, first, second }] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(
        (key.as_str(), map.text(*first), map.text(*second)),
        ("a", "a", "\"a\"")
    );
    let many: String = (0..100).map(|key| format!("k{}: 1\n", key % 99)).collect();
    assert_eq!(read(file(&source(&many))).1.len(), 1);
}

#[test]
fn merge_keys_give_way_to_own_keys() {
    let text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], c: 5}\n'<<': 6\n";
    let found: Vec<_> = places(text)
        .into_iter()
        .skip(10)
        .map(|(text, _)| text)
        .collect();
    assert_eq!(found, ["z", "c", "5", "a", "1", "b", "2", "<<", "6"]);
    assert_eq!(
        complaints("vars: {<<: 5}\n"),
        [
            "`<<` merges maps, found text | << | write `<<: *anchor` or `<<: [*one, *two]`, where \
          the anchors are maps"
        ]
    );
}

#[test]
fn what_is_refused() {
    let cases = [
        ("---\nname: a\n---\nname: b\n", "a second document"),
        ("%YAML 1.2\n---\nname: a\n", "YAML directives are not taken"),
        ("name: !!binary x\n", "unknown tag `!!binary`"),
        ("name: &a [*a]\n", "alias `*a` stands inside its own anchor"),
        ("[a]: 1\n", "a key must be text, found a list"),
        ("? {b: c}\n: d\n", "a key must be text, found a map"),
        (": e\n", "a key must be text, found nothing"),
    ];
    for (text, expected) in cases {
        let complaints = complaints(text);
        assert!(
            complaints.iter().any(|text| text.starts_with(expected)),
            "{complaints:?}"
        );
    }
}

#[test]
fn hostile_files_are_refused_at_once() {
    let bomb: String = (1..=9)
        .map(|level| {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("x-{level}: &a{level} [{aliases}]\n")
        })
        .collect();
    let copies = format!(
        "x-a: &a {}\nx-b: [{}]\n",
        "x".repeat(100_000),
        "*a, ".repeat(20_000)
    );
    let cases = [
        (
            format!("x-0: &a0 [1, 2]\n{bomb}"),
            "more than 4000000 values",
        ),
        (copies, "more than 64 MiB"),
        ("[".repeat(200_000), "deeper than 64"),
        ("- ".repeat(100_000), "deeper than 64"),
        ("{a: ".repeat(50_000), "deeper than 64"),
        ("? ".repeat(50_000), "deeper than 64"),
        ("[{a: ".repeat(40), "deeper than 64"),
    ];
    for (text, expected) in cases {
        let (_, errors) = read(file(&source(&text)));
        let last = errors.last().map(ToString::to_string).unwrap_or_default();
        assert!(last.contains(expected), "{last}");
    }
}

#[test]
fn scalars_stay_as_they_were_written() {
    let written = [
        "1.10", "0x1F", "0123", "1e3", "no", "on", "1_000", "true", ".inf", "!!str 5",
    ];
    for text in written {
        let place = &places(&format!("a: {text}\n"))[1];
        assert_eq!(place.0, text.trim_start_matches("!!str "));
    }
}

/// The same values as the other YAML parser.
#[test]
fn agrees_with_serde_yaml() {
    let snippets = [
        "a: b\nc: [d, e, {f: g}]\nh:\n- i\n-   j: k\n    l: m\n",
        "a: |\n  x\n   y\n\n  z\n\nb: |-\n  x\nc: |+\n  x\n\nd: >\n  a\n  b\n\n  c\ne: >2\n   x\n",
        "a: 'it''s'\nb: \"tab\\t\\x41\\u00e9\\n\"\nc: \"two\n  lines\n\n  three\"\nd: plain\n  text\n",
        "a: &x {b: [1, 2]}\nc: *x\nd: &y text\ne: [*y, *y]\n",
        "? a\n: b\n? c\n\"q\" : r\n",
        "{a: b, 'c': [], d: {}, e: , f}\n",
        "--- # start\na: b#c #d\nurl: http://x:80/y?z=[1]\n...\n",
        "a: \"\"\nb: ''\nc: '~'\nd: ~\ne: null\n",
    ];
    for text in snippets {
        let map = source(text);
        let (root, errors) = read(file(&map));
        assert!(errors.is_empty(), "{text:?}: {errors:?}");
        let theirs: serde_yaml::Value = serde_yaml::from_str(text).expect("valid YAML");
        assert!(
            same(&root.expect("a node"), &theirs),
            "{text:?}: {theirs:?}"
        );
    }
}

fn same(ours: &Node<'_>, theirs: &serde_yaml::Value) -> bool {
    use serde_yaml::Value;
    match (&ours.value, theirs) {
        (NodeValue::Null, Value::Null) => true,
        (NodeValue::Scalar(scalar), Value::String(text)) => scalar.text == *text,
        (NodeValue::Scalar(scalar), Value::Number(number)) => scalar.text == number.to_string(),
        (NodeValue::Seq(items), Value::Sequence(values)) => {
            items.len() == values.len()
                && items
                    .iter()
                    .zip(values)
                    .all(|(item, value)| same(item, value))
        }
        (NodeValue::Map(entries), Value::Mapping(values)) => {
            entries.len() == values.len()
                && entries
                    .iter()
                    .zip(values)
                    .all(|((key, node), (name, value))| {
                        name.as_str() == Some(&key.text) && same(node, value)
                    })
        }
        _ => false,
    }
}
