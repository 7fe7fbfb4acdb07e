"""Confines itself and becomes the parent of a zygote: the `local` backend's other half, two processes per sandbox.

    descriptor 0: the zygote's control socket; the last argument: JSON, see `local.py`

The outer process waits: when the inner one ends, or when it is told to (SIGTERM), it ends only after all that ever ran
in the sandbox. The inner one confines itself and becomes the zygote, in this order: namespaces, where the kernel grants
them to anybody (a process table, a network without devices, IPC and mounts of its own, so that files live in a tmpfs of
bounded size); Landlock, through sandlock; seccomp. Without namespaces the rest must do; without that nothing starts.

sandlock's own supervisor is not used: it answers each look into /proc itself and hides there what it has lost sight of,
such as the orphans of a guest, which the zygote must see to count and to kill.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import struct
import sys
import time
from typing import Any, NoReturn

from sandlock import Sandbox, confine

from sandbox.backends.seccomp import restrict
from sandbox.guest.meter import descendants
from sandbox.place import keep_niceness

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_PIVOT_ROOT, _MNT_DETACH = {"x86_64": 155, "aarch64": 41}, 2
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NEVER = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS)  # what a kernel says that will not say otherwise
_AWAITED = {signal.SIGTERM, signal.SIGCHLD}
_INODES = 10_000


def main() -> None:
    told = json.loads(sys.argv[-1])
    keep_niceness()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # whatever loses its parent in there comes to us
    if told["namespaces"]:
        enter_namespaces()
    pid = os.fork()  # the child is the first process of the new process table
    if pid:
        os.close(0)
        os._exit(outlive(pid))
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _go_first()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    if told["namespaces"]:
        mount_own(told)
    start_zygote(told)


def probe(refused: int) -> NoReturn:
    """Leave with 0 where sandboxes can have namespaces, with `refused` where the kernel grants none; else say why."""
    try:
        enter_namespaces()
        pid = os.fork()
        if pid:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)
        mount_own(json.loads(sys.argv[-1]))
    except OSError as error:
        if error.errno in _NEVER or (error.errno == errno.ENOSPC and _none_allowed()):
            sys.stderr.write(str(error))
            sys.stderr.flush()
            os._exit(refused)
        raise
    os._exit(0)


def _none_allowed() -> bool:
    with open("/proc/sys/user/max_user_namespaces") as file:
        return int(file.read()) == 0


def outlive(pid: int) -> int:
    """Wait until the inner process has ended, or end it when told to, and with it what it started; its exit status."""
    status = None
    while status is None:
        if signal.sigwait(_AWAITED) == signal.SIGTERM:
            os.kill(pid, signal.SIGKILL)
        status = _reaped(pid)
    while living := descendants(os.getpid()):
        for process in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        _reaped(pid)
        time.sleep(0.001)
    return os.waitstatus_to_exitcode(status) & 0xFF


def enter_namespaces() -> None:
    """Namespaces of our own, as the only user in them. Raises OSError where the kernel says no."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def mount_own(told: dict[str, Any]) -> None:
    """A root of our own: what may be read of the host, a /proc of what is in here, and tmpfs where guests may write.

    Nothing else of the host is there. Landlock alone would not do: it lets everybody connect to the host's Unix
    sockets, the Docker engine's among them.
    """
    root = told["home"]
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, "")
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for path in told["readable"]:
        _show(path, root)
    _mount("proc", _made(root + "/proc"), "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "")
    options = f"size={told['files_mb']}m,nr_inodes={_INODES},mode=1777"
    for folder in told["tmpfs"]:
        _mount("tmpfs", _made(root + folder), "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options)
    _restrict_mount(root, _ATTR_RDONLY)
    os.chdir(root)
    _call("syscall", ctypes.c_long(_PIVOT_ROOT[os.uname().machine]), b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def _show(path: str, root: str) -> None:
    """Make a file, folder or link of the host appear at the same place below `root`."""
    target = root + path
    if path.startswith("/proc") or os.path.lexists(target):
        return
    _made(os.path.dirname(target))
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT))
    _mount(path, target, None, _MS_BIND | _MS_REC, "")
    kind = _ATTR_NOEXEC if path.startswith("/dev/") else _ATTR_NODEV
    _restrict_mount(target, _ATTR_RDONLY | _ATTR_NOSUID | kind, _AT_RECURSIVE)


def _made(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return folder


def start_zygote(told: dict[str, Any]) -> NoReturn:
    """Confine this process and become the zygote. Raises rather than start it unconfined."""
    os.chdir(told["home"])
    confine(Sandbox(fs_readable=told["readable"], fs_writable=told["writable"]))
    restrict(connects=told["namespaces"])
    os.execve(told["command"][0], told["command"], told["env"])


def _go_first() -> None:
    """When this machine is out of memory, rather than others; for the guests, too, who cannot say it themselves."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str) -> None:
    encoded = (text.encode() if text is not None else None for text in (source, target, kind))
    _call("mount", *encoded, ctypes.c_ulong(flags), options.encode())


def _restrict_mount(path: str, attributes: int, depth: int = 0) -> None:
    """Add attributes to a mount, and to those below it if told to; behind Landlock, which says the same of files."""
    wanted = struct.pack("<4Q", attributes, 0, 0, 0)  # struct mount_attr: set, clear, propagation, user namespace
    number, where = ctypes.c_long(_MOUNT_SETATTR), ctypes.c_long(_AT_FDCWD)
    _call("syscall", number, where, path.encode(), ctypes.c_long(depth), wanted, ctypes.c_size_t(len(wanted)))


def _call(name: str, *args: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _reaped(pid: int) -> int | None:
    """Collect the dead; the status of `pid` if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitpid(-1, os.WNOHANG))[0]:
            if dead[0] == pid:
                found = dead[1]
    return found
