//! The dialect as a table, and as a property against a matcher that is slow and plain.

#![expect(
    clippy::disallowed_methods,
    reason = "tests set the disk up themselves"
)]

mod plain;
mod tables;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::path::RelPath;
use plain::{Node, plain_match, render, stars_meet};

fn path(bytes: &[u8]) -> RelPath {
    RelPath::resolve(&RelPath::root(), bytes).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(&RelPath::root(), text).unwrap()
}

type Paths = &'static [&'static [u8]];

/// Pattern, paths that it matches, paths that it does not.
#[rustfmt::skip]
const TABLE: &[(&str, Paths, Paths)] = &[
    // names
    ("a", &[b"a"], &[b"b", b"a/a", b"aa", b"A"]),
    ("./a/../b", &[b"b"], &[b"a", b"a/b"]),
    ("//a//./b", &[b"a/b"], &[b"b"]),
    ("*", &[b"a", b".a", b"\xff", b"a\nb", b"a*b", b"-"], &[b"a/b"]),
    ("*.rs", &[b"x.rs", b".rs", b".hidden.rs", b"\xff.rs"], &[b"a/x.rs", b"x.RS", b"x.rs~"]),
    ("a*b*c", &[b"abc", b"aXbYc", b"abbc", b"abcbc"], &[b"ac", b"ab/c", b"abcd"]),
    // depth
    ("src/**/*.rs", &[b"src/b.rs", b"src/a/b.rs", b"src/a/b/c.rs"], &[b"b.rs", b"src/b.c", b"xsrc/b.rs"]),
    ("src/**", &[b"src/a", b"src/a/b", b"src/.a"], &[b"src", b"srcs/a"]),
    ("src/", &[b"src/a", b"src/a/b"], &[b"src"]),
    ("src/*/", &[b"src/a/b", b"src/a/b/c"], &[b"src/a"]),
    ("**", &[b"a", b"a/b", b".a/.b"], &[]),
    ("./", &[b"a", b"a/b"], &[]),
    ("//", &[b"a", b"a/b"], &[]),
    ("**/a", &[b"a", b"b/a", b"c/b/a"], &[b"ba", b"a/b"]),
    ("a/**/b", &[b"a/b", b"a/x/b", b"a/b/b", b"a/x/y/b"], &[b"ab", b"a/xb", b"b"]),
    ("a/**/**/b", &[b"a/b", b"a/x/b"], &[b"ab"]),
    ("**/a/**/b/**", &[b"a/b/c", b"x/a/y/b/c/d", b"a/a/b/b/b"], &[b"a/b", b"b/a/c"]),
    ("**/*", &[b"a", b"a/b"], &[]),
    ("*/*", &[b"a/b"], &[b"a", b"a/b/c"]),
    // one character
    ("a?b", &["a☺b".as_bytes(), b"axb", b"a\xffb"], &[b"ab", b"a/b", b"axxb", b"a\xff\xfeb"]),
    ("?", &["é".as_bytes(), b"\x80"], &["ab".as_bytes(), "éé".as_bytes()]),
    ("???", &["☺☺☺".as_bytes(), b"abc", b"\xe2\x98\xff"], &["☺".as_bytes()]),
    ("*?", &["☺".as_bytes(), b"ab"], &[b"a/b"]),
    ("??", &["a☺".as_bytes()], &["☺".as_bytes(), b"a"]),
    ("a?/b", &[b"ax/b"], &[b"a/b", b"a/x/b"]),
    ("**/?.c", &[b"a.c", b"x/y/a.c"], &[b"ab.c", b"x/.c"]),
    ("a/**/?", &[b"a/b", b"a/c/b"], &[b"a", b"a/bc"]),
    ("a?/", &[b"ab/c", b"ab/c/d"], &[b"ab", b"abc/d"]),
    // classes
    ("[a-c]x", &[b"ax", b"cx"], &[b"dx", b"x", b"Ax"]),
    ("[!a]x", &[b"bx", "☺x".as_bytes(), b"\xffx"], &[b"ax", b"/x", b"bbx"]),
    ("[^a]x", &[b"bx"], &[b"ax"]),
    ("a[^x]b", &[b"ayb"], &[b"a/b", b"axb"]),
    ("a[+-9]b", &[b"a5b", b"a.b"], &[b"a/b"]),
    ("[]a]", &[b"]", b"a"], &[b"b"]),
    ("[!]a]", &[b"b"], &[b"]", b"a"]),
    ("[a-]", &[b"a", b"-"], &[b"b"]),
    ("[-a]", &[b"a", b"-"], &[b"b"]),
    ("[a\\]b]", &[b"a", b"]", b"b"], &[b"\\"]),
    ("[\\!a]", &[b"!", b"a"], &[b"b"]),
    ("[☺-☻]", &["☺".as_bytes(), "☻".as_bytes()], &[b"a"]),
    ("[*?]", &[b"*", b"?"], &[b"a"]),
    ("[a,b]", &[b"a", b",", b"b"], &[b"c"]),
    ("{[a,b],c}", &[b"a", b",", b"c"], &[b"["]),
    ("a]", &[b"a]"], &[b"a"]),
    // alternatives
    ("*.{ts,tsx}", &[b"a.ts", b"a.tsx"], &[b"a.t", b"a.{ts,tsx}"]),
    ("a{,b}", &[b"a", b"ab"], &[b"b"]),
    ("a{b,c/d}.rs", &[b"ab.rs", b"ac/d.rs"], &[b"ac.rs"]),
    ("{src,test}/**/*.c", &[b"src/a.c", b"test/x/a.c"], &[b"a.c", b"lib/a.c"]),
    ("{a,b/}*.c", &[b"ax.c", b"b/x.c"], &[b"x.c", b"a/x.c"]),
    ("{a/,}**/x", &[b"a/x", b"x", b"b/x"], &[b"ax"]),
    ("{**/a,b}", &[b"a", b"x/a", b"b"], &[b"x/b"]),
    ("{a/**,b}", &[b"a/x", b"b"], &[b"a", b"b/x"]),
    ("{a,b}/", &[b"a/x", b"b/x/y"], &[b"a"]),
    ("{a,}/b", &[b"a/b", b"b"], &[b"ab"]),
    ("{a{b,c},d}{e,f}", &[b"abe", b"acf", b"de"], &[b"ae", b"d"]),
    ("{a}", &[b"a"], &[b"{a}"]),
    ("{*}*{*,}", &[b"a"], &[b"a/b"]),
    ("a,b", &[b"a,b"], &[b"a", b"b"]),
    // escapes
    ("app/\\[id\\]/page.tsx", &[b"app/[id]/page.tsx"], &[b"app/i/page.tsx"]),
    ("\\*", &[b"*"], &[b"a", b"\\*"]),
    ("\\{a,b\\}*", &[b"{a,b}x"], &[b"a"]),
    ("{a\\,b,c}", &[b"a,b", b"c"], &[b"a", b"b"]),
    ("\\\\*", &[b"\\x"], &[b"x"]),
    ("!a*", &[b"!ab"], &[b"ab"]),
    ("-*", &[b"-x"], &[b"x"]),
    ("é*", &["éa".as_bytes()], &["e\u{301}a".as_bytes()]),
    ("*é", &["aé".as_bytes()], &[b"a\xc3", b"a"]),
    ("a b*", &[b"a bc"], &[]),
];

