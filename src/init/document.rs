//! A pipeline file in the making, and how it is written: one layout for all languages.

use super::files::Files;

/// What was recognised in a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// What it is, for people: `a Rust package`.
    pub(super) kind: String,
    /// What its manifest says of it.
    pub(super) description: Option<String>,
    /// Comments below the description: what a person should look at.
    pub(super) notes: Vec<String>,
    /// Folders and patterns that tools write into the tree, besides declared outputs.
    pub(super) caches: Vec<String>,
    /// Files that are no sources for this language, where they are there.
    pub(super) left_out: Vec<&'static str>,
    /// Sources outside of the folder.
    pub(super) more_sources: Vec<String>,
    /// Whether steps name `*sources`.
    pub(super) reads_all: bool,
    /// Blocks between the targets and the steps: `vars`, `env`, `profiles`.
    pub(super) settings: Vec<String>,
    /// What `dev` and `prod` stand for.
    pub(super) dev: Target,
    pub(super) prod: Target,
    pub(super) steps: Vec<Step>,
}

/// A target of a draft.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) steps: Vec<&'static str>,
    pub(super) profile: Option<&'static str>,
    pub(super) description: &'static str,
}

/// A step in the making: its keys in the order in which they are written.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    lines: Vec<String>,
}

impl Step {
    /// A step with its description.
    pub(super) fn new(name: &'static str, description: &str) -> Self {
        Self {
            name,
            lines: vec![format!("description: {}", text(description))],
        }
    }

    /// A comment above the next key.
    pub(super) fn note(mut self, comment: &str) -> Self {
        self.lines
            .extend(comment.lines().map(|line| format!("# {line}")));
        self
    }

    /// A key whose value is words.
    pub(super) fn say(mut self, name: &str, words: &str) -> Self {
        self.lines.push(format!("{name}: {}", text(words)));
        self
    }

    /// A key whose value is written as it stands.
    pub(super) fn key(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.lines.push(format!("{name}: {value}"));
        self
    }

    /// A list: on one line where it is short.
    pub(super) fn list<T: AsRef<str>>(mut self, name: &str, items: &[T]) -> Self {
        self.lines.extend(list(name, items));
        self
    }

    /// The commands.
    pub(super) fn run<T: AsRef<str>>(mut self, commands: &[T]) -> Self {
        match commands {
            [one] => self.lines.push(format!("run: {}", command(one.as_ref()))),
            lines => {
                self.lines.push("run: |".to_owned());
                let lines = lines.iter().map(|line| format!("  {}", line.as_ref()));
                self.lines.extend(lines);
            }
        }
        self
    }

    fn render(&self) -> String {
        let mut out = format!("  {}:\n", self.name);
        for line in &self.lines {
            out.push_str(&format!("    {line}\n"));
        }
        out
    }
}

/// What the place of a file adds to what is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) name: String,
    /// In the root's file.
    pub(super) workspace: Option<Workspace>,
    /// What lies there for people and their tools alone, and what belongs to others.
    pub(super) left_out: Vec<String>,
    /// Whether the root's `workspace.ignore` names the folders in which tools keep things.
    pub(super) passes_by_caches: bool,
}

impl Frame {
    /// For a draft of the folder with these files.
    pub(super) fn of(name: String, files: &Files, draft: &Draft) -> Self {
        const FOLDERS: [&str; 3] = [".github/", ".idea/", ".vscode/"];
        let own = ["pipe.yaml", ".editorconfig", ".gitattributes"];
        let names = own.iter().chain(&draft.left_out).copied();
        let names = names.filter(|name| *name == "pipe.yaml" || files.has(name));
        let there = files.folders();
        let folders = FOLDERS
            .into_iter()
            .filter(|name| there.contains(&name.trim_end_matches('/')));
        Self {
            name,
            left_out: names.chain(folders).map(str::to_owned).collect(),
            ..Self::default()
        }
    }
}

/// The `workspace` of a root's file.
#[derive(Clone, Debug, Default)]
pub(super) struct Workspace {
    /// Where members are; none for a workspace of one.
    pub(super) members: Vec<String>,
    /// What globs pass by, in the whole workspace.
    pub(super) ignore: Vec<String>,
}

/// The text of a file, with the schema where `schema` says.
pub(super) fn render(draft: &Draft, frame: &Frame, schema: &str) -> String {
    let mut blocks = vec![head(draft, frame, schema)];
    blocks.extend(frame.workspace.as_ref().and_then(workspace));
    blocks.extend(targets(draft));
    if draft.reads_all {
        blocks.push(sources(draft, frame));
    }
    blocks.extend(draft.settings.iter().cloned());
    if !draft.steps.is_empty() {
        let steps: Vec<String> = draft.steps.iter().map(Step::render).collect();
        blocks.push(format!("steps:\n{}", steps.join("\n")));
    }
    blocks.join("\n")
}

