#!/usr/bin/env python3
"""Kills pipe, and fails its system calls, at every point; what comes after must be as if nothing had happened.

After each fault a plain `pipe run` must end well without a word of complaint, with what a clean build
makes; the next one must find all up to date; an edit must run just the right steps; and a fresh
checkout on the same store must come out right. Linux on x86_64, Python 3.9.
"""

import argparse
import concurrent.futures
import ctypes
import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scenes
import tracer
from scenes import EDITS, SCENES, STEPS, Place, Wrong, executed, tree

HERE = Path(__file__).resolve().parent
PR_SET_CHILD_SUBREAPER = 36

# Which calls can end with which error.
FULL = {"write", "pwrite", "writev", "openat", "open", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat",
        "symlink", "symlinkat", "copy_file_range", "sendfile", "ioctl", "ftruncate", "fallocate"}
ERRORS = {
    "ENOSPC": (errno.ENOSPC, lambda call: call.writes and call.name in FULL),
    "EIO": (errno.EIO, lambda call: call.name not in tracer.LOOKING),
    "EIO in a look": (errno.EIO, lambda call: call.name in tracer.LOOKING),
    "EMFILE": (errno.EMFILE, lambda call: call.name in tracer.OPENING),
    "EROFS": (errno.EROFS, lambda call: call.writes and call.name not in ("write", "pwrite", "writev")),
}
# What may not be in the words of a run that has nothing to complain of.
COMPLAINTS = re.compile(r"note:|warning|error|cannot|damage|quarantine|kept|✗|panicked")

# Pipe's own files: where they are used, and where they are.
OWN = {
    "state": ("built", "ws/.pipe/state"),
    "stat cache": ("built", "ws/.pipe/stat"),
    "kept plan": ("built", "ws/.pipe/plans/*"),
    "field lists": ("built", "ws/.pipe/fields/*"),
    "journal": ("killed", "ws/.pipe/aside/*/journal"),
    "record": ("stored", "store/v1/rec/*/*"),
    "blob": ("stored", "store/v1/cas/*/*"),
    "path set": ("stored", "store/v1/set/*/*"),
}

# Seconds after which a run is taken for one that never ends; the longest takes two.
ENDLESS = 120

PLACE = None


def begin(folder, pipe):
    """A worker's own place."""
    global PLACE
    # What a killed run leaves running becomes this process's, which waits for its end.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    PLACE = Place(Path(folder) / f"place-{os.getpid()}", Path(pipe))
    signal.signal(signal.SIGALRM, give_up)


def give_up(*_):
    raise Wrong(f"has not ended after {ENDLESS} s")


def kill_all():
    """Ends whatever this worker's last attempt has left running."""
    while children := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        os.waitpid(-1, tracer.WALL)