#[test]
fn the_table_holds() {
    for (text, yes, no) in TABLE {
        let pattern = pattern(text);
        for (paths, wanted) in [(yes, true), (no, false)] {
            for one in *paths {
                let one = RelPath::resolve(&RelPath::root(), one).unwrap_or_default();
                assert_eq!(
                    pattern.matches(&one),
                    wanted,
                    "{text} ~ {one:?} as {pattern}"
                );
                let set: PatternSet = [&pattern].into_iter().collect();
                assert_eq!(set.matches(&one), wanted, "set of {text} ~ {one:?}");
            }
        }
    }
}

#[test]
fn what_matches_can_be_reached() {
    for (text, yes, _) in TABLE {
        let pattern = pattern(text);
        for one in *yes {
            let mut folder = path(one).parent();
            while let Some(above) = folder {
                assert!(pattern.reaches(above.as_bytes()), "{text} reaches {above}");
                folder = above.parent();
            }
        }
    }
}

#[test]
fn folders_that_cannot_hold_a_match_are_not_reached() {
    let cases: [(&str, &[u8]); 9] = [
        ("*.go", b"a"),
        ("src/*.go", b"src/a"),
        ("src/**", b"lib"),
        ("src/**", b"srcs"),
        ("{src,test}/**", b"lib"),
        ("workers/*/src/**", b"workers/a/lib"),
        ("workers/?/x", b"workers/ab"),
        ("a/b", b"a/b"),
        ("*/*", b"a/b"),
    ];
    for (text, folder) in cases {
        assert!(!pattern(text).reaches(folder), "{text} reaches {folder:?}");
    }
}

