//! Which variables a shell script reads and does not set itself, as far as that can be told. Where
//! it cannot, nothing is said: a warning that is wrong is worse than none.

use std::collections::BTreeSet;

use super::segments::{Segment, segments};
use super::shell::ShellReader;
use crate::parse::Text;
use crate::source::Span;

/// A variable that a script reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mention {
    /// Its name.
    pub(super) name: String,
    /// Where it is read first.
    pub(super) span: Span,
}

/// What shells set by themselves.
const OF_SHELLS: [&str; 26] = [
    "BASH",
    "BASHPID",
    "BASH_SOURCE",
    "BASH_VERSION",
    "COLUMNS",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "HOSTNAME",
    "IFS",
    "LINENO",
    "LINES",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PIPESTATUS",
    "PPID",
    "PS4",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHLVL",
    "UID",
];

/// Words after which a command begins.
const OPENERS: [&str; 11] = [
    "{", "!", "do", "elif", "else", "if", "then", "time", "until", "while", "exec",
];

/// The variables that `script` reads.
pub(super) fn mentions(script: &Text) -> Vec<Mention> {
    // `$${{` is one `$` less than stands there.
    if !script.text.contains('$') || script.text.contains("$${{") {
        return Vec::new();
    }
    let (Some(mut set), Ok(segments)) = (set_by(&script.text), segments(script)) else {
        return Vec::new();
    };
    let mut found: Vec<Mention> = Vec::new();
    let mut shell = ShellReader::new();
    let mut dollar = 0;
    for segment in &segments {
        match segment {
            Segment::Text(part) => {
                let mut read = 0;
                for (at, _) in part.match_indices('$') {
                    shell.read(&part[read..at]);
                    read = at;
                    match reference(&part[at..]).filter(|_| shell.expands()) {
                        Some(Reference {
                            name, sets: true, ..
                        }) => drop(set.insert(name)),
                        Some(Reference { name, length, .. }) => found.push(Mention {
                            name: name.to_owned(),
                            span: script.dollar_span(dollar, length),
                        }),
                        None => {}
                    }
                    dollar += 1;
                }
                shell.read(&part[read..]);
            }
            Segment::Expression(expression) => {
                shell.skip();
                dollar += 1 + expression.text.matches('$').count();
            }
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|mention| {
        let name = mention.name.as_str();
        !set.contains(name) && !OF_SHELLS.contains(&name) && seen.insert(mention.name.clone())
    });
    found
}

/// `$NAME` or `${NAME...`.
struct Reference<'a> {
    name: &'a str,
    /// From the `$` to the end of the name, or to its brace.
    length: usize,
    /// It gives the variable a value where it has none.
    sets: bool,
}

fn reference(text: &str) -> Option<Reference<'_>> {
    let Some(inner) = text.strip_prefix("${") else {
        let name = name(&text[1..])?;
        let length = 1 + name.len();
        return Some(Reference {
            name,
            length,
            sets: false,
        });
    };
    let lead = usize::from(inner.starts_with('#'));
    let name = name(&inner[lead..])?;
    let rest = &inner[lead + name.len()..];
    Some(Reference {
        name,
        length: 2 + lead + name.len() + usize::from(rest.starts_with('}')),
        sets: rest.starts_with('=') || rest.starts_with(":="),
    })
}

/// The name that `text` begins with.
fn name(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let name = &text[..end];
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

/// The variables that a script sets; `None` where it runs text that is not in it.
fn set_by(script: &str) -> Option<BTreeSet<&str>> {
    let mut set = BTreeSet::new();
    for command in script.split(['\n', ';', '&', '|', '(', ')', '`']) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let begins = |word: &&str| assigned(word).is_none() && !OPENERS.contains(word);
        let first = words.iter().position(begins).unwrap_or(words.len());
        set.extend(words[..first].iter().filter_map(|word| assigned(word)));
        let Some((command, words)) = words[first..].split_first() else {
            continue;
        };
        let names = words.iter().filter_map(|word| name(word));
        match *command {
            "." | "source" | "eval" => return None,
            "for" | "select" => set.extend(names.take(1)),
            "getopts" => set.extend(names.skip(1).take(1)),
            "printf" if words.first() == Some(&"-v") => set.extend(names.take(1)),
            "export" => set.extend(words.iter().filter_map(|word| assigned(word))),
            "read" | "mapfile" | "readarray" | "local" | "declare" | "typeset" | "readonly"
            | "let" | "unset" => set.extend(names),
            _ => {}
        }
    }
    Some(set)
}

/// The name in `NAME=...`.
fn assigned(word: &str) -> Option<&str> {
    let name = name(word)?;
    let rest = &word[name.len()..];
    let is_set = rest.starts_with('=') || rest.starts_with("+=") || rest.starts_with('[');
    is_set.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(script: &str) -> String {
        let text = Text {
            text: script.to_owned(),
            dollars: (0..script.len() as u32)
                .filter(|at| script.as_bytes()[*at as usize] == b'$')
                .collect(),
            span: Span::new(0, script.len() as u32),
            ..Text::default()
        };
        let names = mentions(&text).into_iter().map(|mention| {
            let place = mention.span.start as usize..mention.span.end as usize;
            format!("{}@{}", mention.name, &script[place])
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn variables_that_are_read() {
        for (script, want) in [
            ("$CC -c x", "CC@$CC"),
            (
                "${CC:-gcc} \"$CFLAGS\" ${#N}",
                "CC@${CC CFLAGS@$CFLAGS N@${#N}",
            ),
            ("echo $A $A ${A}", "A@$A"),
            ("echo '$A' \\$A # $A\n: $B", "B@$B"),
            ("echo ${{ vars.x }} $A ${{ '$' }} \"$B\"", "A@$A B@$B"),
            ("make CC=$CC CXX=\"${CXX}\"", "CC@$CC CXX@${CXX}"),
            ("echo ${A:-$B}", "A@${A B@$B"),
            ("cat <<E\n$A\nE\ncat <<'E'\n$B\nE\necho $C", "A@$A C@$C"),
            ("x=\"$(cat $A '$B')\" $((C + $D))", "A@$A D@$D"),
            ("echo $1 $@ $? $$ $PWD $RANDOM ${!X}", ""),
            ("export CC; $CC", "CC@$CC"),
        ] {
            assert_eq!(read(script), want, "{script}");
        }
    }

    #[test]
    fn variables_that_the_script_sets() {
        for script in [
            "A=1; echo $A",
            "echo $A\nexport A=1",
            "if A=$(date); then echo $A; fi",
            "for A in 1 2; do echo $A; done",
            "while read -r A B; do echo $A $B; done",
            "f() { local A; echo $A; }",
            "f() { A=1; }; f; echo $A",
            ": ${A:=x}; echo $A",
            "IFS=: read A B; echo $A$B",
            "while getopts ab A; do echo $A; done",
            "printf -v A x; echo $A",
            "A+=1 B[2]=x; echo $A $B",
            ". ./env.sh; echo $A",
            "eval \"$(tool)\" && echo $A",
            "cat x | while read A; do echo $A; done",
        ] {
            let found = read(script);
            assert!(found.is_empty() || found == "tool", "{script}: {found}");
        }
    }
}
