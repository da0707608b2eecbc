"""The workspace that is built under faults: how it is brought into a state, what a clean build of it makes,
and which steps an edit must run."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import tracer

HERE = Path(__file__).resolve().parent

# What is edited after all is right again, and the steps that must run then: no more, no fewer.
EDITS = {
    "src/config": {"config", "one", "two", "app", "latest", "pack"},
    "src/names": {"tree", "index", "pack"},
    "src/one.h": {"one", "app", "latest", "pack"},
    "src/two.h": {"two", "app", "latest", "pack"},
    "src/docs/new.md": {"pages", "rest", "pack"},
    "src/switch": {"flaky", "pack"},
    "src/block": {"large", "pack"},
    # Was looked for and not there; what is made does not change.
    "src/none.h": {"one"},
}
STEPS = 12


class Wrong(Exception):
    """Something that must not be."""


class Place:
    """A folder with a workspace, a store, and the states that these are brought into."""

    def __init__(self, folder, pipe):
        self.folder, self.pipe = folder, pipe
        self.now = folder / "now"
        self.ws, self.store = self.now / "ws", self.now / "store"
        self.said = folder / "said"
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8",
            "PIPE_CACHE_DIR": str(self.store),
        }
        self.clean = {}
        (folder / "home").mkdir(parents=True)

    def argv(self, *words):
        """The command line of a run."""
        return [str(self.pipe), "run", *words]

    def start(self, argv):
        """Starts a program whose words can be read later."""
        with open(self.said, "wb") as said:
            return subprocess.Popen(argv, cwd=self.ws, env=self.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def run(self, *words):
        """A run without faults: its exit code and all that it said."""
        return self.start(self.argv(*words)).wait(), self.text()

    def verify(self):
        """What is wrong with the store; nothing where all is well."""
        return self.start([str(self.pipe), "cache", "verify"]).wait() and self.text()

    def text(self):
        """What the last run said."""
        return self.said.read_text(errors="replace")

    def trace(self, decide, *words):
        """A run whose calls are decided on: its exit status."""
        return tracer.run(self.argv(*words), self.ws, self.env, [str(self.now)], self.said, decide)

    def good(self, *words):
        """A run that must succeed."""
        code, said = self.run(*words)
        if code != 0:
            raise Wrong(f"a run without faults ended with {code}:\n{said}")
        return said

    def build(self, scene):
        """Brings the workspace into the state that a scene begins with; kept for the next time."""
        kept = self.folder / scene
        if not kept.exists():
            shutil.rmtree(self.now, ignore_errors=True)
            shutil.copytree(HERE / "workspace", self.ws)
            STATES[scene](self)
            self.now.rename(kept)
        shutil.rmtree(self.now, ignore_errors=True)
        subprocess.run(["cp", "-a", str(kept), str(self.now)], check=True)

    def write(self, name, text):
        """Edits a source."""
        (self.ws / name).write_text(text)

    def expected(self):
        """What a clean build of the present sources makes, in a workspace and a store of its own."""
        sources = tree(self.ws / "src")
        key = json.dumps(sources)
        if key not in self.clean:
            other = Place(self.folder / "clean", self.pipe)
            shutil.copytree(HERE / "workspace", other.ws)
            shutil.rmtree(other.ws / "src")
            shutil.copytree(self.ws / "src", other.ws / "src")
            other.good("-j1")
            self.clean[key] = tree(other.ws)
            shutil.rmtree(other.folder)
        return self.clean[key]


def tree(root):
    """All that is below a folder but `.pipe`: kind, exec bit and contents by path."""
    found = {}
    for folder, folders, files in os.walk(root):
        if ".pipe" in folders:
            folders.remove(".pipe")
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            short = os.path.relpath(path, root)
            if stat.S_ISLNK(facts.st_mode):
                found[short] = ["link", os.readlink(path)]
            elif stat.S_ISDIR(facts.st_mode):
                found[short] = ["folder"]
            else:
                kind = "program" if facts.st_mode & 0o100 else "file"
                found[short] = [kind, Path(path).read_bytes().decode("latin-1")]
    return found


def built(place):
    place.good("-j1")


def edited(place):
    """Everything was built, then almost everything has to be built again."""
    built(place)
    place.write("src/config", "two\n")
    place.write("src/names", "ada\nemmy\n")
    place.write("src/one.h", "/* new */\n")
    place.write("src/block", "another line\n" * 90)
    place.write("src/docs/home.md", "# new\n")
    place.write("src/switch", "better\n")


def failing(place):
    """The same, and a step fails in both of its attempts."""
    edited(place)
    place.write("src/switch", "fail\n")


def stored(place):
    """Two states are in the store, and the sources are those of the first again; an output is damaged."""
    shutil.copytree(place.ws / "src", place.folder / "src-first")
    edited(place)
    place.good("-j1")
    shutil.rmtree(place.ws / "src")
    (place.folder / "src-first").rename(place.ws / "src")
    (place.ws / "large.exe").unlink()
    (place.ws / "tree/bin/run").write_text("edited")


def killed(place):
    """An earlier run was killed when a command had made its outputs."""
    edited(place)

    def decide(call):
        made = (place.ws / "large.exe").exists() and (place.ws / "large.exe").read_bytes().startswith(b"another")
        return "kill" if made and call.writes else None

    place.trace(decide, "-j1")
    if not any((place.ws / ".pipe/aside").iterdir()):
        raise Wrong("nothing was out of its place when the run was killed")


# What runs are disturbed in.
SCENES = {"first": lambda place: None, "edited": edited, "failing": failing, "stored": stored, "killed": killed}
# And what only others are damaged in.
STATES = SCENES | {"built": built}


def executed(said):
    """The steps that ran, and the number of those that did not have to, by a run's events."""
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    ends = [event for event in events if event["event"] == "step_finished"]
    ran = {event["step"].split(":")[1] for event in ends if event["outcome"] == "executed"}
    return ran, sum(event["outcome"] == "up_to_date" for event in ends)
