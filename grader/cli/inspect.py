"""What `grader doctor` looks at beside the sandboxes: the machine, Python, exercises, database and queue."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

from grader.catalog.catalog import Catalog
from grader.settings import Settings
from sandbox.interface import Finding

_TIMEOUT_S = 3
_LEAST_MB = 1500
_TORCH_REMEDY = "make setup (or: pip install torch from PyTorch's CPU index)"


def machine() -> Iterator[Finding]:
    """Kernel, processors and memory."""
    yield Finding("kernel", "ok", f"{platform.system()} {platform.release()}, {platform.machine()}")
    if Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        yield Finding("seccomp", "ok", "the kernel filters system calls")
    else:
        yield Finding(
            "seccomp", "missing", "the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER"
        )
    cores = len(os.sched_getaffinity(0))
    detail = f"{cores} of {_cpu_model()}"
    if cores < 2:
        yield Finding("processors", "slow", detail, "use two or more: judge and solution take turns on a single one")
    else:
        yield Finding("processors", "ok", detail)
    yield _memory()


def python(runtimes: Iterable[str]) -> Iterator[Finding]:
    """Python and what judges import. Torch is only needed where an exercise is of its runtime."""
    yield Finding("Python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield Finding("pytest", "ok", metadata.version("pytest"))
    if importlib.util.find_spec("torch") is not None:
        yield Finding("torch", "ok", metadata.version("torch"))
    elif set(runtimes) - {"python"}:
        yield Finding("torch", "missing", "not installed, and exercises need it", _TORCH_REMEDY)
    else:
        yield Finding("torch", "ok", "not installed, and no exercise needs it")


def exercises(catalog: Catalog) -> Iterator[Finding]:
    """Whether there are any, and what is wrong with the broken ones."""
    slugs = catalog.slugs()
    if slugs:
        yield Finding("exercises", "ok", f"{len(slugs)} in {catalog.folder}")
    else:
        remedy = "set GRADER_EXERCISES_DIR, or: grader exercise new my-first"
        yield Finding("exercises", "missing", f"none in {catalog.folder}", remedy)
    for name, problem in catalog.problems().items():
        yield Finding(f"exercise {name}", "missing", problem, f"mend it, then: grader exercise verify {name}")


def proofs(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """The exercises that workers took out of service, as the database has it; nothing where there is no database."""
    from sqlalchemy.exc import SQLAlchemyError

    from grader.db import DATABASE_FILE, open_database
    from grader.proving.service import standings

    if settings.database_url is None and not (settings.data_dir / DATABASE_FILE).exists():
        return
    database = open_database(settings)
    try:
        with database.begin() as session:
            found = standings(session, catalog)
    except SQLAlchemyError:  # `services` says so
        return
    finally:
        database.close()
    for slug in catalog.slugs():  # of those that cannot be read `exercises` tells
        if (why := found.get(slug)) is None:
            continue
        remedy = f"mend it, then: grader exercise verify {slug} (it goes back into service by itself)"
        yield Finding(f"exercise {slug}", "missing", f"out of service, its submissions wait: {why}", remedy)


def services(settings: Settings) -> Iterator[Finding]:
    """Database and queue, as the settings name them."""
    if settings.database_url is None:
        yield _data_dir(settings.data_dir)
    else:
        url = settings.database_url.get_secret_value()
        yield _reached("database", lambda: _reach_database(url), "start it, or mend GRADER_DATABASE_URL")
    if settings.redis_url is None:
        yield Finding("queue", "ok", "embedded: the worker runs inside the server")
    else:
        address = settings.redis_url.get_secret_value()
        yield _reached("queue", lambda: _reach_redis(address), "start Redis, or mend GRADER_REDIS_URL")


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown make")


def _memory() -> Finding:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    mb = {fields[0].rstrip(":"): int(fields[1]) >> 10 for fields in lines}
    detail = f"{mb['MemAvailable']} of {mb['MemTotal']} MB are free"
    if mb["MemAvailable"] < _LEAST_MB:
        return Finding(
            "memory", "slow", detail, "free some, or lower GRADER_POOL_SIZE, GRADER_POOL_CAP, GRADER_CONCURRENCY"
        )
    return Finding("memory", "ok", detail)


def _data_dir(folder: Path) -> Finding:
    """Nothing is made: the folder, or the nearest one above that there is, must be writable."""
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("database", "ok", f"embedded: SQLite in {folder}")
    return Finding("database", "missing", f"{there} cannot be written", "set GRADER_DATA_DIR to a folder that can")


def _reached(check: str, reach: Callable[[], str], remedy: str) -> Finding:
    """`reach` says what answered, or raises whatever its driver raises."""
    try:
        return Finding(check, "ok", reach())
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return Finding(check, "missing", f"it does not answer: {reason[0][:200]}", remedy)


def _reach_database(url: str) -> str:
    from sqlalchemy import create_engine, make_url, text

    shown = make_url(url).render_as_string(hide_password=True)
    options = {"connect_timeout": _TIMEOUT_S} if url.startswith("postgresql") else {}
    engine = create_engine(url, connect_args=options)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    finally:
        engine.dispose()
    return f"{shown} answers"


def _reach_redis(url: str) -> str:
    from redis import Redis

    with Redis.from_url(url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S) as client:
        version = client.info("server")["redis_version"]
    return f"Redis {version} answers"
