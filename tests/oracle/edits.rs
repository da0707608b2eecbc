//! What happens to a workspace between two runs, done to the real files and to what is expected.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use super::dice::Dice;
use super::disk::{self, Disk, Node, parent};
use super::expected::Expected;
use super::graph::{FOLDERS, Graph, Mode, Out};

/// A workspace on its way through a sequence.
pub(super) struct Scene {
    pub(super) root: PathBuf,
    /// The store's folder.
    pub(super) store: PathBuf,
    pub(super) graph: Graph,
    pub(super) expected: Expected,
    /// Texts of files that a person put among outputs: they may be moved, and never get lost.
    pub(super) precious: BTreeSet<String>,
    /// What stood in sources before.
    earlier: Vec<(String, Node)>,
    count: usize,
}

impl Scene {
    /// A workspace with these sources.
    pub(super) fn new(
        root: PathBuf,
        store: PathBuf,
        graph: Graph,
        sources: Vec<(String, String)>,
    ) -> Self {
        let mut scene = Self {
            root,
            store,
            graph,
            expected: Expected::default(),
            precious: BTreeSet::new(),
            earlier: Vec::new(),
            count: 0,
        };
        for (path, text) in sources {
            scene.put(&path, Node::file(text + "\n", false));
        }
        scene
    }

    fn disk(&self) -> &Disk {
        &self.expected.disk
    }

    /// Writes over what is there.
    fn put(&mut self, path: &str, node: Node) {
        if let Some(old) = self.disk().get(path).cloned() {
            self.lose(&old);
            self.earlier.push((path.to_owned(), old));
        }
        disk::put(&self.root, path, &node);
        self.expected.disk.insert(path.to_owned(), node);
    }

    fn take(&mut self, path: &str) {
        disk::take(&self.root, path);
        let below = format!("{path}/");
        let is_it = |found: &String| found == path || found.starts_with(&below);
        let gone: Vec<String> = self
            .disk()
            .keys()
            .filter(|found| is_it(found))
            .cloned()
            .collect();
        for path in gone {
            let old = self.expected.disk.remove(&path).unwrap();
            self.lose(&old);
            self.earlier.push((path, old));
        }
    }

    /// What a person takes away is not missed.
    fn lose(&mut self, node: &Node) {
        if let Node::File { text, .. } = node {
            self.precious.remove(text);
        }
    }

    /// A file of which there is no other.
    fn stranger(&mut self, path: &str) {
        self.count += 1;
        let text = format!("stranger {}\n", self.count);
        self.precious.insert(text.clone());
        self.put(path, Node::file(text, false));
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let is_file = |node: &Node| matches!(node, Node::File { .. });
        let files = self.disk().iter().filter(|(_, node)| is_file(node));
        files
            .map(|(path, _)| path.clone())
            .filter(|path| path.starts_with(folder))
            .collect()
    }

    fn text(&self, path: &str) -> (String, bool) {
        match &self.disk()[path] {
            Node::File { text, exec } => (text.trim_end().to_owned(), *exec),
            _ => unreachable!("only files are chosen"),
        }
    }

    /// Does something at random; in words.
    pub(super) fn edit(&mut self, dice: &mut Dice) -> String {
        let done = match dice.below(20) {
            0..7 => self.edit_source(dice),
            7..12 => self.edit_output(dice),
            12..19 => self.edit_step(dice),
            _ => Some(self.edit_state(dice)),
        };
        done.unwrap_or_else(|| "nothing".to_owned())
    }

    fn edit_source(&mut self, dice: &mut Dice) -> Option<String> {
        let path = dice.pick(&self.files("src/"))?.clone();
        let (text, exec) = self.text(&path);
        let new = match dice.below(12) {
            0 => Some(format!("{text}FAIL")),
            1 => Some(format!("{}T", dice.word())),
            2 => Some(format!("{}E", dice.word())),
            3 => Some(format!("{}LO", dice.word())),
            4 | 5 => Some(dice.word()),
            _ => None,
        };
        if let Some(new) = new {
            self.put(&path, Node::file(format!("{new}\n"), exec));
            return Some(format!("{path} says {new}"));
        }
        match dice.below(8) {
            0 | 1 => self.edit_stealthily(&path, dice),
            2 => {
                self.put(&path, Node::file(text + "\n", !exec));
                Some(format!("{path} changes its exec bit"))
            }
            3 => {
                self.take(&path);
                Some(format!("{path} is deleted"))
            }
            4 => {
                let node = Node::file(text + "\n", exec);
                self.put(&path, node);
                Some(format!("{path} is touched"))
            }
            5 => {
                let to = format!("{}/{}.txt", parent(&path), dice.word());
                fs::rename(self.root.join(&path), self.root.join(&to)).unwrap();
                let node = self.expected.disk.remove(&path)?;
                self.earlier.push((path.clone(), node.clone()));
                self.expected.disk.insert(to.clone(), node);
                Some(format!("{path} is renamed to {to}"))
            }
            6 => {
                let new = format!("{}/{}.txt", dice.pick(&FOLDERS)?, dice.below(4));
                let text = dice.word();
                self.put(&new, Node::file(format!("{text}\n"), false));
                Some(format!("{new} says {text}"))
            }
            _ => self.revert(dice),
        }
    }

    /// A source is again what it was before.
    fn revert(&mut self, dice: &mut Dice) -> Option<String> {
        let sources: Vec<_> = self
            .earlier
            .iter()
            .filter(|(path, _)| path.starts_with("src/"))
            .collect();
        let (path, node) = (*dice.pick(&sources)?).clone();
        let said = format!("{path} is again {node:?}");
        self.put(&path, node);
        Some(said)
    }

