//! What a step's command does: as a script of shell builtins, and the same in plain Rust.
//!
//! All that may influence a result stands in it: names, exec bits and texts of inputs, the variable,
//! the version of the command. So a result that is reused wrongly has wrong bytes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::disk::{self, Disk, Node, read_tree};
use super::graph::{Graph, Out, Step};

/// What a command does to the disk.
#[derive(Debug, Default)]
pub(super) struct Effect {
    pub(super) fails: bool,
    /// What it makes, or leaves behind where it fails.
    pub(super) outputs: Disk,
    /// Sources that it writes anew.
    pub(super) sources: BTreeMap<String, Node>,
}

/// The script of step `at`.
pub(crate) fn script(graph: &Graph, at: usize) -> String {
    let step = &graph.steps[at];
    if step.out == Out::Nothing {
        let source = step.spoils.as_deref().unwrap_or_default();
        return format!(
            "if [ -f {source} ]; then\n  x=; IFS= read -r x < {source} || :\n  \
             case $x in *S) ;; *) printf '%s\\n' \"${{x}}S\" > {source};; esac\nfi\n"
        );
    }
    let words = words(graph, at).join(" ");
    let mut script = format!(
        "all='s{at}:{}'\nall=\"$all:${{V:-}}\"\nhead=$all\ncount=0\n\
         for f in {words}; do\n  [ -f \"$f\" ] || continue\n  x=; IFS= read -r x < \"$f\" || :\n  \
         m=; if [ -x \"$f\" ]; then m='*'; fi\n  all=\"$all[$f$m $x]\"\n  count=$((count + 1))\ndone\n",
        step.version
    );
    let main = main_file(&step.out);
    if let Out::Folder(folder) = &step.out {
        let _ = writeln!(script, "mkdir -p {folder}");
    }
    let _ = writeln!(
        script,
        "case $all in *FAIL*) echo broken > {main}; exit 3;; esac"
    );
    if step.counts {
        script.push_str("all=\"$head:$count\"\n");
    }
    script.push_str(&makes(step, &words, &main));
    if let Some(source) = &step.spoils {
        let _ = writeln!(
            script,
            "x=; IFS= read -r x < {source} || :\ncase $x in *T*) printf '%s\\n' \"${{x%%T*}}\" > {source};; esac"
        );
    }
    script
}

/// The lines that write the outputs.
fn makes(step: &Step, words: &str, main: &str) -> String {
    let one_each = |target: &str| {
        format!(
            "for f in {words}; do\n  [ -f \"$f\" ] || continue\n  x=; IFS= read -r x < \"$f\" || :\n  \
             printf '%s\\n' \"$x\" > {target}\ndone\n"
        )
    };
    let write = format!("printf '%s\\n' \"$all\" > {main}\n");
    let bit = if step.incremental {
        format!("case $all in *E*) chmod +x {main};; *) chmod -x {main};; esac\n")
    } else {
        format!("case $all in *E*) chmod +x {main};; esac\n")
    };
    match &step.out {
        Out::File(_) => write + &bit,
        Out::Optional(_) => {
            format!("case $all in *O*) printf '%s\\n' \"$all\" > {main};; esac\n")
        }
        Out::Folder(folder) => {
            let each = one_each(&format!("\"{folder}/${{f##*/}}\""));
            format!(
                "{each}{write}{bit}case $all in *L*) ln -sf all {folder}/link;; esac\n\
                 if [ $count = 0 ]; then mkdir {folder}/none; fi\n"
            )
        }
        Out::Glob(folder) => one_each(&format!("\"{folder}/${{f##*/}}.o\"")) + &write + &bit,
        Out::Nothing => String::new(),
    }
}

/// The file that holds everything.
fn main_file(out: &Out) -> String {
    match out {
        Out::File(path) | Out::Optional(path) => path.clone(),
        Out::Folder(folder) => format!("{folder}/all"),
        Out::Glob(folder) => format!("{folder}/all.o"),
        Out::Nothing => String::new(),
    }
}

/// What the command reads, as words of a shell.
fn words(graph: &Graph, at: usize) -> Vec<String> {
    let step = &graph.steps[at];
    let globs = step.globs.iter().map(|folder| format!("{folder}/*.txt"));
    let needs = step
        .needs
        .iter()
        .filter_map(|need| match &graph.steps[*need].out {
            Out::File(path) | Out::Optional(path) => Some(path.clone()),
            Out::Folder(folder) => Some(format!("{folder}/*")),
            Out::Glob(folder) => Some(format!("{folder}/*.o")),
            Out::Nothing => None,
        });
    globs.chain(step.literals.clone()).chain(needs).collect()
}