def await_orphans():
    """Waits for the commands that were running when their pipe was killed."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def points(scene, jobs):
    """The calls of one run."""
    PLACE.build(scene)
    calls = []
    PLACE.trace(calls.append, f"-j{jobs}")
    return calls


class At:
    """Does something at the call with a number, counted over the calls that `counts` says."""

    def __init__(self, number, answer, counts, on=False):
        self.left, self.answer, self.counts, self.on, self.hit = number, answer, counts, on, None

    def __call__(self, call):
        if not self.counts(call):
            return None
        self.left -= 1
        if self.left == 0 or self.on and self.left < 0:
            self.hit = self.hit or str(call).replace(str(PLACE.now), "")
            return self.answer
        return None


def writes(call):
    return call.writes


def kill(scene, jobs, number, how):
    """Kills one run at a call; where that was."""
    PLACE.build(scene)
    at = At(number, how, writes)
    status = PLACE.trace(at, f"-j{jobs}")
    await_orphans()
    if at.hit and status != -signal.SIGKILL:
        raise Wrong(f"killed at {at.hit}, and it ended with {status}")
    settle(scene, number)
    return at.hit


def kill_later(scene, jobs, seconds, number):
    """Kills one run after some time; whether it was still running."""
    PLACE.build(scene)
    running = PLACE.start(PLACE.argv(f"-j{jobs}"))
    try:
        running.wait(timeout=seconds)
        hit = None
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        hit = "some time"
    await_orphans()
    settle(scene, number)
    return hit


def fault(scene, jobs, number, name, on):
    """Lets one call fail, or all of them from there on; where that was."""
    PLACE.build(scene)
    code, can = ERRORS[name]
    at = At(number, code, can, on)
    status = PLACE.trace(at, f"-j{jobs}")
    await_orphans()
    said = PLACE.text()
    where = f"{name} at {at.hit}"
    if "panicked" in said or status < 0 or status == 101:
        raise Wrong(f"{where}: ended with {status}:\n{said}")
    if status == 0:
        differs(where, said)
    elif at.hit and scene != "failing" and name != "EIO in a look" and not is_explained(said, code):
        raise Wrong(f"{where}: ended with {status} without a path or the cause:\n{said}")
    settle(scene, number)
    return at.hit


def is_explained(said, code):
    """Whether a path is named, and what the system said of it; reports break their lines."""
    text = re.sub(r"[\s│]+", " ", said)
    return os.strerror(code) in text and re.search(r"`[^`]*[./][^`]*`", text)


def damage(kind, number, how):
    """Cuts a file of pipe's own, or flips one of its bytes, and then edits a source; the file."""
    scene, pattern = OWN[kind]
    PLACE.build(scene)
    if scene == "built":
        # The copy is made of other files: now they are known, and the plan is kept.
        PLACE.good("-j1")
        PLACE.good("-j1")
    files = sorted(path for path in PLACE.now.glob(pattern) if path.is_file())
    if not files:
        return None
    file = files[number % len(files)]
    whole = file.read_bytes()
    at = number * 7919 % max(len(whole), 1)
    damaged = whole[:at] if how == "cut" else whole[:at] + bytes([whole[at] ^ (1 << number % 8)]) + whole[at + 1 :]
    file.unlink()
    file.write_bytes(damaged)
    if scene == "built":
        PLACE.write(list(EDITS)[number % len(EDITS)], "after the damage\n")
    code, said = PLACE.run("-j1")
    where = f"{file.relative_to(PLACE.now)} {how} at {at} of {len(whole)}"
    if code != 0:
        raise Wrong(f"{where}: ended with {code}:\n{said}")
    differs(where, said)
    ran, rest = executed(PLACE.good("-j1", "--json"))
    if ran or rest != STEPS:
        raise Wrong(f"{where}: without a change ran {sorted(ran)}, {rest} were up to date")
    return where


def full(place, scene, room):
    """Runs with a disk of its own for a part, on which there is so much room; whether it ran out of it."""
    PLACE.build(scene)
    folder = {"store": PLACE.store, "state": PLACE.ws / ".pipe", "workspace": PLACE.ws}[place]
    folder.mkdir(mode=0o700, exist_ok=True)
    before = PLACE.folder / "before"
    folder.rename(before)
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "none", str(folder)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{before}/.", str(folder)], check=True)
        filler = folder / ".pipe/filler" if place == "workspace" else folder / "filler"
        filler.parent.mkdir(exist_ok=True)
        facts = os.statvfs(folder)
        filler.write_bytes(bytes(max(facts.f_bavail * facts.f_frsize - room * 1024, 0)))
        code, said = PLACE.run("-j1")
        is_told = "No space left" in said
        filler.unlink()
        if "panicked" in said or code not in (0, 1, 2) or code and not is_told and scene != "failing":
            raise Wrong(f"{room} KiB for the {place}: ended with {code}:\n{said}")
        if code == 0:
            differs(f"{room} KiB for the {place}", said)
        if code and place == "store" and scene != "failing":
            raise Wrong(f"a full disk with the store on it fails a build:\n{said}")
        settle(scene, 1)
        return room if is_told else None
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(before)


