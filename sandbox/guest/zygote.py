"""The zygote: preloads the runtime, then forks a guest for each submission and keeps watch over it.

It runs inside the sandbox and runs no foreign code itself. One thread, one loop over three descriptors: the control
socket (JSON packets, one answer for each request), the guest's output, and a clock that ticks while a guest is alive.

    {"do": "ping"}                                  {}
    {"do": "spawn", "limits": {…}, "uid"} + socket  {}            the socket is the guest's end of the wall
    {"do": "cpu", "seconds"}                        {}            so much more from now on
    {"do": "usage"}                                 {wall_s, cpu_s, memory_mb, waited_s}
    {"do": "end"}                                   {cause, detail, signal, usage, output (base64)}
    {"do": "reset"}                                 {"clean": null or what was found}

When the control socket closes (the worker was killed, say) it kills what it started and ends.

    python -I zygote.py RUNTIME CONTROL HOME    CONTROL: a path to connect to, or "-" for descriptor 0
                                                HOME: where guests get their folders
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import stat
import sys
import time
from typing import Any, NoReturn

from sandbox.guest import agent, landlock, meter
from sandbox.guest.runtimes import preload

_TICK_S = 0.025
_CHANNEL_FD = 100
_PR_SET_CHILD_SUBREAPER, _PR_SET_DUMPABLE = 36, 4
_SHARED = ("/dev/shm", "/tmp")
_OPEN_FILES = 256


class Watch:
    """One guest: its main process, what it may use, and what it has used."""

    def __init__(self, pid: int, output: int, limits: dict[str, Any], uid: int | None, folder: str) -> None:
        self.pid, self.output_fd, self.limits, self.uid, self.folder = pid, output, limits, uid, folder
        self.started = time.monotonic()
        self.earlier_cpu_s = meter.children_cpu_s()
        self.base_mb = meter.resident_mb()
        self.allowed_s = float(limits["cpu_s"])
        self.peak_mb = 0.0
        self.cpu_s = 0.0
        self.waited_s = 0.0
        self.output = bytearray()
        self.cause: str | None = None
        self.status: int | None = None

    def usage(self) -> dict[str, float]:
        return {
            "wall_s": round(time.monotonic() - self.started, 4),
            "cpu_s": round(self.cpu_s, 4),
            "memory_mb": round(self.peak_mb, 1),
            "waited_s": self.waited_s,
        }


class Zygote:
    def __init__(self, control: socket.socket, home: str) -> None:
        self._control, self._home = control, home
        self._guest: Watch | None = None
        self._ended: dict[str, Any] | None = None
        self._served = 0
        self._uids: set[int] = set()

    def run(self) -> None:
        """Serve until the control socket closes."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            guest = self._guest
            watched = guest.output_fd if guest is not None and guest.output_fd >= 0 else -1
            if watched >= 0:
                poll.register(watched, select.POLLIN)
            events = dict(poll.poll(_TICK_S * 1000 if guest is not None else None))
            if watched >= 0:
                poll.unregister(watched)
            if guest is not None:
                self._look_after(guest)
            if self._control.fileno() in events and not self._serve():
                break
        self._kill_all()

    def _serve(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
        if not data:
            return False
        request = json.loads(data)
        answer = getattr(self, f"_do_{request.pop('do')}")(fds, **request)
        self._control.send(json.dumps(answer).encode())
        return True

    def _do_ping(self, fds: list[int]) -> dict[str, Any]:
        return {}

    def _do_spawn(self, fds: list[int], limits: dict[str, Any], uid: int | None) -> dict[str, Any]:
        self._served += 1
        folder = os.path.join(self._home, f"guest-{self._served}")
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pid = os.fork()
        if pid == 0:
            self._become_guest(fds[0], writing, limits, uid, folder)
        os.close(writing)
        os.close(fds[0])
        if uid is not None:
            self._uids.add(uid)
        self._ended = None
        self._guest = Watch(pid, reading, limits, uid, folder)
        return {}

    def _do_cpu(self, fds: list[int], seconds: float) -> dict[str, Any]:
        if self._guest is not None:
            self._measure(self._guest)
            self._guest.allowed_s = self._guest.cpu_s + seconds
        return {}

    def _do_usage(self, fds: list[int]) -> dict[str, Any]:
        if self._guest is None:
            return dict(self._ended["usage"]) if self._ended else {}
        self._measure(self._guest)
        return self._guest.usage()

    def _do_end(self, fds: list[int]) -> dict[str, Any]:
        guest = self._guest
        if guest is not None:
            self._look_after(guest)
            self._finish(guest)
        return self._ended or {}

    def _do_reset(self, fds: list[int]) -> dict[str, Any]:
        if self._guest is not None:
            self._do_end(fds)
        for uid in self._uids or {-1}:
            self._as_guest(uid, self._sweep)
        self._uids.clear()
        left = [process.pid for process in self._living()]
        files = [os.path.join(folder, name) for folder in self._folders() for name in _listed(folder)]
        return {"clean": None if not left and not files else f"left behind: {(left + files)[:5]}"}

    # The guest ---------------------------------------------------------------------------------------------------

    def _become_guest(
        self, channel: int, output: int, limits: dict[str, Any], uid: int | None, folder: str
    ) -> NoReturn:
        """In the fork: lose every privilege, in this order, then run the agent."""
        try:
            self._control.close()
            os.setsid()
            _descriptors(channel, output)
            _limit_resources(limits)
            with contextlib.suppress(OSError):
                _write("/proc/self/oom_score_adj", "1000")  # if memory runs out, this process goes, not the zygote
            _drop_to(uid)
            landlock_needed = uid is None
            if landlock_needed:
                landlock.enter_own_domain()
            os.mkdir(folder, 0o700)
            os.chdir(folder)
            os.environ.update(HOME=folder, TMPDIR=folder)
            gc.unfreeze()
            agent.serve(socket.socket(fileno=_CHANNEL_FD), folder)
        except BaseException as error:
            _report(error)
            os._exit(70)
        os._exit(0)

    def _look_after(self, guest: Watch) -> None:
        """Read its output, measure it, and stop it when it is over a limit."""
        self._read_output(guest)
        self._measure(guest)
        if guest.cause is not None:
            return
        limits = guest.limits
        if guest.cpu_s > guest.allowed_s:
            guest.cause = "time_limit"
        elif guest.peak_mb > limits["memory_mb"] * 1.05 + 16:
            guest.cause = "memory_limit"
        elif len(guest.output) > limits["output_kb"] << 10:
            guest.cause = "output_limit"
        elif limits.get("count_files") and sum(map(meter.tree_mb, self._folders())) > limits["files_mb"]:
            guest.cause = "files_limit"
        if guest.cause is not None:
            self._kill_all()

    def _measure(self, guest: Watch) -> None:
        living = self._living()
        self._reap(guest)
        reaped = meter.children_cpu_s() - guest.earlier_cpu_s
        guest.cpu_s = max(guest.cpu_s, reaped + sum(process.cpu_s for process in living if process.state != "Z"))
        guest.peak_mb = max(guest.peak_mb, sum(max(0.0, process.memory_mb - guest.base_mb) for process in living))
        if guest.status is None:
            guest.waited_s = max(guest.waited_s, meter.waited_s(guest.pid))

    def _finish(self, guest: Watch) -> None:
        """End whatever of the guest is alive, and remember how it ended."""
        alone = guest.status is None
        self._kill_all()
        self._read_output(guest)
        os.close(guest.output_fd)
        guest.cpu_s = max(guest.cpu_s, meter.children_cpu_s() - guest.earlier_cpu_s)
        cause, detail, number = _told(guest, ended_by_us=alone)
        cap = guest.limits["output_kb"] << 10
        output = base64.b64encode(bytes(guest.output[:cap])).decode()
        self._ended = {"cause": cause, "detail": detail, "signal": number, "usage": guest.usage(), "output": output}
        self._guest = None

    def _read_output(self, guest: Watch) -> None:
        room = (guest.limits["output_kb"] << 10) + 1
        with contextlib.suppress(BlockingIOError):
            while len(guest.output) <= room:
                data = os.read(guest.output_fd, 1 << 16)
                if not data:
                    break
                guest.output += data
        del guest.output[room:]

    def _reap(self, guest: Watch | None) -> None:
        """Collect the dead: the guest, and orphans of its that came to us."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if guest is not None and found[0] == guest.pid:
                    guest.status = found[1]

    def _living(self) -> list[meter.Process]:
        return meter.processes() if os.getpid() == 1 else meter.descendants(os.getpid())

    def _kill_all(self) -> None:
        """Stop all first, so that none can fork while the others are killed; until none is left."""
        while living := [process for process in self._living() if process.state != "Z"]:
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in living:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, number)
            self._reap(self._guest)
        self._reap(self._guest)

    def _as_guest(self, uid: int, act: Any) -> None:
        """Do something with a guest's uid in a child of ours; we have no right to a guest's files ourselves."""
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                _drop_to(None if uid < 0 else uid)
                act()
            os._exit(0)
        os.waitpid(pid, 0)

    def _sweep(self) -> None:
        for folder in self._folders():
            for name in _listed(folder):
                path = os.path.join(folder, name)
                _open_up(path)
                shutil.rmtree(path, ignore_errors=True)
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def _folders(self) -> list[str]:
        shared = [folder for folder in _SHARED if os.path.ismount(folder)]
        return list(dict.fromkeys([self._home, *shared]))


def _told(guest: Watch, ended_by_us: bool) -> tuple[str, str, int]:
    """The cause, a sentence for the candidate, and the signal that ended it if that is not explained yet."""
    limits = guest.limits
    sentences = {
        "time_limit": f"used more than {guest.allowed_s:.3g} s of processor time",
        "memory_limit": f"used more than {limits['memory_mb']} MB of memory",
        "output_limit": f"printed more than {limits['output_kb']} kB",
        "files_limit": f"wrote more than {limits['files_mb']} MB of files",
    }
    if guest.cause is not None:
        return guest.cause, sentences[guest.cause], 0
    if ended_by_us or guest.status is None:
        return "ended", "", 0
    if os.WIFSIGNALED(guest.status):
        number = os.WTERMSIG(guest.status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and guest.cpu_s >= limits["cpu_s"]):
            return "time_limit", sentences["time_limit"], 0
        return "crashed", f"the process was killed by {signal.Signals(number).name}", number
    return "crashed", f"the process exited with status {os.WEXITSTATUS(guest.status)}", 0


def _descriptors(channel: int, output: int) -> None:
    """0: nothing; 1 and 2: the output; the channel far away, lost on exec; all else closed."""
    os.dup2(channel, _CHANNEL_FD, inheritable=False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.set_blocking(output, True)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, _CHANNEL_FD)
    os.closerange(_CHANNEL_FD + 1, 4096)
    fcntl.fcntl(_CHANNEL_FD, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    sys.stdin, sys.stdout, sys.stderr = (open(fd, mode, closefd=False) for fd, mode in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _limit_resources(limits: dict[str, Any]) -> None:
    files = int(limits["files_mb"]) << 20
    wanted = {
        resource.RLIMIT_CPU: int(limits["cpu_s"]) + 2,
        resource.RLIMIT_DATA: meter.data_bytes() + (int(limits["memory_mb"]) << 20),
        resource.RLIMIT_FSIZE: files,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError tells more than a death


def _drop_to(uid: int | None) -> None:
    if uid is None:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # its own /proc/self, which setuid took from it


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _open_up(path: str) -> None:
    """Give the owner back what a guest took from its own folders, so that they can be removed."""
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.chmod(path, 0o700)
            for name in os.listdir(path):
                _open_up(os.path.join(path, name))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _report(error: BaseException) -> None:
    with contextlib.suppress(BaseException):
        os.write(2, f"{type(error).__name__}: {error}\n".encode()[:500])


def main() -> None:
    runtime, where, home = sys.argv[1:4]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if where == "-":
        control = socket.socket(fileno=os.dup(0))
    else:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.connect(where)
    preload(runtime)
    gc.collect()
    gc.freeze()
    control.send(b'{"ready": true}')
    Zygote(control, home).run()


if __name__ == "__main__":
    main()
