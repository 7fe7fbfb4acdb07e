"""Confines itself and becomes the parent of a zygote: the `local` backend's other half, one process per sandbox.

    python -I launcher.py     descriptor 0: the zygote's control socket; argv[1]: JSON, see `local.py`

In this order: namespaces, where the kernel grants them to anybody (a process table, a network without devices, IPC
and mounts of its own, so that files live in a tmpfs of bounded size); then sandlock (Landlock, seccomp, the number of
processes) around the zygote. Without namespaces the rest must do; without sandlock nothing is started.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from typing import Any

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1
_INODES = 10_000


def main() -> None:
    told = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if told["namespaces"]:
        enter_namespaces()
        pid = os.fork()  # the child is the first process of the new process table
        if pid:
            os.close(0)
            os._exit(_exit_status(os.waitpid(pid, 0)[1]))
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        mount_own(told)
    os._exit(start_zygote(told))


def enter_namespaces() -> None:
    """Namespaces of our own, as the only user in them. Raises OSError where the kernel says no."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def mount_own(told: dict[str, Any]) -> None:
    """A /proc that shows only what is in here, and tmpfs with room for files_mb where guests may write."""
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, "")
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "")
    options = f"size={told['files_mb']}m,nr_inodes={_INODES},mode=1777"
    for folder in told["tmpfs"]:
        _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options)


def start_zygote(told: dict[str, Any]) -> int:
    """Run the zygote confined until it ends; its exit status."""
    from sandlock import Sandbox

    box = Sandbox(
        fs_readable=told["readable"],
        fs_writable=told["writable"],
        max_processes=told["processes"] + 1,
        clean_env=True,
        env=told["env"],
        no_coredump=True,
        cwd=told["home"],
    )
    process = box.popen(told["command"])
    os.close(0)
    result = process.wait()
    return int(result.exit_code) if result.success else 1


def _mount(source: str, target: str, kind: str | None, flags: int, options: str) -> None:
    encoded = (text.encode() if text is not None else None for text in (source, target, kind))
    _call("mount", *encoded, ctypes.c_ulong(flags), options.encode())


def _call(name: str, *args: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _exit_status(status: int) -> int:
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
