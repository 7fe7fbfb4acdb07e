"""Cleans up after guests that have uids of their own: the first process of a container, and the zygote's parent.

A guest's files can be removed only with its uid, so by a child that takes it on. Forked from here, before a runtime is
loaded, that child is cheap, and nothing that a guest made, not even a name, comes into the zygote's memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import NoReturn

from sandbox.guest.birth import drop_to
from sandbox.guest.sweep import sweep

_PACKET = 1 << 16


class Janitor:
    """The zygote's side."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def sweep(self, uids: list[int]) -> None:
        """Remove what these guests left. Raises OSError when the janitor is gone, and the sandbox with it."""
        self._control.send(json.dumps(uids).encode())
        if not self._control.recv(1):
            raise ConnectionResetError("the janitor has ended")


def begin(folders: list[str]) -> Janitor:
    """Fork: the child goes on as the zygote; this process cleans up for it, and ends when the zygote does."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() != 0:
        control.close()
        _serve(theirs, folders)
    theirs.close()
    return Janitor(control)


def _serve(control: socket.socket, folders: list[str]) -> NoReturn:
    with contextlib.suppress(OSError):
        while packet := control.recv(_PACKET):
            for uid in json.loads(packet):
                _sweep_as(uid, folders)
            control.send(b".")
    os._exit(0)


def _sweep_as(uid: int, folders: list[str]) -> None:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            drop_to(uid)
            sweep(folders)
        os._exit(0)
    os.waitpid(pid, 0)