#[test]
fn what_is_no_pattern_is_told_with_its_place() {
    #[rustfmt::skip]
    let cases = [
        ("", 0, "is empty"),
        ("/etc/*", 0, "is absolute"),
        ("../x", 0, "leaves the workspace"),
        ("a/../../x*", 5, "leaves the workspace"),
        ("//../x", 2, "leaves the workspace"),
        ("src/**.rs", 4, "`**` does not stand alone between slashes"),
        ("a**b", 1, "`**` does not stand alone between slashes"),
        ("x/***", 2, "`**` does not stand alone between slashes"),
        ("x{**,y}", 2, "`**` does not stand alone between slashes"),
        ("{a,}**", 4, "`**` does not stand alone between slashes"),
        ("é[a", 2, "`[` is never closed"),
        ("[]", 0, "`[` is never closed"),
        ("a{b,{c}", 1, "`{` is never closed"),
        ("a}", 1, "`}` closes nothing"),
        ("a[/]b", 2, "has `/` in a class"),
        ("[[:alpha:]]", 1, "has a named class"),
        ("[z-a]", 1, "the range `z-a` is empty"),
        ("*/../a", 2, "`..` stands after or in a wildcard"),
        ("{../a,b}", 1, "`..` stands after or in a wildcard"),
        ("b/{,a}", 2, "is empty in one of its alternatives"),
        ("a\\", 1, "ends in `\\`"),
        ("a\\/b", 1, "has `\\/`: a slash is never escaped"),
        ("a\0*", 1, "holds a NUL byte"),
    ];
    for (text, offset, message) in cases {
        let error = Pattern::parse(&RelPath::root(), text).expect_err(text);
        assert_eq!(
            (error.offset, error.message.as_str()),
            (offset, message),
            "{text}"
        );
    }
}

#[test]
fn braces_are_bounded() {
    for text in [
        "{".repeat(40) + &"}".repeat(40),
        "{a,b,c,d,e,f,g,h}".repeat(20),
    ] {
        assert!(Pattern::parse(&RelPath::root(), &text).is_err());
    }
}

#[test]
fn patterns_are_relative_to_their_folder() {
    let base = path(b"workers/api");
    let texts = [
        ("src/**/*.go", "workers/api/src/**/*.go", "workers/api/src"),
        ("../lib/x*.c", "workers/lib/x*.c", "workers/lib"),
        ("//go.*", "go.*", "."),
        ("./", "workers/api/**", "workers/api"),
        (".", "workers/api", "workers/api"),
        (
            "a/./b//{c,d}/./e/",
            "workers/api/a/b/{c,d}/e/**",
            "workers/api/a/b",
        ),
        ("a\\[1\\]/*", "workers/api/a\\[1\\]/*", "workers/api/a[1]"),
    ];
    for (text, normal, prefix) in texts {
        let pattern = Pattern::parse(&base, text).unwrap();
        assert_eq!(
            (pattern.text(), pattern.prefix().to_string().as_str()),
            (normal, prefix)
        );
        assert_eq!(
            Pattern::parse(&RelPath::root(), normal).unwrap(),
            pattern,
            "{text}"
        );
    }
}

#[test]
fn literals_are_told_from_globs() {
    let literal = |text| pattern(text).literal();
    assert_eq!(literal("app/\\[id\\].ts"), Some(path(b"app/[id].ts")));
    assert_eq!(literal("a/.././b"), Some(path(b"b")));
    assert_eq!(literal("a/"), None);
    assert_eq!(literal("{a,b}"), None);
    assert_eq!(Pattern::of_path(&path(b"a*b")), pattern("a\\*b"));
}

#[test]
fn folders_whose_names_are_no_text_are_bases_too() {
    let base = path(b"w\xff*");
    let pattern = Pattern::parse(&base, "*.c").unwrap();
    assert_eq!(pattern.text(), "w\\xFF\\*/*.c");
    assert!(pattern.matches(&path(b"w\xff*/a.c")));
    let stored = postcard::to_allocvec(&pattern).unwrap();
    let back: Pattern = postcard::from_bytes(&stored).unwrap();
    assert_eq!(back, pattern);
    assert!(back.matches(&path(b"w\xff*/a.c")) && !back.matches(&path(b"w/a.c")));
}

