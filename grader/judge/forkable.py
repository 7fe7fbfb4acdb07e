"""What the forks of a collected suite would share behind each other's backs, and what is done about it.

A fork copies memory, but not the place in an open file, pipes, sockets, shared memory, threads or child processes. A
suite that opened files for reading when it was imported has them opened anew in each fork; one that holds anything
else of these cannot be forked, and is collected for one grading only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass


@dataclass(frozen=True)
class OpenFile:
    """A descriptor of a file that was opened for reading, and where its reader stands."""

    fd: int
    offset: int


@dataclass(frozen=True)
class Holdings:
    """What this process holds beyond its own memory: descriptors, and mappings that a fork would write into, too."""

    descriptors: frozenset[int]
    mappings: frozenset[str]

    @classmethod
    def now(cls) -> Holdings:
        with open("/proc/self/maps") as lines:
            mappings = frozenset(line for line in lines if line.split()[1].startswith("rw-s"))
        return cls(frozenset(_descriptors()), mappings)


def opened_since(before: Holdings) -> list[OpenFile] | None:
    """The files that were opened for reading since then. None, if there is what a fork cannot have for itself."""
    now = Holdings.now()
    if now.mappings - before.mappings or len(os.listdir("/proc/self/task")) > 1 or _has_children():
        return None
    found = []
    for fd in now.descriptors - before.descriptors:
        kind, flags = os.fstat(fd).st_mode, fcntl.fcntl(fd, fcntl.F_GETFL)
        if stat.S_ISCHR(kind):  # /dev/null, /dev/urandom: no place in them
            continue
        if not stat.S_ISREG(kind) or flags & (os.O_ACCMODE | os.O_PATH) != os.O_RDONLY:
            return None
        found.append(OpenFile(fd, os.lseek(fd, 0, os.SEEK_CUR)))
    return found


def open_anew(files: list[OpenFile]) -> None:
    """In a fork: the same descriptors, at the same places, but this process's own."""
    for file in files:
        own = os.open(f"/proc/self/fd/{file.fd}", os.O_RDONLY)  # not its own flags: O_NOFOLLOW would refuse this link
        os.lseek(own, file.offset, os.SEEK_SET)
        os.dup2(own, file.fd, inheritable=False)
        os.close(own)


def _descriptors() -> list[int]:
    found = []
    for fd in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # that of the listing itself
            os.fstat(fd)
            found.append(fd)
    return found


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
