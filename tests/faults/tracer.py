"""Runs a program and stops it at system calls that change a disk, to end it there or to make the call fail.

Like `strace -e inject`, with two differences that this needs: calls are counted over all threads
together, so that every one has a number, and only threads are followed, so that commands which the
program starts are neither slowed down nor hit. Linux on x86_64.
"""

import ctypes
import os
import platform
import signal
import sys

TRACEME, CONT_SYSCALL, POKEUSER, SETOPTIONS, SYSCALL_INFO = 0, 24, 6, 0x4200, 0x420E
SYSGOOD, FOLLOW_THREADS, EXIT_KILL = 0x01, 0x08, 0x100000
SYSCALL_STOP = signal.SIGTRAP | 0x80
WALL = 0x40000000  # also threads
ENTRY, EXIT = 1, 2
# Places of registers in `struct user`.
RAX, RDX, ORIG_RAX = 10 * 8, 12 * 8, 15 * 8

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long

# Name, and which argument says where: a descriptor (d), a path (p), a path below a descriptor (a). A rename is told by
# where it comes from.
CALLS = {
    4: ("stat", "p0"), 6: ("lstat", "p0"), 262: ("newfstatat", "a0"), 332: ("statx", "a0"),
    89: ("readlink", "p0"), 267: ("readlinkat", "a0"),
    0: ("read", "d0"), 17: ("pread", "d0"), 217: ("getdents", "d0"),
    1: ("write", "d0"), 18: ("pwrite", "d0"), 20: ("writev", "d0"), 296: ("pwritev", "d0"), 328: ("pwritev2", "d0"),
    2: ("open", "p0"), 85: ("creat", "p0"), 257: ("openat", "a0"), 437: ("openat2", "a0"),
    82: ("rename", "p0"), 264: ("renameat", "a0"), 316: ("renameat2", "a0"),
    87: ("unlink", "p0"), 263: ("unlinkat", "a0"), 84: ("rmdir", "p0"),
    86: ("link", "p1"), 265: ("linkat", "a2"), 88: ("symlink", "p1"), 266: ("symlinkat", "a1"),
    83: ("mkdir", "p0"), 258: ("mkdirat", "a0"),
    90: ("chmod", "p0"), 91: ("fchmod", "d0"), 268: ("fchmodat", "a0"), 452: ("fchmodat2", "a0"),
    76: ("truncate", "p0"), 77: ("ftruncate", "d0"), 285: ("fallocate", "d0"),
    326: ("copy_file_range", "d2"), 40: ("sendfile", "d0"), 16: ("ioctl", "d0"),
    280: ("utimensat", "a0"), 74: ("fsync", "d0"), 75: ("fdatasync", "d0"),
}
LOOKING = {"stat", "lstat", "newfstatat", "statx", "readlink", "readlinkat"}
READING = LOOKING | {"read", "pread", "getdents"}
OPENING = {"open", "creat", "openat", "openat2"}
WRITING = {"write", "pwrite"}
AT_FDCWD = -100
EMPTIES_OR_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# FICLONE and FICLONERANGE; other controls change no disk.
CLONES = {0x40049409, 0x4020940D}