#[test]
fn a_set_asks_only_along_the_path() {
    let mut set = PatternSet::new();
    assert!(set.is_empty() && !set.matches(&path(b"a")));
    set.insert_folder(&path(b"dist"));
    set.insert_path(&path(b"bin/app"));
    set.insert(&pattern("gen/*.pb.go"));
    set.insert(&pattern("**/*.o"));
    for yes in [
        "dist",
        "dist/a/b",
        "bin/app",
        "gen/x.pb.go",
        "a/b/x.o",
        "x.o",
    ] {
        assert!(set.matches(&path(yes.as_bytes())), "{yes}");
    }
    for no in [
        "distant",
        "bin",
        "bin/app/x",
        "gen/a/x.pb.go",
        "bin/app2",
        "",
    ] {
        assert!(!set.matches(&path(no.as_bytes())), "{no}");
    }
    assert!(set.holds_folder(b"dist/a") && set.holds_folder(b"dist"));
    assert!(!set.holds_folder(b"gen") && !set.holds_folder(b"distant"));
}

#[test]
fn names_and_paths_are_ignored() {
    let entries = [
        "*.tmp",
        "target/",
        "docs/build/**",
        "//only",
        "./dot/x",
        "ven?or",
    ];
    let ignore = Ignore::new(&entries).unwrap();
    let skipped = [
        "node_modules",
        "a/node_modules",
        ".git",
        ".pipe",
        "a/.venv",
        "x.tmp",
        "a/x.tmp",
        "a/target",
        "docs/build",
        "only",
        "dot/x",
        "a/vendor",
        "a/.pipe-tmp-1",
    ];
    for yes in skipped {
        assert!(ignore.skips(yes.as_bytes()), "{yes}");
    }
    for no in [
        "a",
        "docs",
        "docs/buildx",
        "a/only",
        "x",
        "a/docs/build",
        ".gitignore",
        ".github",
    ] {
        assert!(!ignore.skips(no.as_bytes()), "{no}");
    }
    assert!(Ignore::new(&["a**"]).is_err());
}

/// A folder with these files; a name that ends in `/` is a folder.
fn tree(names: &[&[u8]]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in names {
        let full = root.path().join(std::ffi::OsStr::from_bytes(name));
        if name.ends_with(b"/") {
            fs::create_dir_all(full).unwrap();
        } else {
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, "").unwrap();
        }
    }
    root
}

fn listed(root: &Path, texts: &[&str], want: Want) -> Vec<String> {
    let patterns: Vec<Pattern> = texts.iter().map(|text| pattern(text)).collect();
    let found = list(root, &patterns, &Ignore::new(&["skip"]).unwrap(), want).unwrap();
    found
        .iter()
        .map(|path| path.as_bytes().escape_ascii().to_string())
        .collect()
}

#[test]
fn lists_are_sorted_and_keep_out_of_ignored_folders() {
    let root = tree(&[
        b"b.c",
        b"a.c",
        b"a/x.c",
        b"a-b/x.c",
        b"a/\xff.c",
        b"node_modules/p/x.c",
        b"skip/x.c",
        b".git/x.c",
        b"node_modules/p/node_modules/q/x.c",
        b"empty/",
        b".pipe-tmp-x.c",
    ]);
    let files = |texts| listed(root.path(), texts, Want::Files);
    assert_eq!(
        files(&["**/*.c", "a/*"]),
        ["a-b/x.c", "a.c", "a/x.c", "a/\\xff.c", "b.c"]
    );
    assert_eq!(files(&["node_modules/p/**"]), ["node_modules/p/x.c"]);
    assert_eq!(files(&["skip/*.c", "b.c", "no.c"]), ["b.c", "skip/x.c"]);
    assert_eq!(files(&[".git/**", "**/.git/**"]), Vec::<String>::new());
    let all = listed(root.path(), &["*"], Want::FilesAndFolders);
    assert_eq!(all, ["a", "a-b", "a.c", "b.c", "empty"]);
}

#[test]
fn folders_behind_links_are_not_entered() {
    let root = tree(&[b"real/x.c"]);
    symlink("real", root.path().join("link")).unwrap();
    symlink(".", root.path().join("loop")).unwrap();
    symlink("real/x.c", root.path().join("y.c")).unwrap();
    assert_eq!(
        listed(root.path(), &["**/*.c"], Want::Files),
        ["real/x.c", "y.c"]
    );
    assert_eq!(
        listed(root.path(), &["link/*.c", "loop/real/**"], Want::Files),
        Vec::<String>::new()
    );
    assert!(folder(&root.path().join("link")).unwrap().is_empty());
}