fn head(draft: &Draft, frame: &Frame, schema: &str) -> String {
    let mut out = format!(
        "# yaml-language-server: $schema={}\nname: {}\n",
        schema,
        text(&frame.name)
    );
    if let Some(description) = &draft.description {
        out.push_str(&format!("description: {}\n", text(description)));
    }
    for note in &draft.notes {
        out.push('\n');
        note.lines()
            .for_each(|line| out.push_str(&format!("# {line}\n")));
    }
    out
}

fn workspace(workspace: &Workspace) -> Option<String> {
    let mut out = String::from("workspace:\n");
    let members = list("members", &workspace.members);
    if !workspace.members.is_empty() {
        members
            .iter()
            .for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    if !workspace.ignore.is_empty() {
        out.push_str("  # Where tools keep what they made: no glob of any step looks in there.\n");
        let ignore = list("ignore", &workspace.ignore);
        ignore
            .iter()
            .for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    (out.lines().count() > 1).then_some(out)
}

fn targets(draft: &Draft) -> Option<String> {
    if draft.dev.steps.is_empty() {
        return None;
    }
    let line = |name: &str, target: &Target| {
        let profile = target
            .profile
            .map_or(String::new(), |name| format!("profile: {name}, "));
        let (steps, description) = (target.steps.join(", "), quoted(target.description));
        format!("  {name:<5} {{ steps: [{steps}], {profile}description: {description} }}\n")
    };
    let mut out = String::from("targets:\n  default: dev\n");
    out.push_str(&line("dev:", &draft.dev));
    if !draft.prod.steps.is_empty() {
        out.push_str(&line("prod:", &draft.prod));
    }
    Some(out)
}

/// The list of files that most steps share.
fn sources(draft: &Draft, frame: &Frame) -> String {
    let mut out = String::from(
        "# What the steps below read: every file of this folder but those that no tool looks at.\n\
         # A new file counts by itself. Leave out more, and a change there rebuilds nothing.\n\
         x-sources: &sources\n  - \"**\"\n",
    );
    let caches = draft
        .caches
        .iter()
        .filter(|cache| !frame.passes_by_caches || !is_folder(cache));
    for more in &draft.more_sources {
        out.push_str(&format!("  - {}\n", quoted(more)));
    }
    for left_out in frame.left_out.iter().chain(caches) {
        let rest = if is_folder(left_out) { "**" } else { "" };
        out.push_str(&format!("  - {}\n", quoted(&format!("!{left_out}{rest}"))));
    }
    out
}

/// Whether a cache is a folder.
pub(super) fn is_folder(cache: &str) -> bool {
    cache.ends_with('/')
}

/// `name: [a, b]`, or one item a line where that is long.
fn list<T: AsRef<str>>(name: &str, items: &[T]) -> Vec<String> {
    let items: Vec<String> = items.iter().map(|item| item_text(item.as_ref())).collect();
    let line = format!("{name}: [{}]", items.join(", "));
    if line.len() <= 90 {
        return vec![line];
    }
    let items = items.iter().map(|item| format!("  - {item}"));
    std::iter::once(format!("{name}:")).chain(items).collect()
}

/// An item of a list: a map stands as it is.
fn item_text(item: &str) -> String {
    if item.starts_with("{ ") {
        item.to_owned()
    } else {
        quoted(item)
    }
}

/// Words of a person, in which nothing is an expression, as a value on a line of its own.
pub(super) fn text(text: &str) -> String {
    quoted_unless(&text.replace("${{", "$${{"), " _./-+()',;`")
}

/// Text as an item of a list or a value between braces.
fn quoted(text: &str) -> String {
    quoted_unless(text, " _./-+()'")
}

/// In quotes, unless it reads back as it is: letters, digits and `plain` characters.
fn quoted_unless(text: &str, plain: &str) -> String {
    let is_plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || plain.contains(c))
        && text.starts_with(|c: char| c.is_alphanumeric() || "./_".contains(c))
        && !text.ends_with(' ')
        && !["null", "true", "false", "~"].contains(&text);
    if is_plain {
        text.to_owned()
    } else {
        serde_json::to_string(text).unwrap_or_default()
    }
}

/// A command of one line as the value of `run`.
fn command(command: &str) -> String {
    let breaks = command.contains(": ") || command.contains(" #") || command.ends_with(':');
    if breaks || command.starts_with(|c: char| "\"'[]{}&*!|>%@`#-?,".contains(c)) {
        format!("|\n      {command}")
    } else {
        command.to_owned()
    }
}
