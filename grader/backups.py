"""Backups of the embedded service: its database, copied while it runs, and the key that its owner's commands use.

A backup is a .tar.gz that only its owner may read: `manifest.json`, `grader.sqlite`, `key`. Exercises are not in it:
they are files that their authors keep, and each grading names its exercise's digest. PostgreSQL has its own way
(README.md).
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from alembic.script import ScriptDirectory

from grader import migrations
from grader.db import DATABASE_FILE, Database
from grader.errors import BadInput
from grader.metrics import service as workers

KEY, MANIFEST = "key", "manifest.json"
_FORMAT = 1
_MOST_MANIFEST = 1 << 16
_PAGES = 1000  # copied at a time: the server writes in between
_COUNTED = {"submissions": "SELECT count(*) FROM submissions", "gradings": "SELECT count(*) FROM gradings"}


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. `schema`: the revision of its database."""

    format: int
    version: str
    schema: str
    created_at: str
    submissions: int
    gradings: int


def backup(data_dir: Path, file: Path) -> Manifest:
    """Write a backup, also while the service runs. Raises BadInput."""
    source = data_dir / DATABASE_FILE
    if not source.exists():
        raise BadInput(f"there is no database in {data_dir}; GRADER_DATA_DIR names the folder of the service")
    with _replaced(file) as part, tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".backup-") as scratch:
        copy = Path(scratch) / DATABASE_FILE
        with _opened(source) as original, _opened(copy) as copied:
            original.backup(copied, pages=_PAGES)
            manifest = _described(copied)
        (Path(scratch) / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2))
        with tarfile.open(part, "w:gz") as archive:
            archive.add(Path(scratch) / MANIFEST, MANIFEST)
            archive.add(copy, DATABASE_FILE)
            if (data_dir / KEY).exists():
                archive.add(data_dir / KEY, KEY)
    return manifest


def restore(file: Path, data_dir: Path, replace: bool, silent_s: float) -> Manifest:
    """Put a backup into its place. What is there already is replaced only if asked, and kept beside as `*.before`.

    At each moment there is a whole database, the old one or the new one; cut short, it can be run again.
    Raises BadInput: also where a service still uses the folder, a worker having spoken within `silent_s` seconds.
    """
    target = data_dir / DATABASE_FILE
    if target.exists():
        if not replace:
            raise BadInput(f"{target} is there already; --replace puts the backup in its place and keeps it as .before")
        if _in_use(target, silent_s):
            raise BadInput(f"a service still uses {data_dir}; stop it, wait {silent_s:g} s, and try again")
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as scratch:
        manifest = _unpacked(file, Path(scratch))
        _check(Path(scratch) / DATABASE_FILE, manifest)
        if (Path(scratch) / KEY).exists():
            _kept(data_dir / KEY, scratch)
            _put(Path(scratch) / KEY, data_dir / KEY)
        _settled(target)
        for suffix in ("-wal", "-shm", ""):
            _kept(target, scratch, suffix)
        for suffix in ("-wal", "-shm"):  # of a database that could not be settled: it would be read into the new one
            target.with_name(f"{target.name}{suffix}").unlink(missing_ok=True)
        _put(Path(scratch) / DATABASE_FILE, target)
    return manifest


def _settled(database: Path) -> None:
    """Bring what a service that was killed has left in the log of a database into its file, if it can be read."""
    with contextlib.suppress(sqlite3.Error):
        if database.exists():
            with _opened(database) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _kept(file: Path, scratch: str, suffix: str = "") -> None:
    """Keep a file beside as `*.before` too; it stays in its place until another one takes it."""
    here, before = (file.with_name(f"{file.name}{part}{suffix}") for part in ("", ".before"))
    before.unlink(missing_ok=True)
    if here.exists():
        _put(Path(shutil.copy2(here, Path(scratch) / before.name)), before)


def _put(file: Path, to: Path) -> None:
    """Put a file in the place of another in one step, which also a loss of power does not tear."""
    with file.open("rb+") as whole:
        os.fsync(whole.fileno())
    file.replace(to)
    folder = os.open(to.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _described(copied: sqlite3.Connection) -> Manifest:
    numbers = {name: copied.execute(query).fetchone()[0] for name, query in _COUNTED.items()}
    return Manifest(
        format=_FORMAT,
        version=metadata.version("grader"),
        schema=copied.execute("SELECT version_num FROM alembic_version").fetchone()[0],
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **numbers,
    )


def _unpacked(file: Path, scratch: Path) -> Manifest:
    """Only the three files of a backup are taken out, whatever else is in the archive."""
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                if member.isreg() and member.name in (DATABASE_FILE, KEY, MANIFEST):
                    member.mode = 0o600
                    archive.extract(member, scratch, filter="data")
        if (scratch / MANIFEST).stat().st_size > _MOST_MANIFEST:
            raise ValueError("its manifest is too large")
        manifest = Manifest(**json.loads((scratch / MANIFEST).read_text()))
    except (OSError, EOFError, tarfile.TarError, ValueError, TypeError) as error:
        raise BadInput(f"{file} is not a backup that `grader backup` wrote: {error}") from None
    if manifest.format != _FORMAT:
        raise BadInput(
            f"{file} has format {manifest.format}; this version reads {_FORMAT}: install grader {manifest.version}"
        )
    return manifest


def _check(copy: Path, manifest: Manifest) -> None:
    """That the copy is whole, and not from a later version. An older one is brought up to date when it is opened."""
    try:
        with _opened(copy) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
            numbers = {name: connection.execute(query).fetchone()[0] for name, query in _COUNTED.items()}
    except sqlite3.DatabaseError as error:
        found, numbers = str(error), {}
    if found != "ok" or any(getattr(manifest, name) != number for name, number in numbers.items()):
        raise BadInput(f"the database in the backup is damaged: {found}")
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    known = {revision.revision for revision in scripts.walk_revisions()}
    if manifest.schema not in known:
        raise BadInput(
            f"the backup is from a later version, grader {manifest.version}: install that one, or a later one"
        )


def _in_use(target: Path, silent_s: float) -> bool:
    database = Database(f"sqlite:///{target}")
    try:
        with database.begin() as session:
            return bool(workers.live(session, silent_s))
    except Exception:  # whatever is there, it is no database of a service that runs
        return False
    finally:
        database.close()


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as connection:
        yield connection


@contextlib.contextmanager
def _replaced(file: Path) -> Iterator[Path]:
    """A new file that only its owner may read, in the place of `file` once it is whole. Raises BadInput."""
    part = file.with_name(f"{file.name}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield part
        part.replace(file)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error}") from None
    finally:
        part.unlink(missing_ok=True)
