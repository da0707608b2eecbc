#!/usr/bin/env python3
"""Measures pipe beside GNU make and ninja on the workspaces of generate.py.

The tools run in turn inside each round, so that a ratio compares runs of the same
moment. CPU (user + system of the whole process tree) is the figure to believe: wall
time on a shared machine is not. Linux only.
"""

import argparse
import contextlib
import ctypes
import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import generate

HERE = Path(__file__).resolve().parent
NINJA = "1.13.2"
JOBS = "-j2"
BASE = "ninja"
# Runs of each tool in one round: the short ones need more of them.
SCENARIOS = {"full": 1, "noop": 5, "change": 3, "touch": 3}
# Prints the number of a process that turns into the tool at the end of its standard input.
LAUNCHER = 'exec 3<&0; (read go <&3; exec 3<&-; exec "$@") >"$0" 2>&1 & echo $!'
PR_SET_CHILD_SUBREAPER = 36


class Failure(Exception):
    """Makes the figures worthless."""


def find_ninja():
    """The PATH's ninja if it is a native program, else the pinned one from PyPI."""
    found = shutil.which("ninja")
    if found and Path(found).read_bytes()[:4] == b"\x7fELF":
        return found
    target = HERE / ".tools" / f"ninja-{NINJA}"
    program = target / "bin" / "ninja"
    if not program.exists():
        pip = f"-m pip install -q --root-user-action=ignore --disable-pip-version-check ninja=={NINJA}"
        subprocess.run([sys.executable, *pip.split(), "--target", str(target)], check=True)
    return str(program)


class Tool:
    """One tool in a tree of its own."""

    def __init__(self, name, program, work, steps):
        self.name, self.program = name, program
        self.tree, self.store = work / name, work / f"{name}.store"
        self.log = work / f"{name}.log"
        self.nodes = generate.generate(self.tree, steps, name)
        self.made = [self.tree / path for path in generate.outputs(steps)]
        self.command = {
            "pipe": [program, "-C", str(self.tree), "run", "all", JOBS],
            "make": [program, "-rR", "-C", str(self.tree), JOBS, "all"],
            "ninja": [program, "-C", str(self.tree), JOBS, "all"],
        }[name]
        self.last = None, None  # what `built` said after the run before
        # A fixed environment: nothing of the caller's steers any of the tools.
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(work / "home"),
            "LC_ALL": "C.UTF-8",
            "PIPE_CACHE_DIR": str(self.store),
        }

    def version(self):
        text = subprocess.run([self.program, "--version"], stdout=subprocess.PIPE, text=True, check=True)
        return text.stdout.splitlines()[0]

    def forget(self):
        """Back to a fresh checkout; folders of outputs stay, make does not create them.

        What was built is moved away, not deleted: ext4 steps over each recently deleted inode
        whenever it makes a new one, which no fresh checkout would meet.
        """
        attic = self.tree.parent / f"attic-{self.name}-{time.monotonic_ns()}"
        attic.mkdir()
        old = [*self.made, *(self.tree / name for name in (".ninja_log", ".ninja_deps", ".pipe")), self.store]
        for number, path in enumerate(old):
            if path.exists():
                path.rename(attic / str(number))

    def built(self):
        """Digest of the bytes of everything that was built, and when each was written."""
        total = hashlib.sha256()
        for path in self.made:
            if not path.is_file():
                raise Failure(f"{self.name} did not make {path.relative_to(self.tree)}")
            data = path.read_bytes()
            total.update(len(data).to_bytes(8, "big") + data)
        return total.hexdigest(), [path.stat().st_mtime_ns for path in self.made]

    def run(self):
        """Runs the tool once: CPU and wall in ms, peak memory of one process in MiB."""
        time.sleep(0.02)
        # A small shell forks the tool, since a child of Python would begin with Python's
        # own peak memory; what loses its parent comes to us, so nothing goes uncounted.
        go, start = os.pipe()
        argv = ["sh", "-c", LAUNCHER, str(self.log), *self.command]
        said = subprocess.run(argv, env=self.env, stdin=go, stdout=subprocess.PIPE, check=True)
        os.close(go)
        tool = int(said.stdout)
        begin = time.perf_counter()
        os.close(start)
        _, status, usage = os.wait4(tool, 0)
        wall = time.perf_counter() - begin
        usages = [usage, *self.leftovers()]
        if code := os.waitstatus_to_exitcode(status):
            said = self.log.read_text(errors="replace")[-2000:]
            raise Failure(f"{self.name} ended with {code}:\n{said}")
        return {
            "cpu_ms": round(1000 * sum(each.ru_utime + each.ru_stime for each in usages), 3),
            "wall_ms": round(1000 * wall, 3),
            "peak_mib": round(max(each.ru_maxrss for each in usages) / 1024, 2),
        }

    def leftovers(self):
        """Use of processes that outlived the tool: they belong to its price."""
        usages, deadline = [], time.monotonic() + 5
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                pid, _, usage = os.wait4(-1, os.WNOHANG)
                if pid:
                    usages.append(usage)
                else:
                    time.sleep(0.001)
            raise Failure(f"{self.name} left processes behind")
        return usages


