//! Whatever is in a value, a real shell gets it as the words that it is, in every kind of quotes.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::support::Sandbox;

/// Values that have caught out others, and any text.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            " ",
            "~",
            "*",
            "-n",
            "a b",
            "it's",
            "\"",
            "\\",
            "$HOME",
            "$(id)",
            "`id`",
            "a\nb",
            "\n",
            "'\\''",
            "{a,b}",
            "=x",
            "#x",
            "!x",
            "é ü",
            "\u{200b}",
            "\t",
            "a;b",
            "&&",
            "x\\",
            "${x}",
            "[a]",
            "%s",
            "\u{1f600}",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
        "[\"'$`\\\\ \n!{}()\\[\\]#~*?;&|<>]{1,8}",
        "\\PC{0,8}",
    ]
}

/// One script that writes all words to a file, each followed by a NUL byte, and the words.
fn pipeline(list: &[String], texts: &[String]) -> (String, Vec<String>) {
    let json = |text: &String| serde_json::Value::from(text.as_str()).to_string();
    let literal = |text: &String| json(text).replace("${{", "$${{");
    let items: Vec<String> = list.iter().map(literal).collect();
    let mut yaml = format!("vars:\n  list: [{}]\n", items.join(", "));
    for at in 0..texts.len() {
        let _ = writeln!(yaml, "  t{at}: \"-\"");
    }
    yaml.push_str("env:\n");
    for (at, text) in list.iter().enumerate() {
        let _ = writeln!(yaml, "  E{at}: {}", literal(text));
    }
    yaml.push_str("steps:\n  show:\n    run: |\n      put() { printf '%s\\0' \"$@\" >> words; }\n");
    yaml.push_str("      put ${{ vars.list }}\n      put \"$@\"\n");
    let mut words: Vec<String> = list.iter().chain(list).cloned().collect();
    for (at, text) in list.iter().enumerate() {
        let _ = writeln!(
            yaml,
            "      put \"$E{at}\" ${{{{ vars.list[{at}] | quote }}}} ${{{{ [vars.list[{at}]] }}}}"
        );
        words.extend([text.clone(), text.clone(), text.clone()]);
    }
    for (at, text) in texts.iter().enumerate() {
        let hole = format!("${{{{ vars.t{at} }}}}");
        let _ = writeln!(
            yaml,
            "      put {hole} \"{hole}\" '{hole}' a{hole}b \"a {hole}\"'{hole} b' $(: {hole})x"
        );
        words.extend([text.clone(), text.clone(), text.clone()]);
        words.extend([
            format!("a{text}b"),
            format!("a {text}{text} b"),
            "x".to_owned(),
        ]);
    }
    (yaml, words)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_gets_what_was_written(
        list in prop::collection::vec(value(), 1..8),
        texts in prop::collection::vec(value(), 1..6),
    ) {
        let (yaml, words) = pipeline(&list, &texts);
        let sandbox = Sandbox::with(&yaml);
        let mut arguments = vec!["run".to_owned(), "-s".to_owned(), "show".to_owned()];
        arguments.extend(texts.iter().enumerate().map(|(at, text)| format!("t{at}={text}")));
        arguments.push("--".to_owned());
        arguments.extend(list.iter().cloned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = sandbox.pipe(&arguments);
        prop_assert_eq!(output.code, Some(0), "{}\n{}", yaml, output.stderr);
        let got = sandbox.read("words");
        let got: Vec<&str> = got.split_terminator('\0').collect();
        prop_assert_eq!(got, words, "{}", yaml);
    }

    #[test]
    fn paths_are_words_too(names in prop::collection::hash_set("[^/\0]{1,6}", 1..6)) {
        let sandbox = Sandbox::with(concat!(
            "steps:\n  show:\n    matrix: { src: { glob: \"in/*\" } }\n    sources: [\"in/*\"]\n    run: |\n",
            "      printf '%s\\0' ${{ matrix.src }} \"${{ matrix.src }}\" '${{ matrix.src }}' x${{ matrix.src }} >> words\n",
            "      printf '%s\\0' ${{ sources }} > sources\n",
        ));
        let mut names: Vec<String> = names.into_iter().filter(|name| name != "." && name != "..").collect();
        names.push("-n".to_owned());
        names.sort();
        for name in &names {
            sandbox.write(&format!("in/{name}"), "x");
        }
        let output = sandbox.pipe(&["run", "-s", "-j1", "show"]);
        prop_assert_eq!(output.code, Some(0), "{}", output.stderr);
        let path = |name: &String| format!("in/{name}");
        let want: Vec<String> = names.iter().map(path).collect();
        let sources = sandbox.read("sources");
        prop_assert_eq!(sources.split_terminator('\0').collect::<Vec<_>>(), want.clone());
        let each: Vec<String> = want.iter().flat_map(|path| [path.clone(), path.clone(), path.clone(), format!("x{path}")]).collect();
        let words = sandbox.read("words");
        prop_assert_eq!(words.split_terminator('\0').collect::<Vec<_>>(), each);
    }
}
