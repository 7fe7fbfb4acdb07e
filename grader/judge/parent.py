"""Where judges come from. A parent has pytest and the runtime in memory; a fork of it collects a suite; a fork of that
is a judge, which runs the suite on one submission.

    worker ──"fork"──► parent ──fork──► collected suite     with its control socket, the suite, a file for stderr
    worker ──"fork"──► collected suite ──fork──► judge      with its line, the job, a file for stderr

Suite and job are JSON in memfds. The answer to "fork" is the fork's pid. Both end when the worker hangs up, and what
they forked ends with them; the parent's scratch folder goes, too. One thread everywhere, so forking is safe.

A collected suite says first whether it can be forked. If it says "alone" it becomes the judge itself on the first
"fork", and answers with its own pid.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from grader.judge.line import Line
from grader.judge.process import collect, warm
from sandbox.place import begin_session

_PR_SET_PDEATHSIG = 1


def main() -> None:
    control_fd, runtime, scratch = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.chdir(scratch)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    control = socket.socket(fileno=control_fd)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (for as long as the process lives)
    warm(runtime, scratch)
    try:
        with contextlib.suppress(ConnectionError):  # the worker is gone, in the middle of a word
            control.send(b"warm")
            if (sent := _forked(control)) is not None:
                _end(lambda: _suite(*sent))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # a worker that was killed does not do it


def _suite(control_fd: int, suite_fd: int, stderr_fd: int) -> None:
    """In a fork of the parent: collect a suite, and have a judge forked for each job."""
    _begin(stderr_fd)
    control = socket.socket(fileno=control_fd)

    def next_job(forkable: bool) -> tuple[Line, dict[str, Any]]:
        try:
            control.send(b"forkable" if forkable else b"alone")
            sent = _forked(control) if forkable else _taken(control)
        except ConnectionError:
            sent = None
        if sent is None:  # the worker needs this suite no more
            os._exit(0)
        line_fd, job_fd, errors_fd = sent
        _begin(errors_fd)
        begin_session()  # with a share of its own: judges and guests are equals
        return Line(socket.socket(fileno=line_fd)), _read(job_fd)

    collect(_read(suite_fd), next_job)


def _forked(control: socket.socket) -> list[int] | None:
    """Fork on each request. In each fork: the descriptors that came with it. In this process: None, when the worker has
    hung up; no fork is alive then."""
    children: set[int] = set()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    try:
        while True:
            ready = poll.poll(1000)
            _reap(children)
            if not ready:
                continue
            data, fds, _, _ = socket.recv_fds(control, 16, 3)
            if not data:
                break
            pid = os.fork()
            if pid == 0:
                control.close()
                return fds
            for fd in fds:
                os.close(fd)
            children.add(pid)
            control.send(str(pid).encode())
    except ConnectionError:
        pass
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return None


def _taken(control: socket.socket) -> list[int] | None:
    """The descriptors of the first request, in this very process. None, when the worker has hung up."""
    data, fds, _, _ = socket.recv_fds(control, 16, 3)
    if not data:
        return None
    control.send(str(os.getpid()).encode())
    control.close()
    return fds


def _begin(stderr_fd: int) -> None:
    """A fork that goes when the process goes that it is a fork of, and that complains to a file of its own."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.dup2(stderr_fd, 2)
    os.close(stderr_fd)


def _read(fd: int) -> dict[str, Any]:
    with open(fd) as file:
        told: dict[str, Any] = json.load(file)
    return told


def _end(act: Callable[[], None]) -> NoReturn:
    """Do it and leave, whatever happens. A judge that fails says nothing more: that is the fault."""
    status = 1
    try:
        act()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _reap(children: set[int]) -> None:
    for pid in list(children):
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done:
            children.discard(pid)


if __name__ == "__main__":
    main()
