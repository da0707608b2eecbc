#!/usr/bin/env python3
"""Measures what the store costs: restoring outputs beside `cp -a`, storing beside `--no-cache`, and
memory with very many sources. Medians; CPU (user + system) is the figure to believe.
"""

import argparse
import os
import shutil
import statistics
import sys
from pathlib import Path

import generate
import large
import measure

HERE = Path(__file__).resolve().parent
# What `--assert` holds the program to.
MOST_FOR_STORING = 1.05
MOST_MIB = 300
SOURCES = 100_000


def restoring(pipe, work, count, rounds):
    """`count` small outputs of one step, gone from the disk and wanted back."""
    tree, attic, copied = work / f"restore-{count}", work / "attic", work / "copied"
    tree.mkdir()
    (tree / "pipe.yaml").write_text(
        "workspace: {}\nsteps:\n  many:\n    sources: []\n    outputs: [out/]\n    run: |\n"
        f"      mkdir -p out; i=0\n      while [ $i -lt {count} ]; do echo line $i > out/$i.txt; i=$((i+1)); done\n")
    command = [pipe, "run", "many"]
    large.run(command, tree, work / "home")
    samples = []
    for _ in range(rounds):
        # Moved, not deleted: see measure.Tool.forget.
        attic.mkdir(exist_ok=True)
        old = attic / str(len(list(attic.iterdir())))
        (tree / "out").rename(old)
        restored = large.run(command, tree, work / "home")
        if len(list((tree / "out").iterdir())) != count:
            raise measure.Failure(f"not all of {count} outputs came back")
        copy = large.run(["cp", "-a", str(old), str(copied)], tree, work / "home")
        copied.rename(attic / str(len(list(attic.iterdir()))))
        samples.append((restored, copy))
    yield {"figure": f"restore {count}", "beside": "cp -a", **ratio(samples)}


def storing(pipe, work, steps, rounds):
    """A full build of cheap steps with the store, and without it."""
    for name in ("with", "without"):
        (work / name / "home").mkdir(parents=True)
    tools = [measure.Tool("pipe", pipe, work / name, steps) for name in ("with", "without")]
    tools[1].command.append("--no-cache")
    samples = []
    for number in range(rounds + 1):
        for tool in tools:
            tool.forget()
        turn = [tool.run() for tool in (tools if number % 2 else tools[::-1])]
        samples.append(turn if number % 2 else turn[::-1])
    # The first round warms the caches, and is not counted.
    yield {"figure": f"store {steps}", "beside": "--no-cache", **ratio(samples[1:])}


def ratio(samples):
    """Medians of both, and the median of the ratios of the same turn."""
    def median(get):
        return round(statistics.median(get(*sample) for sample in samples), 3)

    row = {key: median(lambda ours, _, key=key: ours[key]) for key in samples[0][0]}
    return row | {
        "peer_cpu_ms": median(lambda _, peer: peer["cpu_ms"]),
        "cpu_ratio": median(lambda ours, peer: ours["cpu_ms"] / peer["cpu_ms"]),
    }


def memory(pipe, work, _, rounds):
    """One step with very many sources: built, and found up to date."""
    tree = work / "sources"
    for folder in range(SOURCES // 100):
        (tree / f"src/{folder}").mkdir(parents=True)
        for number in range(100):
            (tree / f"src/{folder}/{number}.txt").write_text(f"{folder} {number}\n")
    (tree / "pipe.yaml").write_text(
        "workspace: {}\nsteps:\n  all: { sources: [\"src/**\"], outputs: [out], run: \"echo done > out\" }\n")
    built = large.run([pipe, "run", "all"], tree, work / "home")
    yield {"figure": f"first run, {SOURCES} sources", **built}
    again = [large.run([pipe, "run", "all"], tree, work / "home") for _ in range(rounds)]
    medians = {key: statistics.median(each[key] for each in again) for key in built}
    yield {"figure": f"no-op, {SOURCES} sources", **medians}


def missed(row):
    """Whether a row is over what is wanted."""
    over = row["figure"].startswith("store") and row["cpu_ratio"] > MOST_FOR_STORING
    return over or row["figure"].endswith("sources") and row["peak_mib"] > MOST_MIB


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipe", type=Path, default=HERE.parent / "target/release/pipe")
    parser.add_argument("--steps", type=int, default=10_000, help="of the full build (default 10000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--assert", action="store_true", dest="holds", help="exit 1 when a limit is missed")
    parser.add_argument("--save", metavar="NAME", help="write benches/results/NAME.json")
    args = parser.parse_args()
    measure.ctypes.CDLL(None).prctl(measure.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pipe, work, rows = str(args.pipe.resolve()), HERE / ".work" / f"store-{os.getpid()}", []
    (work / "home").mkdir(parents=True)
    try:
        parts = ((restoring, 100), (restoring, 10_000), (storing, args.steps), (memory, SOURCES))
        for part, size in parts:
            for row in part(pipe, work, size, args.rounds):
                rows.append(row)
                beside = f"  {row['cpu_ratio']:.2f} times {row['beside']}" if "beside" in row else ""
                print(f"{row['figure']:<26}{row['cpu_ms']:>10.1f} ms CPU{row['wall_ms']:>10.1f} ms"
                      f"{row['peak_mib']:>8.1f} MiB{beside}", flush=True)
    except measure.Failure as failure:
        sys.exit(f"error: {failure}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if args.save:
        measure.save(args.save, measure.machine(), {"rounds": args.rounds, "summary": rows})
    if args.holds and (over := [row for row in rows if missed(row)]):
        sys.exit("\n".join(f"missed: {row}" for row in over))


if __name__ == "__main__":
    main()
