"""Taking stock: what there is of ours on this machine, so that what was left behind has a name.

Other tests may run at the same time. A process is ours if it descends from this one, or names one of our folders in its
command line (judges and zygotes do, also where their parent is gone); a container if it shows one of our folders; a
file or a mount if it lies there (the local sandbox begins with a mount on its home).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker
from docker.errors import DockerException

from sandbox.backends.docker import LABEL
from sandbox.guest.meter import descendants

_WAIT_S = 20.0


class Stock:
    """`folders`: where everything that is made meanwhile is made; `others`: where others in this very process make
    theirs, whose processes are not ours."""

    def __init__(self, folders: Sequence[Path], others: Sequence[str] = ()) -> None:
        self._folders, self._others = [str(folder) for folder in folders], others

    def take(self) -> set[str]:
        """All there is, each with a name that says what it is."""
        return {*self._processes(), *self._containers(), *self._files(), *self._mounts(), *_descriptors()}

    def left(self, before: set[str]) -> list[str]:
        """What was not there before and does not go away: what is ending may take a moment for it."""
        until = time.monotonic() + _WAIT_S
        while (left := self.take() - before) and time.monotonic() < until:
            time.sleep(0.1)
        return sorted(left)

    def _ours(self, text: str) -> bool:
        return any(folder in text for folder in self._folders)

    def _processes(self) -> Iterator[str]:
        below = {process.pid for process in descendants(os.getpid())}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if any(folder in line for folder in self._others):
                    continue
                if pid in below or self._ours(line):
                    yield f"process {pid} ({line[:200] or Path(f'/proc/{pid}/stat').read_text()[:60]})"

    def _containers(self) -> Iterator[str]:
        try:
            client = docker.from_env(timeout=60)
        except DockerException:  # no engine, no containers
            return
        with contextlib.closing(client):
            for about in client.api.containers(all=True, filters={"label": LABEL}):
                if any(self._ours(mount.get("Source", "")) for mount in about["Mounts"]):
                    yield f"container {about['Names'][0]} ({about['Status']})"

    def _files(self) -> Iterator[str]:
        for folder in self._folders:
            yield from (f"file {path}" for path in Path(folder).rglob("*"))

    def _mounts(self) -> Iterator[str]:
        points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        yield from (f"mount {point}" for point in points if self._ours(point))


def _descriptors() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that listed them is closed
            yield f"descriptor {number} ({os.readlink(f'/proc/self/fd/{number}')})"
