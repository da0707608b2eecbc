//! Steps as the generator makes them: each needs only earlier ones.

use super::dice::Dice;

/// The folders whose `*.txt` files source globs match.
pub(crate) const FOLDERS: [&str; 3] = ["src/a", "src/b", "src/c"];

/// Where a result may come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Shared,
    Local,
    Off,
}

/// What a step makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Out {
    /// One file.
    File(String),
    /// A file that it makes for some inputs only.
    Optional(String),
    /// A folder and all in it.
    Folder(String),
    /// The `*.o` files of a folder.
    Glob(String),
    /// Nothing: it brings a source into shape.
    Nothing,
}

/// A step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    /// Folders whose `*.txt` files are sources.
    pub(crate) globs: Vec<&'static str>,
    /// Files named one by one: sources, and outputs of earlier steps.
    pub(crate) literals: Vec<String>,
    pub(crate) needs: Vec<usize>,
    /// Steps before it that hand on nothing.
    pub(crate) after: Vec<usize>,
    pub(crate) out: Out,
    /// Tells how many inputs there are, and not what is in them.
    pub(crate) counts: bool,
    /// Stands in its command.
    pub(crate) version: usize,
    /// The variable `V`.
    pub(crate) env: Option<String>,
    pub(crate) salt: Option<String>,
    pub(crate) incremental: bool,
    /// A source that it changes where that says `T`.
    pub(crate) spoils: Option<String>,
    /// Stands in the pipeline file and changes nothing.
    pub(crate) description: usize,
}

/// The steps of a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) steps: Vec<Step>,
}

impl Out {
    /// The output as it stands in a pipeline file.
    pub(crate) fn declared(&self) -> Option<String> {
        match self {
            Self::File(path) | Self::Optional(path) => Some(path.clone()),
            Self::Folder(path) => Some(format!("{path}/")),
            Self::Glob(folder) => Some(format!("{folder}/*.o")),
            Self::Nothing => None,
        }
    }

    /// Whether a file at `path` belongs to it.
    pub(crate) fn covers(&self, path: &str) -> bool {
        let within = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/');
        match self {
            Self::File(file) | Self::Optional(file) => path == file || within(file).is_some(),
            Self::Folder(folder) => path == folder || within(folder).is_some(),
            Self::Glob(folder) => {
                within(folder).is_some_and(|name| name.ends_with(".o") && !name.contains('/'))
            }
            Self::Nothing => false,
        }
    }

    /// A file that it surely has.
    fn sure(&self) -> Option<String> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Folder(folder) => Some(format!("{folder}/all")),
            Self::Glob(folder) => Some(format!("{folder}/all.o")),
            Self::Optional(_) | Self::Nothing => None,
        }
    }

    /// One of a random form for step `at`.
    pub(crate) fn random(at: usize, dice: &mut Dice) -> Self {
        let turn = dice.below(2);
        match dice.below(4) {
            0 => Self::File(format!("out/f{at}-{turn}")),
            1 => Self::Folder(format!("out/d{at}-{turn}")),
            2 => Self::Glob(format!("out/g{at}-{turn}")),
            _ => Self::Optional(format!("out/o{at}-{turn}")),
        }
    }
}

impl Graph {
    /// A graph, and its sources with their texts.
    pub(crate) fn random(dice: &mut Dice) -> (Self, Vec<(String, String)>) {
        let mut sources = Vec::new();
        for folder in FOLDERS {
            for file in 0..1 + dice.below(3) {
                sources.push((format!("{folder}/{file}.txt"), text(dice)));
            }
        }
        let mut graph = Self { steps: Vec::new() };
        for at in 0..2 + dice.below(6) {
            let step = graph.random_step(at, dice);
            let own = step
                .literals
                .first()
                .filter(|path| path.starts_with("src/"));
            let own = step.spoils.iter().chain(own);
            sources.extend(own.map(|path| (path.clone(), text(dice))));
            graph.steps.push(step);
        }
        sources.sort();
        sources.dedup_by(|one, other| one.0 == other.0);
        (graph, sources)
    }

    fn random_step(&self, at: usize, dice: &mut Dice) -> Step {
        let mut step = Step {
            name: format!("s{at}"),
            mode: [
                Mode::Shared,
                Mode::Shared,
                Mode::Shared,
                Mode::Local,
                Mode::Off,
            ][dice.below(5)],
            globs: Vec::new(),
            literals: Vec::new(),
            needs: Vec::new(),
            after: Vec::new(),
            out: Out::random(at, dice),
            counts: dice.chance(20),
            version: 0,
            env: dice.chance(40).then(|| dice.word()),
            salt: None,
            incremental: false,
            spoils: None,
            description: 0,
        };
        if dice.chance(10) {
            (step.mode, step.out) = (Mode::Off, Out::Nothing);
            step.spoils = Some(format!("src/shaped{at}.txt"));
            return step;
        }
        let globs = FOLDERS.iter().filter(|_| dice.chance(35));
        step.globs = globs.copied().collect();
        for earlier in 0..at {
            self.draw(&mut step, earlier, dice);
        }
        if dice.chance(25) || step.globs.is_empty() && step.needs.is_empty() {
            step.literals.insert(0, format!("src/only{at}.txt"));
            let spoils = step.mode != Mode::Off && dice.chance(40);
            step.spoils = spoils.then(|| step.literals[0].clone());
        }
        if matches!(step.out, Out::File(_)) && step.spoils.is_none() && dice.chance(20) {
            step.incremental = true;
            step.mode = Mode::Local;
        }
        step
    }

    /// Draws an edge to an earlier step, perhaps.
    fn draw(&self, step: &mut Step, earlier: usize, dice: &mut Dice) {
        let before = &self.steps[earlier];
        match (dice.below(8), &before.out) {
            (0..3, Out::Nothing) => {
                step.literals.extend(before.spoils.clone());
                step.after.push(earlier);
            }
            (0, _) if step.needs.len() < 2 => step.needs.push(earlier),
            (1, _) if step.needs.len() < 2 => step.literals.extend(before.out.sure()),
            (2, _) => step.after.push(earlier),
            _ => {}
        }
    }

    /// The step that makes `path`.
    pub(crate) fn maker(&self, path: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.out.covers(path))
    }

    /// All steps that must go before step `at`, in order.
    pub(crate) fn before(&self, at: usize) -> Vec<usize> {
        let step = &self.steps[at];
        let made = step.literals.iter().filter_map(|path| self.maker(path));
        let mut all: Vec<usize> = made
            .chain(step.needs.clone())
            .chain(step.after.clone())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// These steps and all that go before them, in order.
    pub(crate) fn closure(&self, wanted: &[usize]) -> Vec<usize> {
        let mut is_in = vec![false; self.steps.len()];
        for at in (0..self.steps.len()).rev() {
            is_in[at] |= wanted.contains(&at);
            if is_in[at] {
                self.before(at)
                    .into_iter()
                    .for_each(|before| is_in[before] = true);
            }
        }
        (0..self.steps.len()).filter(|at| is_in[*at]).collect()
    }
}

/// What stands in a source: often such that outputs get an exec bit, or a link.
fn text(dice: &mut Dice) -> String {
    dice.word() + ["", "", "E", "LO"][dice.below(4)]
}
