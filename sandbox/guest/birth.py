"""How a fork of the zygote becomes a guest: what it loses, in the order in which it loses it.

1. the control socket and every other descriptor but its channel and its output
2. its session: no terminal, no process group of the zygote's
3. resources: processor time, memory on top of what the zygote has, file size, descriptors, core dumps
4. its standing with the kernel's killer: when memory runs out it goes first, not the zygote
5. the zygote's uid (docker), or the reach to the zygote by signals and tracing (local: Landlock)
   and in both every capability
6. the shared folders: it works in one of its own
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import resource
import signal
import socket
import struct
import sys
from typing import Any, NoReturn

from sandbox.guest import agent, landlock, meter

BORN = b"born"
_CHANNEL_FD, _BORN_FD = 100, 101  # far from 0-2, where nothing of the candidate's meets it by accident
_PR_SET_DUMPABLE = 4
_CAPABILITY_VERSION_3 = 0x20080522
_OPEN_FILES = 256
_NICER = 5  # than the zygote: a third of its share of the processors, for each process
_HELPERS = 2  # the launcher and the zygote
_SPARE_CPU_S = 2  # the zygote measures all processes together; the kernel's limit for one is the backstop


def become_guest(
    channel: int, output: int, born: int, limits: dict[str, Any], uid: int | None, folder: str
) -> NoReturn:
    """Never returns. `born`: where it says `BORN` before it serves, or what failed; nothing foreign has run by then, so
    that is true. An agent that fails later leaves with 70; so can anybody, and it counts as a crash."""
    try:
        _descriptors(channel, output, born)
        if os.nice(0) <= 0:
            os.setsid()
        else:  # stay in the zygote's session, which is nice (see `sandbox.place`); but let the zygote end a fork bomb
            os.setpgid(0, 0)
            os.nice(_NICER)
        _limit_resources(limits, shares_uid=uid is None)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        if uid is None:
            landlock.enter_own_domain()
        else:
            drop_to(uid)
        _drop_capabilities()
        os.mkdir(folder, 0o700)
        os.chdir(folder)
        os.environ.update(HOME=folder, TMPDIR=folder)
        os.write(_BORN_FD, BORN)
        os.close(_BORN_FD)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(_BORN_FD, f"{type(error).__name__}: {error}".encode()[:500])
        os._exit(1)
    try:
        agent.serve(socket.socket(fileno=_CHANNEL_FD), folder)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode()[:500])
    os._exit(70)


def drop_to(uid: int) -> None:
    """Take on a guest's uid and lose all capabilities with root's."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # its own /proc/self, which setuid took from it


def _drop_capabilities() -> None:
    """Those of a user namespace too. no-new-privileges is set, so no program that it runs gets any back."""
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    if ctypes.CDLL(None).capset(header, bytes(24)) != 0:
        raise OSError("capset")


def _descriptors(channel: int, output: int, born: int) -> None:
    """0: nothing; 1 and 2: the output; the channel far away and lost on exec; `born` beside it; all else closed."""
    os.dup2(born, _BORN_FD, inheritable=False)
    os.dup2(channel, _CHANNEL_FD, inheritable=False)
    os.set_blocking(output, True)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, _CHANNEL_FD)
    os.closerange(_BORN_FD + 1, 4096)
    sys.stdin = sys.__stdin__ = _stream(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w")  # type: ignore[misc]


def _stream(fd: int, mode: str) -> io.TextIOWrapper:
    stream = open(fd, f"{mode}b", closefd=False)  # noqa: SIM115  open as long as the guest lives
    return io.TextIOWrapper(stream, encoding="utf-8", errors="replace", line_buffering=True)


def _limit_resources(limits: dict[str, Any], shares_uid: bool) -> None:
    wanted = {
        resource.RLIMIT_CPU: int(limits["cpu_s"]) + _SPARE_CPU_S,
        resource.RLIMIT_DATA: meter.data_bytes() + (int(limits["memory_mb"]) << 20),
        resource.RLIMIT_FSIZE: int(limits["files_mb"]) << 20,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if shares_uid and not limits["count_files"]:  # a user namespace of its own: nobody outside is counted with it
        wanted[resource.RLIMIT_NPROC] = int(limits["processes"]) + _HELPERS
    for kind, value in wanted.items():
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError tells more than a death
