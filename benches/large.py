#!/usr/bin/env python3
"""Measures pipe on workspaces of very many steps: time and peak memory of `check`, `list`, `plan`.

Each shape is made in two sizes, so that what grows faster than the file shows. Medians; the
limits (`--assert`) are for reading: `check` and `list`. `plan` looks at every source too.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent
READING = ("check", "list")
COMMANDS = (*READING, "plan")


def wide(steps):
    """Steps that have nothing to do with each other."""
    yield "targets: { default: [all] }\nsteps:\n"
    for number in range(steps - 1):
        yield (f"  s{number}:\n    sources: [\"src/{number}/*.c\", src/{number}/b.h]\n"
               f"    outputs: [build/{number}.o]\n"
               "    run: cc -c ${{ sources | first }} -o ${{ output }}\n")
    yield f"  all: {{ needs: [{', '.join(f's{number}' for number in range(steps - 1))}] }}\n"


def needs(steps):
    """Steps that need up to three others each."""
    yield "targets: { default: [all] }\nsteps:\n"
    for number in range(steps - 1):
        others = sorted({other for other in (number // 2, number - 1, number - 7) if 0 <= other < number})
        yield (f"  s{number}:\n    needs: [{', '.join(f's{other}' for other in others)}]\n"
               f"    sources: [src/{number}.c]\n    outputs: [build/{number}.o]\n"
               "    run: cc -c ${{ sources }} -o ${{ output }}\n")
    yield f"  all: {{ needs: [s{steps - 2}] }}\n"


def matrix(steps):
    """Ten instances a step, and ten more that each need one of them."""
    yield "targets: { default: [all] }\nsteps:\n"
    axes = "{ os: [a, b], n: [1, 2, 3, 4, 5] }"
    for number in range(steps // 20):
        name = f"{number}-${{{{ matrix.os }}}}-${{{{ matrix.n }}}}"
        yield (f"  c{number}:\n    matrix: {axes}\n    sources: [src/{number}.c]\n"
               f"    outputs: [\"build/{name}.o\"]\n    run: cc -c ${{{{ sources }}}} -o ${{{{ output }}}}\n"
               f"  t{number}:\n    matrix: {axes}\n    needs: [c{number}]\n    sources: []\n"
               f"    outputs: [\"test/{name}\"]\n    run: ./try ${{{{ needs.c{number}.outputs }}}} > ${{{{ output }}}}\n")
    yield f"  all: {{ needs: [{', '.join(f't{number}' for number in range(steps // 20))}] }}\n"


def write(folder, shape, steps):
    """The workspace of this shape: one file, or one for each hundred steps."""
    folder.mkdir(parents=True)
    if shape != "members":
        # A root of its own, wherever it lies.
        (folder / "pipe.yaml").write_text("".join(["workspace: {}\n", *SHAPES[shape](steps)]))
        return
    (folder / "pipe.yaml").write_text("workspace: { members: [\"workers/*\"] }\n")
    for number in range(steps // 100):
        member = folder / f"workers/w{number:05}"
        member.mkdir(parents=True)
        (member / "pipe.yaml").write_text("".join(needs(100)))


SHAPES = {"wide": wide, "needs": needs, "matrix": matrix, "members": None}


def run(command, folder, home):
    """CPU and wall time in ms, peak memory in MiB of one command."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "PIPE_CACHE_DIR": str(home / "store")}
    go, start = os.pipe()
    argv = ["sh", "-c", measure.LAUNCHER, str(home / "log"), *command]
    said = subprocess.run(argv, cwd=folder, env=env, stdin=go, stdout=subprocess.PIPE, check=True)
    os.close(go)
    begin = time.perf_counter()
    os.close(start)
    _, status, usage = os.wait4(int(said.stdout), 0)
    wall = time.perf_counter() - begin
    if code := os.waitstatus_to_exitcode(status):
        text = (home / "log").read_text(errors="replace")[-2000:]
        raise measure.Failure(f"{' '.join(command)} ended with {code}:\n{text}")
    return {
        "cpu_ms": round(1000 * (usage.ru_utime + usage.ru_stime), 1),
        "wall_ms": round(1000 * wall, 1),
        "peak_mib": round(usage.ru_maxrss / 1024, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipe", type=Path, default=HERE.parent / "target/release/pipe")
    parser.add_argument("--steps", type=int, default=100_000, help="the larger size (default 100000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--assert", dest="limit", metavar="SECONDS,MIB",
                        help="exit 1 when a median of reading is over; CPU counts")
    parser.add_argument("--save", metavar="NAME", help="write benches/results/NAME.json")
    args = parser.parse_args()
    measure.ctypes.CDLL(None).prctl(measure.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    work = HERE / ".work" / f"large-{os.getpid()}"
    (work / "home").mkdir(parents=True)
    rows = []
    try:
        for shape in args.shapes.split(","):
            for steps in (args.steps // 10, args.steps):
                folder = work / f"{shape}-{steps}"
                write(folder, shape, steps)
                for command in COMMANDS:
                    argv = [str(args.pipe.resolve()), command]
                    samples = [run(argv, folder, work / "home") for _ in range(args.rounds)]
                    row = {"shape": shape, "steps": steps, "command": command}
                    row |= {key: statistics.median(each[key] for each in samples) for key in samples[0]}
                    rows.append(row)
                    print(f"{shape:<8}{steps:>8}  {command:<6}{row['cpu_ms']:>10.1f} ms CPU"
                          f"{row['wall_ms']:>10.1f} ms{row['peak_mib']:>8.1f} MiB", flush=True)
                shutil.rmtree(folder)
    except measure.Failure as failure:
        sys.exit(f"error: {failure}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if args.save:
        measure.save(args.save, measure.machine(), {"rounds": args.rounds, "summary": rows})
    if args.limit:
        seconds, mib = (float(part) for part in re.fullmatch(r"([\d.]+),([\d.]+)", args.limit).groups())
        reading = [row for row in rows if row["command"] in READING]
        over = [row for row in reading if row["cpu_ms"] > 1000 * seconds or row["peak_mib"] > mib]
        if over:
            sys.exit("\n".join(f"missed: {row}" for row in over))


if __name__ == "__main__":
    main()
