#!/usr/bin/env python3
"""Plays the main job of README.md in a copy of examples/workers, and compares.

The README holds a transcript between two markers. This script runs its commands for real, masks
durations, digests and sizes, and fails where the README shows something else; `--update` writes
what it saw. Lines of one command may come in any order: steps run in parallel.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- transcript: begin -->", "<!-- transcript: end -->"

def masked(line):
    """A line without what differs from run to run."""
    line = re.sub(r"\b(\d+h \d+m|\d+m \d+s|\d+\.\d+s|\d+s)\b", "[time]", line)
    line = re.sub(r"\b[0-9a-f]{12,64}\b", "[digest]", line)
    line = re.sub(r"BuildID\[sha1\]=\S+?,", "BuildID[..],", line)
    return line.rstrip()


class Play:
    """A copy of the workspace, and the commands run in it so far."""

    def __init__(self, pipe, folder):
        self.pipe, self.folder, self.blocks = pipe, folder, []
        self.env = dict(os.environ, PIPE_CACHE_DIR=str(folder.parent / "cache"), NO_COLOR="1", COLUMNS="100")

    def run(self, shown):
        """Runs a shell command with `pipe` on the path, and keeps what it says."""
        env = dict(self.env, PATH=f"{self.pipe.parent}:{self.env['PATH']}")
        done = subprocess.run(["sh", "-c", shown], cwd=self.folder, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        print(f"$ {shown}\n{done.stdout}", flush=True)
        if done.returncode != 0:
            sys.exit(f"`{shown}` ended with {done.returncode}")
        lines = [masked(line) for line in done.stdout.splitlines() if line.strip()]
        self.blocks.append((shown, lines))
        return lines


def summary(lines):
    return lines[-1] if lines else ""


def play(pipe, folder):
    """The story: build, nothing to do, one edit, the edit taken back, a look at the binaries."""
    job = Play(pipe, folder)
    job.run("pipe run prod --output none")
    second = job.run("pipe run prod")
    job.run("sed -i 's/say nothing/say little/' libs/search/text.go")
    job.run("pipe run prod --output none")
    job.run("sed -i 's/say little/say nothing/' libs/search/text.go")
    reverted = job.run("pipe run prod")
    job.run("file -b workers/api/bin/api-* | cut -d, -f1-2")
    for lines, what in [(second, "the second run"), (reverted, "the run after the edit was taken back")]:
        if "executed" in summary(lines):
            sys.exit(f"{what} executed something")
    return job.blocks


def drawn(blocks):
    """The transcript as it stands in the README."""
    out = ["```console"]
    for command, lines in blocks:
        out += [f"$ {command}", *lines]
    return "\n".join([*out, "```"])


def parsed(text):
    """Command and sorted lines of each block of a drawn transcript."""
    blocks = []
    for line in text.strip().splitlines()[1:-1]:
        if line.startswith("$ "):
            blocks.append((line, []))
        elif blocks:
            blocks[-1][1].append(line)
    return [(command, sorted(lines)) for command, lines in blocks]


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--pipe", type=Path, required=True)
    args.add_argument("--update", action="store_true")
    args = args.parse_args()
    text = README.read_text()
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp) / "workers"
        ignored = shutil.ignore_patterns(".pipe", ".tools", "node_modules", ".venv", "dist", "bin", "__pycache__")
        shutil.copytree(ROOT / "examples/workers", folder, ignore=ignored, symlinks=True)
        now = drawn(play(args.pipe.resolve(), folder))
    if args.update:
        README.write_text(f"{before}{BEGIN}\n{now}\n{END}{after}")
    elif parsed(now) != parsed(shown):
        print(f"README.md shows\n{shown}\nbut it is\n{now}", file=sys.stderr)
        sys.exit("README.md is out of date: .ci/transcript.py --update writes it anew")


if __name__ == "__main__":
    main()
