"""A whole service that may be broken: API and workers as processes, on servers and small file systems of their own.

All that is started becomes a child of this process when its parent dies (PR_SET_CHILD_SUBREAPER), so nothing can be
left behind unseen. What the service writes into /tmp or /var/tmp lands in `files`, a file system of a few megabytes:
each of its processes has mounts of its own (`unshare --mount`), on which /var/tmp is that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from grader.accounts import service as accounts
from grader.accounts.models import Role
from grader.db import Database
from grader.migrations import upgrade
from sandbox.guest import meter
from tests.chaos.plan import write_exercises
from tests.chaos.servers import Engine, Lacking, Postgres, Redis, free_port, program
from tests.functional.service import Process, until

LEASE_S = 3.0
MOST_ATTEMPTS = 10
"""Each kill in the middle of a grading is one of its tries. Here something is killed every few seconds, in production
every few months: with the usual three tries the suite would show what MOST_ATTEMPTS does, and nothing else."""

_KEEP_S = 0.2
_PR_SET_CHILD_SUBREAPER = 36
_OWN_TMP = 'mount --bind "$0" /var/tmp && exec "$@"'
_FILES = "size=48m,nr_inodes=3000,mode=1777"
_DATABASE = "size=160m,nr_inodes=4000,mode=755"


class Clock:
    """A wall clock that can be set, for the processes that are started under it (see `clock.c`)."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        file.write_bytes(bytes(8))
        self.command = ["env", f"LD_PRELOAD={library}", f"CHAOS_CLOCK={file}"]
        """What to put before a command, to run it under this clock."""

    def shift(self, seconds: int) -> None:
        """From now on it is so many seconds ahead of the true time, or behind it. In place: the file is mapped."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", seconds))


def clocks(folder: Path) -> Path:
    """The library that clocks need, compiled. Raises Lacking."""
    source, made = Path(__file__).with_name("clock.c"), folder / "clock.so"
    subprocess.run([program("cc"), "-shared", "-fPIC", "-O1", "-o", str(made), str(source)], check=True)
    return made


class Kept:
    """A process of the service that is started again when it has ended, as compose and systemd do."""

    def __init__(self, name: str, clock: Clock, log: Path, command: Sequence[str], settings: dict[str, Any]) -> None:
        self.name, self.clock, self.log = name, clock, log
        self._command, self._settings = command, settings
        self.starts = 0
        self.process = self._started()

    def look(self) -> None:
        if not self.process.alive:
            self.process = self._started()

    def _started(self) -> Process:
        self.starts += 1
        return Process(self.log, *self._command, **self._settings)


class World:
    """The service and what it stands on. `sandboxes`: that of each worker. Raises Lacking."""

    def __init__(self, folder: Path, sandboxes: Sequence[str], stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.files = _mounted(folder / "f", _FILES, stack)
        self.data = _mounted(folder / "p", _DATABASE, stack)
        self._library = clocks(folder)
        self.database_clock = Clock(self._library, folder / "clock-database")
        self.redis = Redis(folder)
        self.postgres = Postgres(self.data, folder / "postgres.log", self.database_clock.command)
        self.engine = Engine(folder) if "docker" in sandboxes else None
        for server in filter(None, (self.redis, self.postgres, self.engine)):
            stack.callback(server.end, signal.SIGTERM)
            server.start()
        if self.engine is not None:
            self.engine.load()
        self.database = Database(self.postgres.url)
        stack.callback(self.database.close)
        upgrade(self.database)
        with self.database.begin() as session:
            self._key = accounts.create(session, "chaos", Role.ADMIN)[1]
        self._port = free_port()
        self._exercises = write_exercises(folder / "exercises")
        self._stopping = threading.Event()
        self.server = self._kept("server", "serve", "local")
        self.workers = [self._kept(f"worker-{n}", "worker", name) for n, name in enumerate(sandboxes)]
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()
        stack.callback(self.stop)
        until(lambda: all("worker started" in worker.process.said for worker in self.workers), "the workers")
        until(self._ready, "the API")

    def client(self) -> httpx.Client:
        """A client of the API, with an admin's key."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self._port}", headers={"Authorization": f"Bearer {self._key}"}, timeout=30
        )

    def judges(self) -> list[int]:
        """The pids of the judges that are at work."""
        return [pid for pid, said, parent in self._processes() if "judge.parent" in said and "judge.parent" in parent]

    def judges_parents(self) -> list[int]:
        return [p for p, said, parent in self._processes() if "judge.parent" in said and "judge.parent" not in parent]

    def zygotes(self) -> list[int]:
        """The pids of the zygotes that have a guest, in sandboxes of both kinds."""
        local = [p for p, said, above in self._processes() if "launcher" in above and "launcher" not in said]
        contained = [] if self.engine is None else self.engine.zygotes()
        return [pid for pid in local + contained if meter.descendants(pid)]

    def left_behind(self) -> list[str]:
        """What is there of the service although it is stopped: processes, files, containers, mounts."""
        servers = [server.pid for server in (self.redis, self.postgres, self.engine) if server is not None]
        own = {found.pid for pid in servers for found in meter.descendants(pid)} | set(servers)
        found = [f"process {pid}: {said[:200]}" for pid, said, _ in self._processes() if pid not in own]
        found += [f"file {path}" for path in sorted(self.files.iterdir())]
        if self.engine is not None:
            found += [f"container {name}" for name in self.engine.containers()]
        mounted = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
        ours = {path for path in mounted if path.startswith((f"{self.files}/", f"{self.data}/"))}
        return found + [f"mount {path}" for path in sorted(ours)]

    def stop(self) -> None:
        """End the service in good order; what it stands on stays."""
        self._stopping.set()
        self._keeper.join()
        for kept in (self.server, *self.workers):
            if kept.process.alive:
                kept.process.tell(signal.SIGTERM)
        for kept in (self.server, *self.workers):
            kept.process.ended()

    def said(self) -> str:
        """All that the service has logged."""
        return "".join(kept.log.read_text() for kept in (self.server, *self.workers))

    def _kept(self, name: str, command: str, sandbox: str) -> Kept:
        clock = Clock(self._library, self.folder / f"clock-{name}")
        within = ["unshare", "--mount", "sh", "-c", _OWN_TMP, str(self.files), *clock.command, f"TMPDIR={self.files}"]
        if self.engine is not None:
            within.append(f"DOCKER_HOST={self.engine.host}")
        settings = {
            "database_url": self.postgres.url,
            "redis_url": self.redis.url,
            "exercises_dir": self._exercises,
            "port": self._port,
            "sandbox": sandbox,
            "docker_socket_dir": self.files,
            "policy": "per_process",
            "policy_batch": "per_container",
            "pool_size": 1,
            "pool_cap": 4,
            "lease_s": LEASE_S,
            "reconcile_every_s": 0.3,
            "retry_backoff_s": 0.1,
            "max_attempts": MOST_ATTEMPTS,
            "within": within,
        }
        return Kept(name, clock, self.folder / f"{name}.log", [command], settings)

    def _keep(self) -> None:
        while not self._stopping.wait(_KEEP_S):
            for kept in (self.server, *self.workers):
                kept.look()

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError), self.client() as client:
            return client.get("/readyz").status_code == 200
        return False

    @staticmethod
    def _processes() -> list[tuple[int, str, str]]:
        """All below us that live: pid, command line, and that of the parent."""
        living = meter.descendants(os.getpid())
        said = {process.pid: _said(process.pid) for process in living if process.state != "Z"}
        return [(p.pid, said[p.pid], said.get(p.parent, "")) for p in living if p.pid in said]


@contextlib.contextmanager
def world(*sandboxes: str) -> Iterator[World]:
    """A service with a worker for each of these sandboxes; all of it is gone at the end. Raises Lacking."""
    if os.geteuid() != 0:
        raise Lacking("chaos needs root: it mounts small file systems, to fill them up")
    program("unshare")
    libc = ctypes.CDLL(None)
    with contextlib.ExitStack() as stack:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        stack.callback(libc.prctl, _PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        folder = Path(tempfile.mkdtemp(prefix="gc-", dir="/tmp"))  # short: the name of a socket has 107 bytes
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield World(folder, sandboxes, stack)


def _mounted(folder: Path, options: str, stack: contextlib.ExitStack) -> Path:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "gc", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Lacking(f"chaos cannot mount a file system of its own: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["umount", "--lazy", folder], check=True)
    return folder


def _said(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return ""
