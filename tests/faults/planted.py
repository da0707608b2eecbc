#!/usr/bin/env python3
"""Plants faults into a copy of the program, one at a time, and wants the oracle's tests to catch each.

A fault is a piece of a file and what stands there instead. A piece that is not there exactly once is an
error: the fault has to be fitted to what the program has become.

    planted.py [--only WORD] [--sequences N]

Needs cargo and git; works in a temporary folder and builds in target/planted.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

FAULTS = {
    "the exec bit is dropped on restore": (
        "src/cache/place.rs",
        "TempFile::within(&folder, &place, wanted.exec)?",
        "TempFile::within(&folder, &place, false)?",
    ),
    "the exec bit is left out of the key": (
        "src/cache/action.rs",
        "value[1] = u8::from(*exec);",
        "value[1] = u8::from(*exec && false);",
    ),
    "the environment is left out of the key": (
        "src/cache/action.rs",
        "for (name, value) in env {\n        match value {",
        "for (name, value) in env.iter().take(0) {\n        match value {",
    ),
    "the date of a file is trusted": (
        "src/cache/tree/look.rs",
        "                    clean: true,\n                    content: Content::File(digest),\n"
        "                } if identity == unread.whole => Some(digest),",
        "                    clean: _,\n                    content: Content::File(digest),\n"
        "                } if (identity.mtime, identity.size) == (unread.whole.mtime, unread.whole.size) => Some(digest),",
    ),
    "strangers among outputs are not looked for": (
        "src/cache/decide.rs",
        "if step.outputs.iter().all(is_one_file) {",
        "if step.outputs.iter().all(is_one_file) || !entries.is_empty() {",
    ),
    "sources are not looked at again after a run": (
        "src/exec/attempts.rs",
        "if job.step.cache.is_cached() {",
        "if job.step.cache.is_cached() && job.step.name.is_empty() {",
    ),
}


def copy(to):
    """The files of the working tree that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def tests(folder, sequences):
    """Whether the oracle's tests pass, and what they said."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "planted"
    env = os.environ | {"CARGO_TARGET_DIR": str(target), "SEQUENCES": str(sequences)}
    done = subprocess.run(
        ["cargo", "test", "--locked", "--quiet", "--lib", "every_scripted_run_is_what_the_oracle_says"],
        cwd=folder, env=env, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode and "plays it again" not in said:
        sys.exit(f"the tests did not run:\n{said}")
    return done.returncode == 0, said


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--only", default="", help="only faults that have this in their names")
    words.add_argument("--sequences", type=int, default=200, help="how many sequences each may take")
    words = words.parse_args()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        copy(folder)
        good, said = tests(folder, 20)
        if not good:
            sys.exit(f"without any fault the tests fail:\n{said}")
        for name, (file, old, new) in FAULTS.items():
            if words.only not in name:
                continue
            path = folder / file
            text = path.read_text()
            if text.count(old) != 1:
                sys.exit(f"{name}: its place in {file} is there {text.count(old)} times")
            path.write_text(text.replace(old, new))
            good, said = tests(folder, words.sequences)
            path.write_text(text)
            seed = next((line for line in said.splitlines() if line.startswith("seed ")), "")
            print(f"{'MISSED' if good else 'caught'}  {name}  {seed.split(';')[0]}", flush=True)
            missed += [name] * good
    sys.exit(f"{len(missed)} not caught" if missed else 0)


if __name__ == "__main__":
    main()
