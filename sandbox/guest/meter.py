"""What the guest's processes use, read from /proc and from the kernel's accounts of children."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_OOM_COUNTERS = {  # cgroup v2, where `oom_kill` would count kills for want of the whole machine's memory too; v1
    "/sys/fs/cgroup/memory.events": "oom ",
    "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill ",
}
_PF_EXITING = 4
_BLOCK = 4096
_MEMORY_STATS = ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat")


class Process(NamedTuple):
    pid: int
    parent: int
    state: str
    cpu_s: float  # its own and that of the children that it has waited for
    memory_mb: float  # its own and what it shares with others; not the pages of files, which are the runtime's
    tasks: int  # threads, the main one included


def descendants(root: int) -> list[Process]:
    """The processes below `root`; orphans come to their subreaper, so none escapes by losing its parent.

    The dead are left out once they have been waited for; until then their time is counted here.
    """
    names = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    children: dict[int, list[Process]] = {}
    for process in filter(None, map(_read, names)):
        children.setdefault(process.parent, []).append(process)
    found, queue = [], [root]
    while queue:
        below = children.pop(queue.pop(), [])
        found += below
        queue += [process.pid for process in below]
    return found


def exiting(pid: int) -> bool:
    """Whether a process is on its way out by itself: it hangs up its sockets before it can be waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return bool(int(file.read().rpartition(b")")[2].split()[6]) & _PF_EXITING)
    except OSError:
        return False


def children_cpu_s() -> float:
    """Processor seconds of all children that this process has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def waited_s(pid: int) -> float:
    """Seconds that a process was ready to run and had no processor (schedstat), of the thread that waited longest.

    A sum over threads would let a guest that keeps many of them busy stretch its wall time many times over.
    """
    longest = 0
    with contextlib.suppress(OSError, IndexError, ValueError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                longest = max(longest, int(file.read().split()[1]))
    return longest / 1e9


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process."""
    return _status_kb("self", "VmData") << 10


def resident_mb() -> float:
    """Memory of this process now, pages of files included."""
    return _status_kb("self", "VmRSS") / 1024


def own_mb(pid: int | str) -> float:
    """Memory of a process now, without pages of files; 0 when it is gone."""
    return (_status_kb(str(pid), "RssAnon") + _status_kb(str(pid), "RssShmem")) / 1024


def peak_mb(pid: int) -> float:
    """The most memory that a process has had at once, without pages of files; 0 when it is gone."""
    return (_status_kb(str(pid), "VmHWM") - _status_kb(str(pid), "RssFile")) / 1024


def proportional_mb(pids: list[int]) -> float:
    """Memory of several processes, shared pages divided among those that share them; infinite where that is hidden."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
        except (ProcessLookupError, FileNotFoundError):
            continue
        except OSError:
            return float("inf")
    return total / 1024


def container_mb(folders: list[str]) -> float:
    """Memory of all processes in this container, each page counted once, without files; infinite where unknown."""
    for path in _MEMORY_STATS:
        with contextlib.suppress(OSError, ValueError), open(path) as file:
            told = dict(line.split() for line in file)
            pages = int(told.get("anon") or told.get("total_rss") or 0) + int(told.get("shmem") or 0)
            return pages / 2**20 - sum(map(_used_mb, folders))
    return float("inf")


def oom_kills() -> int:
    """How often this container has come to the end of its memory for good; 0 where the kernel does not say."""
    for path, counter in _OOM_COUNTERS.items():
        with contextlib.suppress(OSError, StopIteration), open(path) as file:
            return next(int(line.split()[1]) for line in file if line.startswith(counter))
    return 0


def tree_mb(folder: str) -> float:
    """What the files below a folder take; even an empty one takes a block, so that their number is bounded too."""
    total = 0
    for path, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            with contextlib.suppress(OSError):
                total += max(_BLOCK, os.lstat(os.path.join(path, name)).st_blocks * 512)
    return total / 2**20


def full(folder: str) -> bool:
    """Whether nobody but root can write another block or file to the folder's file system."""
    found = os.statvfs(folder)
    return found.f_bavail == 0 or (found.f_files > 0 and found.f_favail == 0)


def _read(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    cpu = sum(int(field) for field in fields[11:15]) / _TICK
    return Process(pid, int(fields[1]), fields[0].decode(), cpu, own_mb(pid), int(fields[17]))


def _used_mb(folder: str) -> float:
    """What lies in a tmpfs."""
    told = os.statvfs(folder)
    return (told.f_blocks - told.f_bfree) * told.f_frsize / 2**20


def _status_kb(pid: str, field: str) -> int:
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(field)), 0)
    except OSError:
        return 0