class Info(ctypes.Structure):
    """What the system says of a stop; the numbers are those of an entry."""

    _fields_ = [
        ("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32),
        ("at", ctypes.c_uint64), ("stack", ctypes.c_uint64), ("nr", ctypes.c_uint64), ("args", ctypes.c_uint64 * 6),
        ("rest", ctypes.c_uint64 * 2),
    ]


class Call:
    """A system call that is about to be made on a file below one of the folders that count."""

    def __init__(self, name, path, writes):
        self.name, self.path, self.writes = name, path, writes

    def __str__(self):
        return f"{self.name} {self.path}"


def supported():
    """Why this cannot be done here; None if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "stopping a program at its system calls is written for Linux on x86_64 only"
    try:
        status = run(["true"], "/", dict(os.environ), [], os.devnull, lambda _: None)
    except OSError as error:
        return f"ptrace is not allowed here: {error}"
    return None if status == 0 else f"`true` cannot be traced: status {status}"


def ptrace(request, tid, where=0, what=0):
    """One request; an OSError where it fails."""
    ctypes.set_errno(0)
    if LIBC.ptrace(request, tid, where, what) == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def text_at(tid, address):
    """A path in the program's memory."""
    with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        found = b""
        # Never over the end of a page at once: the next one may not be there.
        while b"\0" not in found:
            found += memory.read(4096 - (address + len(found)) % 4096)
    return os.fsdecode(found[: found.index(b"\0")])


def place(tid, kind, args):
    """The absolute path that a call is about."""
    number = int(kind[1])
    if kind[0] == "p":
        return os.path.join(os.readlink(f"/proc/{tid}/cwd"), text_at(tid, args[number]))
    descriptor = ctypes.c_int(args[number]).value
    folder = os.readlink(f"/proc/{tid}/" + ("cwd" if descriptor == AT_FDCWD else f"fd/{descriptor}"))
    if kind[0] == "d" or not args[number + 1]:
        return folder
    return os.path.join(folder, text_at(tid, args[number + 1]))


def seen(tid, nr, args, folders):
    """The call with this number, if it is about a file that counts."""
    if nr not in CALLS:
        return None
    name, kind = CALLS[nr]
    if nr == 16 and args[1] not in CLONES:
        return None
    try:
        path = place(tid, kind, args)
    except OSError:
        return None  # a bad descriptor or address: the call fails by itself
    if not any(path == folder or path.startswith(folder + "/") for folder in folders):
        return None
    if name == "openat2":
        flags = int.from_bytes(memory_of(tid, args[2], 8), sys.byteorder)
    else:
        flags = {"open": args[1], "creat": EMPTIES_OR_WRITES, "openat": args[2]}.get(name, 0)
    writes = bool(flags & EMPTIES_OR_WRITES) if name in OPENING else name not in READING
    return Call(name, path, writes)


def memory_of(tid, address, size):
    """Some bytes of the program's memory."""
    with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(size)


def run(argv, cwd, env, folders, output, decide):
    """Runs `argv`, with all that it prints in the file `output`, to its end; its exit status, negative for a signal.

    `decide` is asked before each call on a file in `folders`, and answers None (go on), "kill" (the call is
    not made), "half" (of a write: half of it is made, then kill) or the number of the error that the call ends with.
    """
    pid = os.fork()
    if pid == 0:
        try:
            ptrace(TRACEME, 0)
            os.chdir(cwd)
            said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(said, 1)
            os.dup2(said, 2)
            os.execvpe(argv[0], argv, env)
        finally:
            os._exit(127)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        raise OSError(f"{argv[0]} cannot be started")
    ptrace(SETOPTIONS, pid, 0, SYSGOOD | FOLLOW_THREADS | EXIT_KILL)
    ptrace(CONT_SYSCALL, pid)
    return follow(pid, folders, decide)


def follow(pid, folders, decide):
    """Handles all stops until the program has ended."""
    known, ending, info = {pid}, {}, Info()
    while True:
        tid, status = os.waitpid(-1, WALL)
        if not os.WIFSTOPPED(status):
            if tid == pid:
                return os.waitstatus_to_exitcode(status)
            continue
        stop, passed_on = os.WSTOPSIG(status), 0
        try:
            if stop == SYSCALL_STOP:
                ptrace(SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.addressof(info))
                if info.op == ENTRY:
                    answer = at_entry(tid, info, folders, decide)
                    if answer == "kill":
                        os.kill(pid, signal.SIGKILL)
                        continue
                    if answer is not None:
                        ending[tid] = answer
                elif tid in ending:
                    answer = ending.pop(tid)
                    if answer == "half":
                        os.kill(pid, signal.SIGKILL)
                        continue
                    ptrace(POKEUSER, tid, RAX, ctypes.c_ulong(-answer).value)
            elif status >> 16 == 0 and not (stop == signal.SIGSTOP and tid not in known):
                passed_on = stop
            known.add(tid)
            ptrace(CONT_SYSCALL, tid, 0, passed_on)
        except ProcessLookupError:
            continue  # killed in the meantime


def at_entry(tid, info, folders, decide):
    """What is to become of a call."""
    call = seen(tid, info.nr, info.args, folders)
    answer = decide(call) if call else None
    if answer == "half" and call.name not in WRITING:
        # Another one than when the calls were counted.
        return "kill"
    if answer == "half":
        ptrace(POKEUSER, tid, RDX, info.args[2] // 2)
    elif isinstance(answer, int):
        # No call has this number.
        ptrace(POKEUSER, tid, ORIG_RAX, ctypes.c_ulong(-1).value)
    return answer
