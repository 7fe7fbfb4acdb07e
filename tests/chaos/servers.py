"""Servers of the suite's own, on free ports: they may be killed, stopped and started without disturbing anybody."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import docker
import psycopg
import redis
from docker.errors import DockerException

from tests.functional.service import until

_ENDS_S, _LOADS_S = 30, 300


class Lacking(Exception):
    """Something that the suite needs is not on this machine; the message says what."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def program(name: str) -> str:
    """Where a program is. Raises Lacking."""
    if (found := shutil.which(name)) is None:
        raise Lacking(f"there is no {name}")
    return found


class _Server:
    """A process that is there until it is told to end; `command` starts it anew."""

    def __init__(self, log: Path, user: str | None = None) -> None:
        self._log, self._user = log, user
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Until it answers; again where it ends meanwhile. Nothing happens to one that runs."""

        def started() -> bool:
            if not self.alive:
                with self._log.open("ab") as out:
                    self._process = subprocess.Popen(
                        self.command(),
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                        user=self._user,
                        group=self._user,
                        extra_groups=None if self._user is None else [],
                    )
            return self.answers()

        until(started, type(self).__name__)

    def tell(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, number: signal.Signals) -> None:
        """End it by this signal, and wait for that."""
        if self.alive and self._process is not None:
            self.tell(number)
            self._process.wait(_ENDS_S)


class Redis(_Server):
    """Without persistence: what it held is gone when it ends."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "redis.log")
        self._program, self._port = program("redis-server"), free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def command(self) -> Sequence[str]:
        kept_nowhere = ["--save", "", "--appendonly", "no"]
        return [self._program, "--port", str(self._port), "--bind", "127.0.0.1", *kept_nowhere]

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2)

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False


class Postgres(_Server):
    """A cluster of its own in a folder that the user postgres may write. `clock`: see `world.Clock`."""

    def __init__(self, folder: Path, log: Path, clock: Sequence[str]) -> None:
        super().__init__(log, "postgres")
        self._bin = max(
            Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda found: float(found.parent.name)
        )
        if self._bin is None:
            raise Lacking("there is no PostgreSQL server to start")
        self._folder, self._port, self._clock = folder / "data", free_port(), clock
        self.url = f"postgresql+psycopg://grader@127.0.0.1:{self._port}/postgres"
        shutil.chown(folder, "postgres", "postgres")
        small = ["--wal-segsize=1", "--no-sync", "-A", "trust", "--locale=C.UTF-8"]
        command = [f"{self._bin}/initdb", "-D", str(self._folder), "-U", "grader", *small]
        subprocess.run(command, check=True, capture_output=True, user="postgres", group="postgres", cwd="/")

    def command(self) -> Sequence[str]:
        (self._folder / "postmaster.pid").unlink(missing_ok=True)  # of one that was killed: its pid may be another's
        about = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "max_connections": 200}
        about |= {"min_wal_size": "4MB", "max_wal_size": "32MB", "shared_buffers": "32MB"}
        options = [word for name, value in about.items() for word in ("-c", f"{name}={value}")]
        return [*self._clock, f"{self._bin}/postgres", "-D", str(self._folder), "-p", str(self._port), *options]

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.Error), self._connection() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def backends(self) -> list[int]:
        """The pids of the processes that serve others' connections."""
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with self._connection() as connection:
            return [pid for (pid,) in connection.execute(query)]

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(f"host=127.0.0.1 port={self._port} user=grader dbname=postgres", connect_timeout=2)


class Engine(_Server):
    """A Docker engine beside the machine's own, with the sandbox image of the runtime `python`; its containers end
    with it."""

    IMAGE = "grader-sandbox:python"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "engine.log")
        self._program, self._folder = program("dockerd"), folder / "engine"
        self._folder.mkdir()
        self.host = f"unix://{self._folder}/s"

    def command(self) -> Sequence[str]:
        (self._folder / "pid").unlink(missing_ok=True)
        places = {"data-root": "d", "exec-root": "x", "pidfile": "pid"}
        options = [word for name, value in places.items() for word in (f"--{name}", f"{self._folder}/{value}")]
        return [self._program, "--host", self.host, *options, "--bridge=none", "--iptables=false", "--ip6tables=false"]

    def answers(self) -> bool:
        with contextlib.suppress(DockerException, OSError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False

    def client(self, timeout_s: int = 20) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.host, timeout=timeout_s)

    def load(self) -> None:
        """Take the image over from the machine's own engine. Raises Lacking."""
        try:
            with contextlib.closing(docker.from_env()) as theirs, contextlib.closing(self.client(_LOADS_S)) as ours:
                ours.images.load(b"".join(theirs.images.get(self.IMAGE).save(named=True)))
        except DockerException as error:
            raise Lacking(f"there is no engine with the image {self.IMAGE}: {error}") from None

    def zygotes(self) -> list[int]:
        """The pids, on this machine, of the first processes of the containers that run."""
        with contextlib.suppress(DockerException, OSError), contextlib.closing(self.client()) as client:
            return [found.attrs["State"]["Pid"] for found in client.containers.list(ignore_removed=True)]
        return []

    def containers(self) -> list[str]:
        """The names of all that are there, in whatever state."""
        with contextlib.closing(self.client()) as client:
            return [found.name for found in client.containers.list(all=True, ignore_removed=True)]