#[test]
fn listings_know_names_and_kinds() {
    let root = tree(&[b"b", b"a/", b"\xff\n"]);
    symlink("nowhere", root.path().join("c")).unwrap();
    let listing = Listing::from_bytes(folder(root.path()).unwrap().as_bytes());
    let entries: Vec<(&[u8], FileKind)> = listing.iter().collect();
    assert_eq!(
        entries,
        [
            (&b"a"[..], FileKind::Folder),
            (b"b", FileKind::File),
            (b"c", FileKind::Link),
            (b"\xff\n", FileKind::File)
        ]
    );
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let text = proptest::sample::select(vec!['a', 'b', 'é', '☺', ',', '[']);
    let char = prop_oneof![
        6 => text.clone().prop_map(Node::Text),
        3 => Just(Node::Star),
        2 => Just(Node::One),
        1 => (any::<bool>(), proptest::collection::vec(proptest::sample::select(vec!['a', 'b', '☺']), 1..3))
            .prop_map(|(not, chars)| Node::Class(not, chars)),
        3 => Just(Node::Slash),
    ];
    let deep = prop_oneof![
        Just(vec![Node::Deep, Node::Slash]),
        Just(vec![Node::Slash, Node::Deep]),
        Just(vec![Node::Slash, Node::Deep, Node::Slash]),
    ];
    let piece = prop_oneof![8 => char.prop_map(|node| vec![node]), 1 => deep];
    let flat = proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    flat.prop_recursive(2, 24, 4, |inner| {
        proptest::collection::vec(
            prop_oneof![
                3 => inner.clone(),
                1 => proptest::collection::vec(inner, 1..3).prop_map(|ways| vec![Node::Either(ways)]),
            ],
            1..4,
        )
        .prop_map(|pieces| pieces.concat())
    })
}

fn paths() -> impl Strategy<Value = Vec<u8>> {
    let unit = proptest::sample::select(vec![
        &b"a"[..],
        b"b",
        "é".as_bytes(),
        "☺".as_bytes(),
        b",",
        b"[",
        b"\xff",
        b"\xe2\x98",
    ]);
    let name = proptest::collection::vec(unit, 1..4).prop_map(|units| units.concat());
    proptest::collection::vec(name, 1..4).prop_map(|names| names.join(&b'/'))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn agrees_with_the_plain_matcher(
        nodes in nodes(),
        paths in proptest::collection::vec(paths(), 1..12),
    ) {
        let text = render(&nodes);
        let Ok(pattern) = Pattern::parse(&RelPath::root(), &text) else { return Ok(()) };
        prop_assume!(!stars_meet(&nodes));
        let set: PatternSet = [&pattern].into_iter().collect();
        for bytes in paths {
            let wanted = plain_match(&nodes, &bytes);
            prop_assert_eq!(pattern.matches_bytes(&bytes), wanted, "{} ~ {:?}", text, path(&bytes));
            prop_assert_eq!(set.matches_bytes(&bytes), wanted);
            if let (true, Some(folder)) = (wanted, path(&bytes).parent()) {
                prop_assert!(pattern.reaches(folder.as_bytes()));
            }
        }
    }

    #[test]
    fn normal_text_means_the_same(nodes in nodes(), bytes in paths()) {
        if let Ok(pattern) = Pattern::parse(&RelPath::root(), &render(&nodes))
            && !pattern.text().is_empty()
        {
            let again = Pattern::parse(&RelPath::root(), pattern.text()).unwrap();
            prop_assert_eq!(&again, &pattern);
            prop_assert_eq!(again.matches_bytes(&bytes), pattern.matches_bytes(&bytes));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}", bytes in paths()) {
        if let Ok(pattern) = Pattern::parse(&RelPath::root(), &text) {
            pattern.matches_bytes(&bytes);
            pattern.reaches(&bytes);
        }
    }

    #[test]
    fn escaped_paths_are_literals(bytes in paths()) {
        let path = path(&bytes);
        let pattern = Pattern::of_path(&path);
        prop_assert!(pattern.is_literal() && pattern.matches(&path));
        if std::str::from_utf8(&bytes).is_ok() {
            prop_assert_eq!(Pattern::parse(&RelPath::root(), pattern.text()).unwrap().literal(), Some(path));
        }
    }
}
