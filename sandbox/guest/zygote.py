"""The zygote: preloads the runtime, then forks a guest for each submission and keeps watch over it.

It runs inside the sandbox and runs no foreign code itself. One thread, one loop over the control socket (JSON packets,
one answer for each request), the guest's output, and a clock that ticks while a guest is alive.

    {"do": "ping"}                              {}
    {"do": "spawn", "limits": {…}, "uid"}       {}      with two descriptors: the guest's end of the wall, and the file
                                                        that takes what it prints
    {"do": "cpu", "seconds", "total_s"}         {}      so much more from now on, and no more than that in all
    {"do": "waited"}                            {"seconds"}
    {"do": "end"}                               {cause, detail, signal, usage, waited_s, fault}
    {"do": "reset"}                             {"clean": null or what was found}

When the control socket closes (the worker was killed, say) it kills what it started and ends.

Nothing that a guest says may enter this process: the next guest is a fork of it and could read it in its own memory.

    sys.argv: RUNTIME CONTROL FOLDER…   CONTROL: a path to connect to, or "-" for descriptor 0
                                        FOLDER: all that guests can write to; the first is where they get their own
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from sandbox.guest import meter
from sandbox.guest.birth import become_guest
from sandbox.guest.janitor import Janitor, begin
from sandbox.guest.runtimes import preload
from sandbox.guest.sweep import left, sweep
from sandbox.guest.watch import Watch

_TICK_S = 0.025
_EXIT_S = 1.0  # for the kernel to take down the memory of a process
_DEATH_S = 0.02  # after which a process that was killed is looked for again
_PACKET = 1 << 16
_PR_SET_CHILD_SUBREAPER = 36


class Zygote:
    """Serves the worker at the other end of `control`. `folders`: all that guests can write to, and it only.
    `janitor`: where guests have uids of their own, who removes what they leave."""

    def __init__(self, control: socket.socket, folders: list[str], janitor: Janitor | None) -> None:
        self._control, self._folders, self._janitor = control, folders, janitor
        self._guest: Watch | None = None
        self._ended: dict[str, Any] = {}
        self._served = 0
        self._due = 0.0  # when the guest is to be measured again
        self._uids: set[int] = set()

    def run(self) -> None:
        """Say that we are ready, and serve until the control socket closes."""
        sweep(self._folders)  # what preloading wrote
        gc.collect()
        gc.freeze()
        self._control.send(b'{"ready": true}')
        while True:
            guest, poll = self._guest, select.poll()
            poll.register(self._control, select.POLLIN)
            if guest is not None and guest.pipe >= 0 and guest.cause is None:
                poll.register(guest.pipe, select.POLLIN)
            left_ms = max(0.0, self._due - time.monotonic()) * 1000 + 1
            ready = [fd for fd, _ in poll.poll(left_ms if guest is not None else None)]
            if guest is not None:
                guest.drain()
                if guest.flooded or time.monotonic() >= self._due:
                    self._look_after(guest)
            if self._control.fileno() in ready and not self._serve():
                break
        self._kill_all()

    def _serve(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, _PACKET, 2)
        if not data:
            return False
        request = json.loads(data)
        answer = getattr(self, f"_do_{request.pop('do')}")(*fds, **request)
        self._control.send(json.dumps(answer).encode())
        return True

    def _do_ping(self) -> dict[str, Any]:
        return {}

    def _do_spawn(self, channel: int, printed_to: int, limits: dict[str, Any], uid: int | None) -> dict[str, Any]:
        self._do_end()
        self._served += 1
        folder = os.path.join(self._folders[0], f"guest-{self._served}")
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        born, bearing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pid = os.fork()
        if pid == 0:
            become_guest(channel, writing, bearing, limits, uid, folder)
        for fd in (writing, bearing, channel):
            os.close(fd)
        if uid is not None:
            self._uids.add(uid)
        self._guest = Watch(pid, reading, printed_to, born, limits, self._folders)
        return {}

    def _do_cpu(self, seconds: float, total_s: float) -> dict[str, Any]:
        if self._guest is not None:
            self._look_after(self._guest)
            self._guest.allow_cpu(seconds, total_s)
        return {}

    def _do_waited(self) -> dict[str, Any]:
        if self._guest is None:
            return {"seconds": 0.0}
        self._look_after(self._guest)
        return {"seconds": self._guest.waited_s}

    def _do_end(self) -> dict[str, Any]:
        guest = self._guest
        if guest is not None:
            self._let_exit(guest)
            self._look_after(guest)
            ended_by_us = guest.status is None
            self._kill_all()
            self._ended, self._guest = guest.account(ended_by_us), None
        return self._ended

    def _do_reset(self) -> dict[str, Any]:
        self._do_end()
        self._ended = {}
        if self._janitor is None:
            sweep(self._folders)
        else:
            self._janitor.sweep(list(self._uids))
        self._uids.clear()
        found = [str(process.pid) for process in meter.descendants(os.getpid())] + left(self._folders)
        return {"clean": f"left behind: {found[:5]}" if found else None}

    def _let_exit(self, guest: Watch) -> None:
        """A guest that is on its way out has hung up already, and we are asked before it can be waited for."""
        until = time.monotonic() + _EXIT_S
        while guest.status is None and meter.exiting(guest.pid) and time.monotonic() < until:
            time.sleep(0.001)
            self._reap()

    # The guest's processes ---------------------------------------------------------------------------------------

    def _look_after(self, guest: Watch) -> None:
        """Take what it printed, collect its dead, measure it, and stop it when it is over a limit."""
        self._due = time.monotonic() + _TICK_S
        guest.drain()
        self._reap()
        if guest.cause is None:
            guest.measure()
            if guest.cause is not None:
                self._kill_all()

    def _reap(self) -> bool:
        """Collect the dead: the guest, and orphans of its that came to us. Whether no child is left, dead or alive."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, used = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return False
                if self._guest is not None and pid == self._guest.pid:
                    self._guest.reaped(status, used.ru_maxrss / 1024)
        return True

    def _kill_all(self) -> None:
        """Stop all first, so that none can fork while the others are killed; until none is left, dead or alive. The
        first process of a process table need not find them: the kernel ends all others at once."""
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        while (living := meter.descendants(os.getpid())) or not self._reap():
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in living:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, number)
            until = time.monotonic() + _DEATH_S
            while not self._reap() and time.monotonic() < until:
                time.sleep(0.001)


def main() -> None:
    runtime, where, *folders = sys.argv[1:]
    janitor = None if where == "-" else begin(folders)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of a guest come to us, wherever they hide
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if where == "-":
        control = socket.socket(fileno=os.dup(0))
    else:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.connect(where)
    preload(runtime)
    Zygote(control, folders, janitor).run()