def settle(scene, number):
    """What must hold after a fault."""
    if scene == "failing":
        PLACE.write("src/switch", "ok again\n")
    code, said = PLACE.run("-j1")
    if code != 0 or COMPLAINTS.search(said):
        raise Wrong(f"the next run ended with {code}:\n{said}")
    differs("the next run", said)
    left = [path for path in (PLACE.ws / ".pipe/aside").glob("*")] + list((PLACE.ws / ".pipe").glob("**/.pipe-tmp-*"))
    if left or (PLACE.ws / ".pipe/kept").exists():
        raise Wrong(f"the next run left {left or '.pipe/kept'}")
    if damaged := PLACE.verify():
        raise Wrong(f"the store is damaged:\n{damaged}")
    ran, rest = executed(PLACE.good("-j1", "--json"))
    if ran or rest != STEPS:
        raise Wrong(f"without a change ran {sorted(ran)}, {rest} were up to date")
    source = list(EDITS)[number % len(EDITS)]
    PLACE.write(source, f"edited {number}\n")
    ran, _ = executed(PLACE.good("-j1", "--json"))
    if ran != EDITS[source]:
        raise Wrong(f"after an edit of {source} ran {sorted(ran)}, not {sorted(EDITS[source])}")
    differs(f"an edit of {source}", "")
    if number % 3 == 0:
        shutil.rmtree(PLACE.ws / ".pipe")
        for name in set(os.listdir(PLACE.ws)) - {"src", "pipe.yaml"}:
            path = PLACE.ws / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        said = PLACE.good("-j1")
        if COMPLAINTS.search(said):
            raise Wrong(f"a fresh checkout on the same store:\n{said}")
        differs("a fresh checkout on the same store", said)


def differs(when, said):
    """Compares with a clean build."""
    wanted, found = PLACE.expected(), tree(PLACE.ws)
    wrong = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
    if wrong:
        told = "".join(f"\n  {path}: {str(found.get(path))[:80]}, not {str(wanted.get(path))[:80]}" for path in wrong[:5])
        raise Wrong(f"{when}: not what a clean build makes:{told}\n{said}")


def attempt(task):
    """One task; what was hit, and what was wrong."""
    act, *words = task
    signal.alarm(ENDLESS)
    try:
        return task, {"kill": kill, "later": kill_later, "fault": fault, "damage": damage, "full": full}[act](*words), None
    except Wrong as wrong:
        kill_all()
        return task, None, str(wrong)
    finally:
        signal.alarm(0)


def tasks(args, known, seconds):
    """All that is to be done, by row of the table."""
    chance = random.Random(args.seed)

    def some(all_of_them, count):
        all_of_them = list(all_of_them)
        return all_of_them if count is None or count >= len(all_of_them) else chance.sample(all_of_them, count)

    rows = {}
    for scene in SCENES:
        calls = [call for call in known[scene] if call.writes]
        every = [("kill", scene, 1, number, "kill") for number in range(1, len(calls) + 1)]
        half = [("kill", scene, 1, number, "half") for number, call in enumerate(calls, 1) if call.name in tracer.WRITING]
        rows[f"kill -j1 {scene}"] = some(every, args.kills)
        rows[f"half a write, kill -j1 {scene}"] = some(half, args.kills)
    choices = [(scene, number) for scene in SCENES for number in range(1, sum(call.writes for call in known[scene]) + 1)]
    rows["kill -j4"] = [("kill", scene, 4, number, "kill") for scene, number in chance.choices(choices, k=args.wide)]
    rows["kill at a random time"] = [
        ("later", scene, jobs, chance.uniform(0, seconds[scene]), number)
        for number, scene, jobs in ((n, chance.choice(list(SCENES)), chance.choice([1, 4])) for n in range(args.random))
    ]
    for name, (_, can) in ERRORS.items():
        for scene in SCENES:
            count = sum(map(can, known[scene]))
            every = [("fault", scene, 1, number, name, on) for number in range(1, count + 1) for on in (False, True)]
            rows[f"{name} {scene}"] = some(every, args.faults)
    for kind in OWN:
        for how in ("cut", "flip"):
            rows[f"{kind}: {how}"] = [("damage", kind, number, how) for number in chance.sample(range(1 << 20), args.damage)]
    for place in ("store", "state", "workspace") if args.full else ():
        # What was set aside was set aside in one file system.
        for scene in sorted(set(SCENES) - {"killed"}) if place == "state" else SCENES:
            rows[f"full disk, {place} {scene}"] = [("full", place, scene, 4 * step) for step in range(args.full)]
    wanted = re.compile(args.only)
    return {row: todo for row, todo in rows.items() if todo and wanted.search(row)}