def edit(tools, steps, edition, touch):
    """Changes one source, or only its mtime, in the tree of every tool."""
    names = generate.workers(steps)
    path = generate.source(names[37 * edition % len(names)], 3, "b")
    for tool in tools:
        if touch:
            os.utime(tool.tree / path)
        else:
            (tool.tree / path).write_text(generate.content(path, edition))


def play(scenario, tools, steps, edition):
    """One run of each tool, in the given order; checks what they built."""
    if scenario == "full":
        for tool in tools:
            tool.forget()
    elif scenario != "noop":
        edit(tools, steps, edition, touch=scenario == "touch")
    samples = {tool.name: tool.run() for tool in tools}
    built = {tool.name: tool.built() for tool in tools}
    if len({digest for digest, _ in built.values()}) > 1:
        raise Failure(f"{scenario}: the built trees differ")
    for tool in tools:
        (old, old_stamps), (new, stamps) = tool.last, built[tool.name]
        if scenario != "full" and (new != old) != (scenario == "change"):
            raise Failure(f"{scenario}: {tool.name} built the wrong content")
        if scenario == "noop" and stamps != old_stamps:
            raise Failure(f"noop: {tool.name} built something")
        tool.last = new, stamps
    return samples


def measure(tools, steps, rounds, scenarios):
    """All samples: a list of {tool: sample} for each scenario."""
    edition = 0
    play("full", tools, steps, edition)  # warms the caches, and is not counted
    results = {scenario: [] for scenario in scenarios}
    for number in range(rounds):
        for scenario in scenarios:
            for turn in range(SCENARIOS[scenario]):
                shift = (number + turn) % len(tools)
                order = tools[shift:] + tools[:shift]
                edition += 1
                results[scenario].append(play(scenario, order, steps, edition))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return results


def median(samples, key):
    return round(statistics.median(sample[key] for sample in samples), 3)


def summarize(results):
    """Medians; a ratio is the median of the ratios to ninja of the same turn."""
    rows = []
    for scenario, turns in results.items():
        for tool in sorted(turns[0], key=generate.TOOLS.index):
            samples = [turn[tool] for turn in turns]
            ratios = [{key: turn[tool][key] / turn[BASE][key] for key in turn[tool]} for turn in turns]
            rows.append({
                "scenario": scenario, "tool": tool,
                "cpu_ms": median(samples, "cpu_ms"), "cpu_min_ms": min(each["cpu_ms"] for each in samples),
                "wall_ms": median(samples, "wall_ms"), "peak_mib": median(samples, "peak_mib"),
                "cpu_ratio": median(ratios, "cpu_ms"), "wall_ratio": median(ratios, "wall_ms"),
            })
    return rows


