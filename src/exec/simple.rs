//! Scripts that are one simple command: the shell may become the command instead of starting it,
//! which saves a process. Anything doubtful is no simple command. Knows no step.

/// What `sh` (dash, bash and their relatives) does itself, and words of its grammar.
const OF_THE_SHELL: [&str; 83] = [
    "!",
    ".",
    ":",
    "[",
    "[[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "newgrp",
    "popd",
    "print",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// `exec SCRIPT` where the script is one simple command of plain words, with or without output
/// redirected; `None` for everything else.
pub(super) fn as_exec(script: &str) -> Option<String> {
    let script = script.trim_matches([' ', '\n']);
    let mut words = script.split(' ').filter(|word| !word.is_empty());
    let first = words.next()?;
    // `exec` takes options, and `%1` is a job.
    let begins = first.starts_with(|c: char| c.is_ascii_alphanumeric() || "_./".contains(c));
    let is_program =
        begins && is_plain(first) && !first.contains('=') && !OF_THE_SHELL.contains(&first);
    let is_argument = |word: &str| is_plain(word) || word == ">" || word == "<";
    (is_program && words.all(is_argument)).then(|| format!("exec {script}"))
}

/// Whether a word means itself in every shell.
fn is_plain(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./,:@%+=^".contains(&byte);
    !word.is_empty() && word.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_of_plain_words_becomes_it() {
        for script in [
            "cat a b",
            "cat a > out\n",
            "./tool --flag=x,y",
            " go build -o bin/x . ",
            "sh -c x",
        ] {
            let want = format!("exec {}", script.trim());
            assert_eq!(as_exec(script), Some(want), "{script}");
        }
    }

    #[test]
    fn anything_else_stays_a_script() {
        for script in [
            "",
            "cd x",
            "echo a",
            "A=1 cat",
            "cat a; b",
            "cat a\ncat b",
            "cat 'a b'",
            "cat $x",
            "cat ~/x",
            "cat a | b",
            "cat *",
            "cat a >> b",
            "cat a 2>b",
            "cat a &",
            "while x",
            "! cat",
            "test -f x",
            "cat a # x",
            "cat {a,b}",
            "cat \\a",
            "exec cat",
            ". x",
            "[ a ]",
            "cat\ta",
            "time cat",
            "\u{fc}",
            "-c cat",
            "%1",
        ] {
            assert_eq!(as_exec(script), None, "{script}");
        }
    }
}
