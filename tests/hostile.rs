//! Files made to use up memory, time or the stack: each is refused with its place, or read, within
//! limits that are set from outside. Nothing here panics, and what is said stays short.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::Sandbox;

/// Seconds of processor time after which the system ends the program: far more than is needed even
/// on a busy machine, far less than forever.
const SECONDS: u32 = 60;
/// Address space in KiB, threads' stacks and the program itself included.
const MEMORY: u32 = 1 << 20;
/// What is said of any file fits on a few screens.
const LONGEST: usize = 150_000;

/// A file, a command, and what comes out.
struct Case {
    name: &'static str,
    text: Vec<u8>,
    command: &'static str,
    exit: i32,
    says: &'static str,
}

/// A file that `pipe check` refuses.
fn bad(name: &'static str, text: impl Into<Vec<u8>>, says: &'static str) -> Case {
    Case {
        name,
        text: text.into(),
        command: "pipe check",
        exit: 2,
        says,
    }
}

/// A file that is fine, whatever is done with it.
fn good(name: &'static str, text: impl Into<Vec<u8>>, command: &'static str) -> Case {
    Case {
        name,
        text: text.into(),
        command,
        exit: 0,
        says: "",
    }
}

impl Case {
    /// What is wrong with how it went.
    fn fault(&self) -> Option<String> {
        let sandbox = Sandbox::new();
        sandbox.write("pipe.yaml", &self.text);
        let limits =
            format!("ulimit -c 0; ulimit -s 4096; ulimit -t {SECONDS}; ulimit -v {MEMORY}");
        let done = sandbox.shell(&format!("{limits}; {}", self.command));
        // Long messages are broken into lines.
        let said = &done.stdout.replace("\n  │ ", " ");
        let short: String = said.chars().take(600).collect();
        if done.code != Some(self.exit) {
            return Some(format!(
                "{}: exits with {:?}\n{short}",
                self.name, done.code
            ));
        }
        if !said.contains(self.says) {
            return Some(format!(
                "{}: does not say {:?}\n{short}",
                self.name, self.says
            ));
        }
        if self.exit == 2 && !said.contains("pipe.yaml:") && !said.contains("targets that") {
            return Some(format!("{}: does not say where\n{short}", self.name));
        }
        (self.exit == 2 && said.len() > LONGEST)
            .then(|| format!("{}: says {} bytes", self.name, said.len()))
    }
}

/// Runs cases, some at once.
fn run(cases: &[Case]) {
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            faults.lock().unwrap().extend(case.fault());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `line` with each number below `count` for `#`.
fn lines(count: usize, line: &str) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        text.push_str(&line.replace('#', &number.to_string()));
        text.push('\n');
        text
    })
}