def table(rows):
    print("scenario tool      CPU ms       min   wall ms  peak MiB   x CPU  x wall")
    for row in rows:
        scenario, tool, *times, cpu_ratio, wall_ratio = row.values()
        print(f"{scenario:<9}{tool:<6}", *(f"{value:>10.1f}" for value in times),
              f"{cpu_ratio:>8.2f}{wall_ratio:>8.2f}", sep="")


def machine():
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def commit():
    """The commit of the checkout that the script is in, `-dirty` with changes."""
    command = "git --no-optional-locks describe --always --dirty --exclude=* --abbrev=12 || echo unknown"
    found = subprocess.run(command, shell=True, cwd=HERE, capture_output=True, text=True)
    return found.stdout.strip()


def save(name, about, report):
    """Writes `report` as benches/results/NAME.json, with the commit, the date and the machine."""
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    report = {"commit": commit(), "date": stamp, "machine": about, **report}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")


def missed(limits, rows):
    """Lines for the limits that pipe does not hold."""
    ratios = {row["scenario"]: row["cpu_ratio"] for row in rows if row["tool"] == "pipe"}
    return [f"missed: {scenario} takes {ratios[scenario]:.2f} times ninja's CPU, allowed: {limit:.2f}"
            for scenario, limit in limits.items() if ratios[scenario] > limit]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pipe = HERE.parent / "target/release/pipe"
    parser.add_argument("--steps", type=int, default=1000, help="size of the workspace (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--pipe", type=Path, default=pipe, help="default target/release/pipe")
    parser.add_argument("--tools", default="pipe,make,ninja", help="default pipe,make,ninja")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help=f"of {','.join(SCENARIOS)}")
    parser.add_argument("--assert", dest="limits", metavar="LIMITS",
                        help='pipe to ninja in CPU, as "noop<=3.0,full<=1.5"; exit 1 when missed')
    parser.add_argument("--save", metavar="NAME", help="write benches/results/NAME.json")
    args = parser.parse_args()
    args.tools, args.scenarios = args.tools.split(","), args.scenarios.split(",")
    if not set(args.scenarios) <= set(SCENARIOS):
        parser.error(f"--scenarios are some of {', '.join(SCENARIOS)}")
    if not {BASE} <= set(args.tools) <= set(generate.TOOLS):
        parser.error(f"--tools are some of {', '.join(generate.TOOLS)}, and {BASE} always")
    if args.rounds < 1 or args.steps < 10:
        parser.error("--rounds is at least 1, --steps at least 10")
    if "pipe" in args.tools and not args.pipe.is_file():
        parser.error("no pipe to measure: cargo build --release, or --tools make,ninja")
    if args.save and not re.fullmatch(r"\w[\w.-]*", args.save):
        parser.error("--save takes a plain name")
    limits = args.limits.split(",") if args.limits else []
    limits = [re.fullmatch(r"\s*(\w+)\s*<=\s*(\d+(?:\.\d+)?)\s*", text) for text in limits]
    if not all(limit and limit[1] in args.scenarios and "pipe" in args.tools for limit in limits):
        parser.error("--assert takes SCENARIO<=RATIO,... of scenarios that are measured for pipe")
    args.limits = {limit[1]: float(limit[2]) for limit in limits}
    return args


def main():
    args = arguments()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    programs = {"pipe": str(args.pipe.resolve()), "make": "make", "ninja": find_ninja()}
    work = HERE / ".work" / str(os.getpid())
    (work / "home").mkdir(parents=True)
    try:
        tools = [Tool(name, programs[name], work, args.steps) for name in args.tools]
        results = measure(tools, args.steps, args.rounds, args.scenarios)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rows, about = summarize(results), machine()
    print(f"{tools[0].nodes} steps, {JOBS}, {args.rounds} rounds, load {about['load'][0]}; x: ratio to {BASE}")
    table(rows)
    if args.save:
        save(args.save, about, {
            "tools": {tool.name: tool.version() for tool in tools},
            "steps": tools[0].nodes, "rounds": args.rounds, "jobs": JOBS,
            "summary": rows, "samples": results,
        })
    if failures := missed(args.limits, rows):
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