    /// Another text of the same length, with the old time: in place, or by a rename over it.
    fn edit_stealthily(&mut self, path: &str, dice: &mut Dice) -> Option<String> {
        let (text, exec) = self.text(path);
        let place = self.root.join(path);
        let time = place.metadata().ok()?.modified().ok()?;
        let mut other: String = text.chars().rev().collect();
        if other == text {
            other = text.chars().map(|_| 'q').collect();
        }
        if text.contains(['F', 'T']) || other == text {
            return None;
        }
        let over = dice.chance(30);
        if over {
            // Another file comes to its place.
            disk::take(&self.root, path);
        }
        self.put(path, Node::file(format!("{other}\n"), exec));
        set_time(&place, time);
        Some(format!(
            "{path} says {other}, with its old time{}",
            if over { ", in another file" } else { "" }
        ))
    }

    fn edit_output(&mut self, dice: &mut Dice) -> Option<String> {
        let at = dice.below(self.graph.steps.len());
        let out = self.graph.steps[at].out.clone();
        let stranger = match (&out, dice.chance(50)) {
            (Out::Folder(folder), true) => Some(format!("{folder}/{}", dice.word())),
            (Out::Glob(folder), true) => Some(format!("{folder}/{}.o", dice.word())),
            (Out::Glob(folder), false) if dice.chance(20) => {
                Some(format!("{folder}/{}.c", dice.word()))
            }
            _ => None,
        };
        if let Some(stranger) = stranger {
            self.stranger(&stranger);
            return Some(format!("{stranger} appears"));
        }
        let path = dice.pick(&self.files("out/"))?.clone();
        let maker = self.graph.maker(&path);
        // What works on what lies there would trip over it, or follow the link.
        let incremental = maker.is_some_and(|at| self.graph.steps[at].incremental);
        let (text, exec) = self.text(&path);
        match dice.below(8) {
            0 => {
                self.put(&path, Node::file("junk\n", exec));
                Some(format!("{path} is junk"))
            }
            1 => self.edit_stealthily(&path, dice),
            2 | 3 => {
                self.take(&path);
                Some(format!("{path} is deleted"))
            }
            4 => {
                self.put(&path, Node::file(text + "\n", !exec));
                Some(format!("{path} changes its exec bit"))
            }
            5 => {
                self.put(&path, Node::file("", exec));
                Some(format!("{path} is emptied"))
            }
            6 if !incremental => {
                self.take(&path);
                self.put(&path, Node::Link("../elsewhere".to_owned()));
                Some(format!("{path} is a link"))
            }
            _ if !incremental => {
                self.take(&path);
                if dice.chance(50) {
                    self.stranger(&format!("{path}/{}", dice.word()));
                } else {
                    self.put(&path, Node::Folder);
                }
                Some(format!("{path} is a folder"))
            }
            _ => None,
        }
    }

    fn edit_step(&mut self, dice: &mut Dice) -> Option<String> {
        let at = dice.below(self.graph.steps.len());
        let step = &mut self.graph.steps[at];
        let is_plain = step.out != Out::Nothing && !step.incremental;
        match dice.below(9) {
            0 => step.version = dice.below(3),
            1 => {
                let env = [None, Some("x"), Some("y"), Some("")][dice.below(4)];
                step.env = env.map(str::to_owned);
            }
            2 => step.salt = dice.chance(50).then(|| "salt".to_owned()),
            3 => step.name = format!("s{at}{}", ["", "x"][dice.below(2)]),
            4 => step.description = dice.below(100),
            5 if is_plain => {
                // Nobody looks whether a step that is not cached changes what it reads.
                let modes = if step.spoils.is_none() { 3 } else { 2 };
                step.mode = [Mode::Shared, Mode::Local, Mode::Off][dice.below(modes)];
            }
            6 if is_plain => step.counts = !step.counts,
            7 if is_plain => return Some(self.move_output(at, dice)),
            8 if is_plain && at > 0 => {
                let need = dice.below(at);
                match step.needs.iter().position(|old| *old == need) {
                    Some(old) => drop(step.needs.remove(old)),
                    None => step.needs.push(need),
                }
            }
            _ => return None,
        }
        Some(format!("{:?}", self.graph.steps[at]))
    }

    /// A step makes something else; what it made stays there and belongs to nobody.
    fn move_output(&mut self, at: usize, dice: &mut Dice) -> String {
        let old = std::mem::replace(&mut self.graph.steps[at].out, Out::random(at, dice));
        for step in &mut self.graph.steps {
            step.literals.retain(|path| !old.covers(path));
        }
        format!("{:?}", self.graph.steps[at])
    }

    /// What `pipe` keeps for itself is lost.
    fn edit_state(&mut self, dice: &mut Dice) -> String {
        match dice.below(3) {
            0 => {
                let entries = fs::read_dir(self.root.join(".pipe"))
                    .into_iter()
                    .flatten()
                    .flatten();
                for entry in entries.filter(|entry| entry.file_name() != "kept") {
                    disk::take(
                        &self.root.join(".pipe"),
                        entry.file_name().to_str().unwrap(),
                    );
                }
                self.expected.last.clear();
                ".pipe is deleted".to_owned()
            }
            1 => {
                disk::take(&self.store, "");
                self.expected.store.clear();
                "the store is deleted".to_owned()
            }
            _ => {
                cut(&self.store);
                self.expected.store.clear();
                "all files of the store are cut".to_owned()
            }
        }
    }
}

/// Cuts all files below a folder.
fn cut(folder: &std::path::Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            cut(&path);
            continue;
        }
        let half = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, &half[..half.len() / 2]).unwrap();
    }
}

fn set_time(place: &std::path::Path, time: SystemTime) {
    File::options()
        .write(true)
        .open(place)
        .unwrap()
        .set_modified(time)
        .unwrap();
}