def measured(scene):
    """How long a run without faults takes."""
    PLACE.build(scene)
    start = time.monotonic()
    PLACE.run("-j1")
    return time.monotonic() - start


def mounts(args):
    """Goes on where file systems may be mounted and nobody else sees them; without, if there are no rights."""
    for alone in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        tried = subprocess.run([*alone, "mount", "-t", "tmpfs", "none", "/mnt"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if tried.returncode == 0:
            os.environ["FAULTS_MOUNTS"] = "1"
            os.execvp(alone[0], [*alone, sys.executable, *sys.argv])
    print("full disks are left out: file systems cannot be mounted here")
    args.full = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipe", type=Path, default=HERE.parents[1] / "target/release/pipe")
    parser.add_argument("--kills", type=int, help="at most so many calls of each scene (default: every one)")
    parser.add_argument("--wide", type=int, default=200, help="kills at -j4")
    parser.add_argument("--random", type=int, default=1000, help="kills at random times")
    parser.add_argument("--faults", type=int, help="at most so many calls of each scene for each error (default: every one)")
    parser.add_argument("--damage", type=int, default=200, help="damages of each kind of file")
    parser.add_argument("--full", type=int, default=30, help="so many sizes of full disks, 4 KiB apart, where file systems may be mounted")
    parser.add_argument("--sample", action="store_true", help="a few of all but full disks")
    parser.add_argument("--only", default="", metavar="REGEX", help="rows of the table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    if args.sample:
        args.kills, args.wide, args.random, args.faults, args.damage, args.full = 2, 5, 5, 1, 2, 0
    if trouble := tracer.supported():
        # The sample is part of what everybody runs, also where this cannot be tried.
        sys.exit(print(f"not tried: {trouble}") if args.sample else f"error: {trouble}")
    if args.full and not os.environ.get("FAULTS_MOUNTS"):
        mounts(args)
    work = Path(tempfile.mkdtemp(prefix="pipe-faults-"))
    start, failed = time.monotonic(), 0
    try:
        with concurrent.futures.ProcessPoolExecutor(args.workers, None, begin, (work, args.pipe.resolve())) as pool:
            known = dict(zip(SCENES, pool.map(points, SCENES, [1] * len(SCENES))))
            seconds = dict(zip(SCENES, pool.map(measured, SCENES)))
            print(f"{'':<34}{'points':>8}{'hit':>8}{'wrong':>8}{'seconds':>9}", flush=True)
            for row, todo in tasks(args, known, seconds).items():
                begun, hits, wrong = time.monotonic(), 0, []
                for task, hit, why in pool.map(attempt, todo):
                    hits += hit is not None
                    wrong += [(task, why)] if why else []
                print(f"{row:<34}{len(todo):>8}{hits:>8}{len(wrong):>8}{time.monotonic() - begun:>9.1f}", flush=True)
                for task, why in wrong[:5]:
                    print(f"  {task}: {why}", flush=True)
                failed += len(wrong)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{failed} wrong, {time.monotonic() - start:.0f} s, seed {args.seed}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