/// `a0, a1, ...`
fn names(count: usize, prefix: &str) -> String {
    let names: Vec<String> = (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect();
    names.join(", ")
}

/// A step whose script is this.
fn script(text: &str) -> String {
    format!("steps:\n  a:\n    run: |-\n      {text}\n")
}

/// A script with this expression.
fn expression(text: &str) -> String {
    script(&format!("${{{{ {text} }}}}"))
}

/// Steps of which each needs the next; the last needs `last`.
fn chain(count: usize, rest: &str, last: &str) -> String {
    let mut text = String::from("targets: { default: [s0] }\nsteps:\n");
    for number in 0..count {
        let next = match number + 1 {
            next if next == count => last.to_owned(),
            next => format!("s{next}"),
        };
        let _ = writeln!(text, "  s{number}: {{ {rest}needs: [{next}] }}");
    }
    text + "  end: { run: x }\n"
}

#[test]
fn syntax() {
    let many = |piece: &str| piece.repeat(200_000 / piece.len());
    let deep = "nests deeper";
    run(&[
        bad("brackets", many("["), deep),
        bad("braces", many("{"), deep),
        bad("dashes", many("- "), deep),
        bad("question marks", many("? "), deep),
        bad("maps", "{a: ".repeat(50_000), deep),
        bad("maps in maps", "[{a: ".repeat(30_000), deep),
        bad(
            "blocks",
            (0..500)
                .map(|depth| " ".repeat(depth) + "a:\n")
                .collect::<String>(),
            deep,
        ),
        bad(
            "anchored lists",
            format!("x-a: {}", lines(9_000, "&a# [")),
            deep,
        ),
        bad("quotes", many("\""), ""),
        bad("anchors", format!("a: {}", many("&a ")), ""),
        bad("tags", format!("vars: [{}]", many("!a ")), ""),
        bad("nulls", format!("vars: {}", many("\0")), ""),
        bad("marks", format!("vars: {}", many("\u{feff}")), ""),
        bad("documents", many("---\n"), "document"),
        bad("percents", many("%"), ""),
        bad("no text", b"steps: \xff\xfe".repeat(20_000), "UTF-8"),
        good("returns", many("\r"), "pipe check"),
        good("breaks", many("\n"), "pipe check"),
        good("comments", many("# comment\n").repeat(20), "pipe check"),
        good(
            "long comment",
            format!("# {}", "c".repeat(5_000_000)),
            "pipe check",
        ),
        good(
            "long text",
            format!("vars: {{ a: {} }}", "x".repeat(5_000_000)),
            "pipe check",
        ),
        bad(
            "long key",
            format!("{}: a", "k".repeat(1_000)),
            "unknown key",
        ),
        bad("very long key", format!("{}: a", "k".repeat(2_000_000)), ""),
        bad(
            "long name",
            format!("steps:\n  'a {}': {{ run: x }}", "n".repeat(200_000)),
            "",
        ),
    ]);
}

#[test]
fn aliases() {
    let laughs = |first: &str, next: &dyn Fn(usize) -> String| {
        let more = (1..30).map(|level| format!("x-{level}: &a{level} {}\n", next(level - 1)));
        format!("x-0: &a0 {first}\n{}", more.collect::<String>())
    };
    let ten = |level: usize| vec![format!("*a{level}"); 10].join(", ");
    let bomb = "aliases expanded";
    run(&[
        bad(
            "laughs",
            laughs("x", &|level| format!("[{}]", ten(level))),
            bomb,
        ),
        bad(
            "merged laughs",
            laughs("{ k: v }", &|level| {
                format!(
                    "{{ <<: [{}], a: *a{level}, b: *a{level}, c: *a{level} }}",
                    ten(level)
                )
            }),
            bomb,
        ),
        bad(
            "wide",
            format!(
                "x-a: &a [{}]\nx-b:\n{}",
                names(50_000, "a"),
                lines(1_000, "  - *a")
            ),
            bomb,
        ),
        bad(
            "long",
            format!(
                "x-a: &a {}\nx-b:\n{}",
                "x".repeat(100_000),
                lines(1_000, "  - *a")
            ),
            bomb,
        ),
        good(
            "anchors",
            format!("x-a:\n{}", lines(30_000, "  - &a# x")),
            "pipe check",
        ),
    ]);
}

#[test]
fn mistakes() {
    let all = "in all; ";
    let steps = |line: &str| format!("steps:\n{}", lines(2_000, line));
    run(&[
        bad("keys", lines(5_000, "wrong#: x"), all),
        bad("keys of steps", steps("  s#: { runn: x }"), all),
        bad("needs", steps("  s#: { run: x, needs: [nope#] }"), all),
        bad(
            "variables",
            steps("  s#: { run: \"${{ vars.nope# }}\" }"),
            all,
        ),
        bad(
            "variables of one step",
            format!(
                "steps:\n  a:\n    run:\n{}",
                lines(5_000, "    - ${{ vars.nope# }}")
            ),
            "",
        ),
        bad("names", steps("  's #': { run: x }"), all),
        bad("durations", steps("  s#: { run: x, timeout: '9' }"), all),
        bad("again", steps("  s: { run: x }"), all),
        bad(
            "on one line",
            format!("vars: {{ {} }}", "a: b, ".repeat(5_000)),
            all,
        ),
        bad(
            "tags",
            format!("vars:\n{}", lines(5_000, "  a#: !x y")),
            all,
        ),
        bad(
            "aliases",
            format!("vars:\n{}", lines(5_000, "  a#: &a# [*a#]")),
            all,
        ),
        bad("nulls", format!("env:\n{}", lines(5_000, "  a#:")), all),
        bad(
            "references",
            format!(
                "steps:\n  a:\n    run: x\n    needs:\n{}",
                lines(5_000, "    - '@#'")
            ),
            all,
        ),
        bad(
            "clashes",
            format!(
                "targets: {{ default: [all] }}\n{}  all: {{ needs: [{}] }}\n",
                steps("  s#: { run: x#, sources: [], outputs: [a] }"),
                names(2_000, "s")
            ),
            all,
        ),
    ]);
}

#[test]
fn expressions() {
    let long = |piece: &str| expression(&format!("1{}", piece.repeat(100_000)));
    let full = |piece: &str| expression(&format!("1{}", piece.repeat(250)));
    let mut cases = vec![
        bad("range", expression("range(10**9)"), "no function"),
        bad("product", expression("'a' * 10**9"), "numbers only"),
        bad("power", expression("10 ** 10 ** 10"), ""),
        bad(
            "list",
            expression("[1] * 1000000000 | sort"),
            "numbers only",
        ),
        bad(
            "list of lists",
            expression("[[1] * 9999] * 9999 | json"),
            "numbers only",
        ),
        bad(
            "replace",
            expression(&format!(
                "'a' {}",
                "| replace('a', 'aaaaaaaaaaaaaaaa')".repeat(9)
            )),
            "larger than",
        ),
        bad(
            "replace nothing",
            expression(&format!("'a' {}", "| replace('', 'aaaa')".repeat(20))),
            "larger than",
        ),
        bad(
            "quote",
            expression(&format!("\"'\" {}", "| quote".repeat(30))),
            "larger than",
        ),
        bad(
            "json",
            expression(&format!("'\"' {}", "| json".repeat(40))),
            "larger than",
        ),
        bad("digits", expression(&"9".repeat(100_000)), "longer than"),
        bad("division", expression("5 // 0"), ""),
        bad("parentheses", expression(&"(".repeat(100_000)), ""),
        bad("lists", expression(&"[".repeat(100_000)), ""),
        bad("maps", expression(&"{1:".repeat(100_000)), ""),
        bad(
            "not",
            expression(&format!("{}true", "not ".repeat(100_000))),
            "",
        ),
        bad(
            "minus",
            expression(&format!("{}1", "-".repeat(100_000))),
            "",
        ),
        bad(
            "members",
            expression(&format!("vars{}", ".a".repeat(50_000))),
            "not defined",
        ),
        bad("open", script(&"${{ ".repeat(50_000)), "never closed"),
        good("escaped", script(&"$${{ ".repeat(50_000)), "pipe check"),
        good(
            "minus 250",
            expression(&format!("{}1", "-".repeat(250))),
            "pipe check",
        ),
        good(
            "not 250",
            expression(&format!("{}true", "not ".repeat(250))),
            "pipe check",
        ),
        bad(
            "if",
            format!(
                "steps: {{ a: {{ run: x, if: \"{}\" }} }}",
                "(".repeat(100_000)
            ),
            "",
        ),
    ];
    for piece in [
        "+1",
        "~1",
        " or 1",
        "**1",
        "|lower",
        "[0]",
        "()",
        " if 1 else 1",
        " is defined",
        " < 1",
    ] {
        cases.push(bad(piece, long(piece), ""));
    }
    for piece in ["+1", "~1", " or 1", "|upper"] {
        cases.push(good(piece, full(piece), "pipe check"));
    }
    run(&cases);
}

#[test]
fn variables() {
    let vars = |count: usize, value: &str, last: &str| {
        let mut text = String::from("vars:\n");
        for number in 0..count {
            let _ = writeln!(
                text,
                "  v{number}: {}",
                value.replace('#', &format!("${{{{ vars.v{} }}}}", number + 1))
            );
        }
        format!(
            "{text}  v{count}: {last}\nsteps: {{ a: {{ run: 'echo ${{{{ vars.v0 | json }}}}' }} }}\n"
        )
    };
    let shared = |text: &str| format!("vars: {{ a: {} }}\nsteps:\n{text}", "x".repeat(150_000));
    run(&[
        bad(
            "chain",
            vars(30_000, "#", "x"),
            "worked out for one another",
        ),
        bad("circle", vars(90, "#", "${{ vars.v0 }}"), "need each other"),
        bad(
            "long circle",
            vars(30_000, "#", "${{ vars.v0 }}"),
            "worked out for one another",
        ),
        bad("bomb", vars(60, "##", "x"), "larger than"),
        bad("bomb of lists", vars(60, "['#', '#']", "x"), ""),
        bad("bomb of maps", vars(60, "{ a: '#', b: '#' }", "x"), ""),
        bad("deep lists", vars(90, "['#']", "x"), "too deep"),
        bad(
            "used often",
            shared(&format!(
                "  a: {{ run: '{}' }}",
                "${{ vars.a }}".repeat(10_000)
            )),
            "memory",
        ),
        bad(
            "used often in one",
            shared(&format!(
                "  a: {{ run: '${{{{ {} }}}}' }}",
                ["vars.a"; 149].join(" ~ ")
            )),
            "larger than",
        ),
        bad(
            "environment of all",
            format!(
                "env:\n{}steps:\n{}",
                lines(3_000, "  A#: xxxxxxxxxxxxxxxx"),
                lines(2_000, "  s#: { run: x }")
            ),
            "memory",
        ),
        bad(
            "defaults of all",
            format!(
                "defaults: {{ needs: [{}] }}\nsteps:\n{}",
                names(2_000, "s"),
                lines(2_000, "  s#: { run: x }")
            ),
            "need each other",
        ),
    ]);
}

#[test]
fn matrices() {
    let matrix = |keys: &str| format!("steps:\n  a:\n    run: x\n{keys}");
    let nine = lines(9, &format!("      a#: [{}]", names(10, "v")));
    let ten_thousand = names(10_000, "v");
    let two = |b: &str| {
        format!(
            "steps:\n  a: {{ run: x, matrix: {{ a: [{ten_thousand}] }} }}\n  b: {{ run: x, needs: [a], matrix: {{ {b}: [{ten_thousand}] }} }}\n"
        )
    };
    run(&[
        bad("a billion", matrix(&format!("    matrix:\n{nine}")), "1000000000 combinations"),
        bad("a billion, allowed", matrix(&format!("    max_instances: 10000000000\n    matrix:\n{nine}")), "at most 100000"),
        bad("more than can be counted", matrix(&format!("    matrix:\n{}", lines(50, &format!("      a#: [{}]", names(50, "v"))))), "combinations"),
        bad("large values", matrix(&format!("    matrix: {{ a: [{}], b: [{}] }}", "x".repeat(1_000_000), names(1_000, "v"))), "memory"),
        bad("many keys", matrix(&format!("    matrix:\n      include:\n{}", lines(9_000, "      - { b#: x }"))), "memory"),
        bad(
            "keys for all",
            matrix(&format!("    matrix:\n      a: [{}]\n      include:\n{}", names(9_000, "v"), lines(2_000, "      - { k#: x }"))),
            "memory",
        ),
        good(
            "all but one taken away",
            matrix(&format!("    matrix:\n      a: [{}]\n      exclude:\n{}", names(9_000, "v"), lines(8_999, "      - { a: v# }"))),
            "pipe check",
        ),
        bad("all with all", two("b"), "edges in all"),
        good("one with one", two("a"), "pipe check"),
        good(
            "made one by one",
            "steps:\n  a: { run: x, sources: [], outputs: ['x${{ matrix.a }}'], matrix: { a: [@] } }\n  b: { run: x, outputs: ['y${{ matrix.a }}'], sources: ['x${{ matrix.a }}'], matrix: { a: [@] } }\nprofiles: { p: {} }\n"
                .replace('@', &names(3_000, "v")),
            "pipe check",
        ),
    ]);
}

#[test]
fn patterns() {
    let sources = |pattern: &str| format!("steps: {{ a: {{ run: x, sources: ['{pattern}'] }} }}");
    let matches = |pattern: &str| {
        format!("steps: {{ a: {{ run: x, verify: [{{ file: a, matches: '{pattern}' }}] }} }}")
    };
    let dozen = "{a,b}".repeat(10);
    run(&[
        bad(
            "braces",
            sources(&"{a,b}".repeat(5_000)),
            "too many patterns",
        ),
        bad(
            "list in braces",
            sources(&format!("{{{}}}", "a,".repeat(100_000))),
            "",
        ),
        bad("deep braces", sources(&"{a,".repeat(10_000)), "deep"),
        bad("open braces", sources(&"{".repeat(100_000)), ""),
        bad("dots", sources(&"../".repeat(50_000)), "leaves"),
        good("stars", sources(&"**/".repeat(20_000)), "pipe check"),
        good("wildcards", sources(&"*a".repeat(20_000)), "pipe check"),
        bad(
            "many braces",
            format!(
                "steps:\n  a:\n    run: x\n    sources:\n{}",
                lines(10_000, &format!("    - '{dozen}#*'"))
            ),
            "memory",
        ),
        bad(
            "members",
            format!("workspace: {{ members: ['{}'] }}", "{a,b}".repeat(50)),
            "too many patterns",
        ),
        bad(
            "repetitions",
            matches("((a{1000}){1000}){1000}"),
            "regular expression",
        ),
        bad(
            "groups",
            matches(&"(".repeat(100_000)),
            "regular expression",
        ),
        good("alternatives", matches(&"ab|".repeat(3_000)), "pipe check"),
    ]);
}

#[test]
fn references() {
    let needs = |reference: &str| format!("steps: {{ a: {{ run: x, needs: ['{reference}'] }} }}");
    run(&[
        bad(
            "signs",
            needs(&format!("a{}", "@".repeat(100_000))),
            "no axis and value",
        ),
        bad(
            "axes",
            needs(&format!("a{}", "@a=b".repeat(30_000))),
            "fits",
        ),
        bad(
            "quotes",
            needs(&format!("a@a={}", "\"\\\"".repeat(30_000))),
            "",
        ),
        bad("colons", needs(&":".repeat(100_000)), "no pipeline"),
        good(
            "the same again and again",
            format!(
                "steps:\n  a: {{ run: x }}\n  b: {{ run: x, needs: [{}] }}\n",
                ["a"; 20_000].join(", ")
            ),
            "pipe check",
        ),
        bad(
            "groups of groups",
            format!(
                "steps:\n{}  g: {{ needs: [{}] }}\n{}",
                lines(2_000, "  s#: { run: x }"),
                names(2_000, "s"),
                lines(2_000, "  z#: { run: x, needs: [g] }")
            ),
            "edges in all",
        ),
        good(
            "targets that list each other twice",
            format!(
                "targets:\n{}  t60: [a]\nsteps: {{ a: {{ run: x }} }}\n",
                (0..60)
                    .map(|at| format!("  t{at}: [t{0}, t{0}]\n", at + 1))
                    .collect::<String>()
            ),
            "pipe check",
        ),
        good(
            "a chain of targets",
            format!(
                "targets:\n{}  t20000: [a]\nsteps: {{ a: {{ run: x }} }}\n",
                (0..20_000)
                    .map(|at| format!("  t{at}: [t{}]\n", at + 1))
                    .collect::<String>()
            ),
            "pipe check",
        ),
        bad(
            "a circle of targets",
            format!(
                "targets:\n{}steps: {{}}\n",
                (0..20_000)
                    .map(|at| format!("  t{at}: [t{}]\n", (at + 1) % 20_000))
                    .collect::<String>()
            ),
            "targets that list each other",
        ),
    ]);
}

#[test]
fn chains() {
    let steps = || chain(10_000, "run: x, ", "end");
    let groups = || chain(10_000, "", "end");
    run(&[
        bad("circle", chain(10_000, "run: x, ", "s0"), "need each other"),
        bad(
            "many circles",
            format!(
                "steps:\n{}",
                lines(
                    2_000,
                    "  a#: { run: x, needs: [b#] }\n  b#: { run: x, needs: [a#] }"
                )
            ),
            "in all",
        ),
        good("steps", steps(), "pipe check"),
        good("groups", groups(), "pipe check"),
        good("plan of steps", steps(), "pipe plan >/dev/null"),
        good("plan of groups", groups(), "pipe plan >/dev/null"),
        good("dry run", steps(), "pipe run -n >/dev/null"),
        good(
            "drawn as dot",
            steps(),
            "pipe graph --format dot >/dev/null",
        ),
        good(
            "drawn as mermaid",
            steps(),
            "pipe graph --format mermaid >/dev/null",
        ),
        good(
            "drawn as json",
            steps(),
            "pipe graph --format json >/dev/null",
        ),
        good("drawn as a tree", steps(), "pipe graph >/dev/null"),
        good("why", steps(), "pipe why s0 >/dev/null"),
    ]);
}
