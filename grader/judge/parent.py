"""The judges' parent: has pytest and the runtime in memory and forks a judge for each grading.

Control socket (SEQPACKET, fd in argv[1]): a packet with three descriptors, the line, the job (JSON in a memfd) and a
file for stderr; the answer is the judge's pid. It ends when the worker hangs up, and its scratch folder goes with it.
One thread, so forking is safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback

from grader.judge.line import Line
from grader.judge.process import run, warm


def main() -> None:
    control_fd, runtime, scratch = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.chdir(scratch)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    control = socket.socket(fileno=control_fd)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (for as long as the process lives)
    warm(runtime, scratch)
    children: set[int] = set()
    try:
        control.send(b"warm")
        _serve(control, children)
    except ConnectionError:  # the worker is gone, in the middle of a word
        pass
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(scratch, ignore_errors=True)  # a worker that was killed does not do it


def _serve(control: socket.socket, children: set[int]) -> None:
    """Fork judges until the worker closes its end."""
    while True:
        ready, _, _ = select.select([control], [], [], 1.0)
        _reap(children)
        if not ready:
            continue
        data, fds, _, _ = socket.recv_fds(control, 16, 3)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            _judge(control, *fds)
        for fd in fds:
            os.close(fd)
        children.add(pid)
        control.send(str(pid).encode())


def _judge(control: socket.socket, line_fd: int, job_fd: int, stderr_fd: int) -> None:
    """In the fork: run the job and leave, whatever happens. A judge that fails says nothing more: that is the fault."""
    status = 1
    try:
        control.close()
        os.dup2(stderr_fd, 2)
        os.close(stderr_fd)
        with open(job_fd) as file:
            job = json.load(file)
        run(Line(socket.socket(fileno=line_fd)), job)
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
