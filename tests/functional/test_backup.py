"""Backups of the embedded service: taken while it runs, put back, and refused where they would do harm."""

import contextlib
import io
import itertools
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile

import pytest

from grader import backups
from grader.backups import MANIFEST
from grader.db import DATABASE_FILE, Database
from grader.migrations import upgrade
from tests.databases import postgres_database, reread, submit
from tests.functional.cli import runner
from tests.functional.embedded import Embedded
from tests.functional.service import write_exercise


class Cut(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def exercises(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exercises")
    write_exercise(folder, "adding")
    return folder


@pytest.fixture(scope="module")
def service(local_backend, exercises, tmp_path_factory):
    """A service that has graded one submission, and runs."""
    folder = tmp_path_factory.mktemp("embedded")
    found = Embedded(folder, exercises)
    found.start()
    (folder / "solution.py").write_text("def add(a, b):\n    return a + b\n")
    assert found.cli("submit", "adding", folder / "solution.py").returncode == 0
    yield found
    found.stop()


@pytest.fixture(scope="module")
def taken(service):
    file = service.data.parent / "backup.tar.gz"
    done = service.cli("backup", file)
    assert done.stdout.strip() == f"{file}: 1 submissions, 1 gradings", done.stderr
    return file


@pytest.fixture
def grader(capsys):
    return runner(capsys)


@pytest.fixture
def restore(grader, tmp_path, monkeypatch):
    """`grader restore` into a new folder."""
    monkeypatch.setenv("GRADER_DATA_DIR", str(tmp_path / "var"))
    return lambda *args: grader("restore", *args)


def changed(taken, to, **replaced):
    """A backup with other contents."""
    with tarfile.open(taken) as old, tarfile.open(to, "w:gz") as new:
        for member in old:
            content = replaced.get(member.name.partition(".")[0], old.extractfile(member).read())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return to


def test_a_service_starts_with_what_was_backed_up(service, taken, exercises, tmp_path):
    other = Embedded(tmp_path, exercises)
    done = other.cli("restore", taken)
    assert done.returncode == 0, done.stderr
    assert "1 submissions, 1 gradings" in done.stdout
    assert (other.data / "key").read_text() == (service.data / "key").read_text()
    other.start()
    with other.client() as client:
        (item,) = client.get("/v1/submissions").json()["items"]
    other.stop()
    assert (item["exercise"], item["verdict"], item["score"]) == ("adding", "passed", 2)


def test_only_its_owner_can_read_a_backup(taken):
    assert stat.S_IMODE(taken.stat().st_mode) == 0o600


def test_data_that_is_there_is_replaced_only_if_asked_and_kept(taken, restore, tmp_path):
    assert restore(taken).code == 0
    with sqlite3.connect(tmp_path / "var" / DATABASE_FILE) as connection:
        connection.execute("DELETE FROM workers")  # of the service that ran when it was taken
        connection.execute("DELETE FROM submissions")
    refused = restore(taken)
    assert refused.code == 2
    assert "--replace" in refused.err
    assert restore("--replace", taken).code == 0
    for name, number in ((DATABASE_FILE, 1), (f"{DATABASE_FILE}.before", 0)):
        with sqlite3.connect(tmp_path / "var" / name) as connection:
            assert connection.execute("SELECT count(*) FROM submissions").fetchone() == (number,)


@pytest.mark.parametrize("step", range(4))
def test_a_restore_that_is_cut_short_leaves_a_whole_database_and_can_be_run_again(taken, tmp_path, monkeypatch, step):
    data = tmp_path / "var"
    backups.restore(taken, data, replace=False, silent_s=0)
    killed = (
        "import os, sqlite3, sys; old = sqlite3.connect(sys.argv[1]); old.execute('PRAGMA journal_mode=WAL')\n"
        "old.execute('DELETE FROM submissions'); old.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed, data / DATABASE_FILE], check=True)

    def submissions(name=DATABASE_FILE):
        with contextlib.closing(sqlite3.connect(data / name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return connection.execute("SELECT count(*) FROM submissions").fetchone()[0]

    replaced, moves = os.replace, itertools.count()

    def cut_short(*args, **kwargs):
        if next(moves) == step:
            raise Cut
        return replaced(*args, **kwargs)

    monkeypatch.setattr(os, "replace", cut_short)
    with pytest.raises(Cut):
        backups.restore(taken, data, replace=True, silent_s=0)
    monkeypatch.undo()
    assert submissions() == 0
    backups.restore(taken, data, replace=True, silent_s=0)
    assert (submissions(), submissions(f"{DATABASE_FILE}.before")) == (1, 0)
    assert not list(data.glob(".restore-*"))


def test_the_data_of_a_running_service_is_not_replaced(service, taken):
    done = service.cli("restore", "--replace", taken)
    assert done.returncode == 2
    assert "still uses" in done.stderr
    with service.client() as client:
        assert len(client.get("/v1/submissions").json()["items"]) == 1


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00"], ids=["empty", "text", "cut"])
def test_what_is_no_backup_is_refused(restore, tmp_path, content):
    (tmp_path / "x.tar.gz").write_bytes(content)
    done = restore(tmp_path / "x.tar.gz")
    assert done.code == 2
    assert "is not a backup" in done.err
    assert not list((tmp_path / "var").iterdir())


def test_a_damaged_database_is_refused(taken, restore, tmp_path):
    with tarfile.open(taken) as archive:
        database = archive.extractfile(DATABASE_FILE).read()
    for number, content in enumerate([b"x" * 4096, database[: len(database) // 2], b""]):
        done = restore(changed(taken, tmp_path / f"{number}.tar.gz", grader=content))
        assert done.code == 2
        assert "damaged" in done.err


def test_a_backup_of_a_later_version_is_refused(taken, restore, tmp_path):
    with tarfile.open(taken) as archive:
        manifest = json.load(archive.extractfile(MANIFEST))
    for about, told in (({"schema": "9999"}, "from a later version"), ({"format": 2}, "has format 2")):
        later = json.dumps(manifest | about).encode()
        done = restore(changed(taken, tmp_path / "later.tar.gz", manifest=later))
        assert done.code == 2
        assert told in done.err


def test_an_archive_writes_nothing_outside(taken, restore, tmp_path):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        for name in ("../outside", "/tmp/grader-outside", "var/inside"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        link = tarfile.TarInfo(DATABASE_FILE)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert restore(tmp_path / "evil.tar.gz").code == 2
    assert not (tmp_path / "outside").exists()


def test_a_backup_of_nothing_is_refused(grader, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADER_DATA_DIR", str(tmp_path / "empty"))
    done = grader("backup", str(tmp_path / "x.tar.gz"))
    assert done.code == 2
    assert "no database" in done.err
    assert not (tmp_path / "x.tar.gz").exists()


def test_postgresql_is_backed_up_in_its_own_way(grader, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADER_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1/nothing")
    done = grader("backup", str(tmp_path / "x.tar.gz"))
    assert done.code == 2
    assert "pg_dump" in done.err


@pytest.mark.postgres
def test_the_documented_way_for_postgresql_keeps_everything(postgres_url, tmp_path):
    with postgres_database(postgres_url) as old, postgres_database(postgres_url) as new:
        source = Database(old)
        upgrade(source)
        grading = submit(source)
        source.close()
        dump = tmp_path / "grader.dump"
        subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", old.replace("+psycopg", "")], check=True)
        subprocess.run(["pg_restore", "--no-owner", f"--dbname={new.replace('+psycopg', '')}", dump], check=True)
        copy = Database(new)
        upgrade(copy)
        assert (reread(copy, grading).id, reread(copy, grading).seed) == (grading.id, grading.seed)
        copy.close()
