"""The acts of chaos. Each is a function that does it, yields what it did in a few words, and undoes it when resumed.

`on` names what an act befalls: two acts on the same thing never overlap, all others may. `hold_s`: between doing and
undoing it, a number of seconds in this range passes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.world import LEASE_S, Kept, World
from tests.functional.service import until

Does = Callable[[World, random.Random], Iterator[str]]
_AT_ONCE = (0.0, 0.0)
_HOUR_S = 3600
_CHUNK = b"\0" * (1 << 16)


@dataclass(frozen=True)
class Act:
    """Something that happens to the service."""

    name: str
    on: str
    hold_s: tuple[float, float]
    does: Callable[[World, random.Random], contextlib.AbstractContextManager[str]]


ACTS: list[Act] = []
"""All of them, in the order in which they stand here."""


def act(on: str, hold_s: tuple[float, float] = _AT_ONCE) -> Callable[[Does], Does]:
    def add(does: Does) -> Does:
        name = does.__name__.replace("_", " ")
        ACTS.append(Act(name, on, hold_s, contextlib.contextmanager(does)))
        return does

    return add


@act("worker")
def a_worker_is_killed(world: World, dice: random.Random) -> Iterator[str]:
    yield _killed([_worker(world, dice).process.pid], dice)


@act("judge")
def a_judge_is_killed(world: World, dice: random.Random) -> Iterator[str]:
    yield _killed(until(world.judges, "a judge at work"), dice)


@act("judge")
def a_parent_of_judges_is_killed(world: World, dice: random.Random) -> Iterator[str]:
    yield _killed(until(world.judges_parents, "a parent of judges"), dice)


@act("zygote")
def a_zygote_is_killed(world: World, dice: random.Random) -> Iterator[str]:
    yield _killed(until(world.zygotes, "a zygote with a guest"), dice)


@act("server")
def the_server_is_killed(world: World, dice: random.Random) -> Iterator[str]:
    yield _killed([world.server.process.pid], dice)


@act("redis", (1, 4))
def redis_stands_still(world: World, dice: random.Random) -> Iterator[str]:
    with _standing_still(world.redis.pid):
        yield f"process {world.redis.pid}"


@act("redis", (0, 3))
def redis_is_killed(world: World, dice: random.Random) -> Iterator[str]:
    world.redis.end(signal.SIGKILL)
    yield "and started anew, empty"
    world.redis.start()


@act("redis")
def redis_is_flushed(world: World, dice: random.Random) -> Iterator[str]:
    client = world.redis.client()
    keys = client.dbsize()
    client.flushall()
    yield f"{keys} keys"


@act("postgres", (0, 3))
def postgres_is_stopped_at_once(world: World, dice: random.Random) -> Iterator[str]:
    world.postgres.end(signal.SIGQUIT)
    yield "and started anew"
    world.postgres.start()


@act("postgres")
def postgres_crashes(world: World, dice: random.Random) -> Iterator[str]:
    """One process that serves a connection dies: the server then ends all others and recovers."""
    yield _killed(until(world.postgres.backends, "a connection to PostgreSQL"), dice)
    until(world.postgres.answers, "PostgreSQL")


@act("worker", (1.2 * LEASE_S, 2 * LEASE_S))
def a_worker_stands_still_for_longer_than_its_lease(world: World, dice: random.Random) -> Iterator[str]:
    worker = _worker(world, dice)
    with _standing_still(worker.process.pid):
        yield worker.name


@act("files", (2, 5))
def the_disk_of_the_sandboxes_is_full(world: World, dice: random.Random) -> Iterator[str]:
    with _full(world.files):
        yield str(world.files)


@act("postgres", (2, 5))
def the_disk_of_the_database_is_full(world: World, dice: random.Random) -> Iterator[str]:
    """It goes on reading; where it cannot write its log any more, it ends."""
    with _full(world.data):
        yield str(world.data)
    if not world.postgres.answers():
        world.postgres.end(signal.SIGQUIT)
    world.postgres.start()


@act("clocks", (3, 6))
def the_clock_of_a_worker_jumps(world: World, dice: random.Random) -> Iterator[str]:
    """By hours, ahead or back: leases are measured by the database's clock."""
    worker, hours = _worker(world, dice), dice.choice([-30, -3, 3, 30])
    worker.clock.shift(hours * _HOUR_S)
    yield f"{worker.name} by {hours:+} h"
    worker.clock.shift(0)


@act("clocks", (3, 6))
def the_clock_of_the_server_jumps(world: World, dice: random.Random) -> Iterator[str]:
    hours = dice.choice([-3, 3])
    world.server.clock.shift(hours * _HOUR_S)
    yield f"by {hours:+} h"
    world.server.clock.shift(0)


@act("clocks", (2, 4))
def the_clock_of_the_database_jumps(world: World, dice: random.Random) -> Iterator[str]:
    """Ahead: all leases run out at once. Then back: what was stored meanwhile lies in the future until then."""
    seconds = dice.choice([10, 20])
    world.database_clock.shift(seconds)
    yield f"by {seconds:+} s, and back"
    world.database_clock.shift(0)


@act("engine", (0, 3))
def the_engine_is_stopped(world: World, dice: random.Random) -> Iterator[str]:
    assert world.engine is not None
    world.engine.end(signal.SIGTERM)
    yield "and started anew"
    world.engine.start()


def acts(sandboxes: Sequence[str]) -> list[Act]:
    """Those that can befall a service with these sandboxes."""
    return [found for found in ACTS if found.on != "engine" or "docker" in sandboxes]


def _worker(world: World, dice: random.Random) -> Kept:
    return dice.choice(world.workers)


def _killed(pids: Sequence[int], dice: random.Random) -> str:
    pid = dice.choice(sorted(pids))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return f"process {pid}"


@contextlib.contextmanager
def _standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _full(folder: Path) -> Iterator[None]:
    """No block and no inode is free in a file system."""
    made = folder / "full"
    made.mkdir()
    try:
        with contextlib.suppress(OSError), (made / "blocks").open("wb", buffering=0) as file:
            while file.write(_CHUNK):
                pass
        try:
            for number in range(1 << 20):
                (made / str(number)).touch()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        yield
    finally:
        for path in made.iterdir():
            path.unlink()
        made.rmdir()