/// The paths that a word stands for.
fn paths(word: &str, disk: &Disk) -> Vec<String> {
    let Some((folder, ending)) = word.split_once('*') else {
        return vec![word.to_owned()];
    };
    let is_match = |path: &&String| {
        let name = path
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_suffix(ending));
        name.is_some_and(|name| !name.contains('/'))
    };
    disk.keys().filter(is_match).cloned().collect()
}

/// What the command of step `at` does with these files.
pub(super) fn perform(graph: &Graph, at: usize, disk: &Disk) -> Effect {
    let step = &graph.steps[at];
    if step.out == Out::Nothing {
        return shaped(step, disk);
    }
    let words = words(graph, at);
    let paths = words.iter().flat_map(|word| paths(word, disk));
    let read = paths.filter_map(|path| {
        let (text, exec) = disk::follow(disk, &path)?;
        let line = text.lines().next().unwrap_or_default().to_owned();
        Some((path, line, exec))
    });
    let read: Vec<(String, String, bool)> = read.collect();
    let head = format!(
        "s{at}:{}:{}",
        step.version,
        step.env.as_deref().unwrap_or_default()
    );
    let mut all = head.clone();
    for (path, line, exec) in &read {
        let mark = if *exec { "*" } else { "" };
        let _ = write!(all, "[{path}{mark} {line}]");
    }
    let main = main_file(&step.out);
    let mut effect = Effect::default();
    if all.contains("FAIL") {
        effect.fails = true;
        // What is written over keeps its mode.
        let exec = disk::follow(disk, &main).is_some_and(|(_, exec)| exec && step.incremental);
        effect.outputs.insert(main, Node::file("broken\n", exec));
        return effect;
    }
    if step.counts {
        all = format!("{head}:{}", read.len());
    }
    let (folder, ending) = match &step.out {
        Out::Folder(folder) => (Some(folder), ""),
        Out::Glob(folder) => (Some(folder), ".o"),
        _ => (None, ""),
    };
    for (path, line, _) in &read {
        if let (Some(folder), Some(name)) = (folder, path.rsplit('/').next()) {
            let at = format!("{folder}/{name}{ending}");
            effect
                .outputs
                .insert(at, Node::file(format!("{line}\n"), false));
        }
    }
    let is_made = !matches!(step.out, Out::Optional(_)) || all.contains('O');
    if is_made {
        let exec = all.contains('E') && !matches!(step.out, Out::Optional(_));
        effect
            .outputs
            .insert(main, Node::file(format!("{all}\n"), exec));
    }
    if let Out::Folder(folder) = &step.out {
        if all.contains('L') {
            effect
                .outputs
                .insert(format!("{folder}/link"), Node::Link("all".to_owned()));
        }
        if read.is_empty() {
            effect
                .outputs
                .insert(format!("{folder}/none"), Node::Folder);
        }
    }
    if let Some(source) = &step.spoils {
        let text = disk::follow(disk, source).map(|(text, _)| text);
        let rest = text.and_then(|text| Some(text.lines().next()?.split_once('T')?.0.to_owned()));
        effect.rewrite(disk, source, rest);
    }
    effect
}

/// What a step does that brings its source into shape.
fn shaped(step: &Step, disk: &Disk) -> Effect {
    let mut effect = Effect::default();
    let source = step.spoils.as_deref().unwrap_or_default();
    let line = disk::follow(disk, source);
    let line = line.map(|(text, _)| text.lines().next().unwrap_or_default().to_owned());
    let line = line.filter(|line| !line.ends_with('S'));
    effect.rewrite(disk, source, line.map(|line| line + "S"));
    effect
}

impl Effect {
    /// Writes the line into the source, whose exec bit stays.
    fn rewrite(&mut self, disk: &Disk, source: &str, line: Option<String>) {
        if let (Some(line), Some((_, exec))) = (line, disk::follow(disk, source)) {
            self.sources
                .insert(source.to_owned(), Node::file(line + "\n", exec));
        }
    }
}

/// Does to the folder `root` what the command of step `at` does; whether it succeeds.
pub(crate) fn act(graph: &Graph, at: usize, root: &Path) -> bool {
    let effect = perform(graph, at, &read_tree(root));
    for (path, node) in effect.outputs.iter().chain(&effect.sources) {
        // A shell cannot write to a folder either.
        if *node != Node::Folder && root.join(path).is_dir() {
            return false;
        }
        disk::put(root, path, node);
    }
    !effect.fails
}
