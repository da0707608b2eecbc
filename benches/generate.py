#!/usr/bin/env python3
"""Writes a synthetic workspace: the same work for pipe, GNU make or ninja.

W workers of nine steps each (seven compiles of three small sources, link, package)
and one step over all packages: N = 9 W + 1. Every command is a `cat`, so what is
measured is the tool. Paths below DIR and all bytes are the same for every tool.
"""

import argparse
import hashlib
from pathlib import Path

UNITS = range(7)
PARTS = ("a", "b", "c")
TOOLS = ("pipe", "make", "ninja")
BUNDLE = "dist/bundle"
# One argument for each package would pass the kernel's limit at 100 000 steps:
# the shell's glob keeps the command short in every tool.
BUNDLE_COMMAND = "cat workers/*/dist/package >"


def workers(steps):
    """Names of the workers of a workspace of about `steps` steps."""
    count = max(1, (steps - 1) // 9)
    width = max(4, len(str(count - 1)))
    return [f"w{index:0{width}}" for index in range(count)]


def source(worker, unit, part):
    return f"workers/{worker}/src/{unit}/{part}.txt"


def content(path, edition=0):
    """About 250 bytes that no other source and no other edition has."""
    digest = hashlib.sha256(f"{path} {edition}".encode()).hexdigest()
    return f"{path} {edition}\n" + f"{digest}\n" * 3


def nodes(worker):
    """(outputs, inputs) of the nine steps of one worker, in the order of the build."""
    folder = f"workers/{worker}"
    objects = [f"{folder}/build/{unit}.o" for unit in UNITS]
    for unit, made in zip(UNITS, objects):
        yield made, [source(worker, unit, part) for part in PARTS]
    yield f"{folder}/build/linked", objects
    yield f"{folder}/dist/package", [f"{folder}/build/linked"]


def outputs(steps):
    """Every file that a build makes."""
    made = [made for worker in workers(steps) for made, _ in nodes(worker)]
    return [*made, BUNDLE]


def worker_pipeline():
    lines = ["steps:"]
    for unit in UNITS:
        lines += [
            f"  compile{unit}:",
            f"    sources: [src/{unit}/*.txt]",
            f"    outputs: [build/{unit}.o]",
            "    run: cat ${{ sources }} > ${{ output }}",
        ]
    needs = [f"compile{unit}" for unit in UNITS]
    objects = " ".join(f"${{{{ needs.{name}.outputs }}}}" for name in needs)
    lines += [
        "  link:",
        f"    needs: [{', '.join(needs)}]",
        "    sources: []",
        "    outputs: [build/linked]",
        f"    run: cat {objects} > ${{{{ output }}}}",
        "  package:",
        "    needs: [link]",
        "    sources: []",
        "    outputs: [dist/package]",
        "    run: cat ${{ needs.link.outputs }} > ${{ output }}",
    ]
    return "\n".join(lines) + "\n"


def root_pipeline(names):
    lines = [
        "name: bench",
        "workspace:",
        "  members: [workers/*]",
        "targets:",
        "  all: [bundle]",
        "steps:",
        "  bundle:",
        "    needs:",
        *(f"      - {name}:package" for name in names),
        "    sources: []",
        f"    outputs: [{BUNDLE}]",
        f"    run: {BUNDLE_COMMAND} ${{{{ output }}}}",
    ]
    return "\n".join(lines) + "\n"


def write_pipe(root, names):
    (root / "pipe.yaml").write_text(root_pipeline(names))
    pipeline = worker_pipeline()
    for name in names:
        (root / "workers" / name / "pipe.yaml").write_text(pipeline)


def write_make(root, names):
    lines = [".SUFFIXES:", ".PHONY: all", f"all: {BUNDLE}", "Makefile: ;"]
    for name in names:
        for made, inputs in nodes(name):
            lines += [f"{made}: {' '.join(inputs)}", "\tcat $^ > $@"]
    packages = " ".join(f"workers/{name}/dist/package" for name in names)
    lines += [f"{BUNDLE}: {packages}", f"\t{BUNDLE_COMMAND} $@"]
    (root / "Makefile").write_text("\n".join(lines) + "\n")


def write_ninja(root, names):
    lines = [
        "rule concat",
        "  command = cat $in > $out",
        "rule bundle",
        f"  command = {BUNDLE_COMMAND} $out",
    ]
    for name in names:
        for made, inputs in nodes(name):
            lines.append(f"build {made}: concat {' '.join(inputs)}")
    packages = " ".join(f"workers/{name}/dist/package" for name in names)
    lines += [f"build {BUNDLE}: bundle {packages}", f"build all: phony {BUNDLE}", "default all"]
    (root / "build.ninja").write_text("\n".join(lines) + "\n")


def generate(root, steps, tool):
    """Writes sources, folders of outputs and the tool's own files below `root`."""
    root = Path(root)
    names = workers(steps)
    for name in names:
        folder = root / "workers" / name
        # Folders of outputs exist from the start: make does not create them.
        for output in ("build", "dist"):
            (folder / output).mkdir(parents=True, exist_ok=True)
        for unit in UNITS:
            (folder / "src" / str(unit)).mkdir(parents=True, exist_ok=True)
            for part in PARTS:
                path = source(name, unit, part)
                (root / path).write_text(content(path))
    (root / BUNDLE).parent.mkdir(exist_ok=True)
    {"pipe": write_pipe, "make": write_make, "ninja": write_ninja}[tool](root, names)
    return 9 * len(names) + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="about so many (default 1000)")
    parser.add_argument("--tool", choices=TOOLS, required=True)
    parser.add_argument("dir", metavar="DIR", type=Path, help="a new or empty folder")
    args = parser.parse_args()
    if args.dir.exists() and any(args.dir.iterdir()):
        parser.error(f"{args.dir} is not empty")
    print(f"{generate(args.dir, args.steps, args.tool)} steps")


if __name__ == "__main__":
    main()
