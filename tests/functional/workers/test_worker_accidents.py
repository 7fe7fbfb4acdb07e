"""Workers are killed, Redis forgets or restarts, suites are broken: every grading ends as it should, once."""

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import docker
import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from grader.grading.model import Status, Verdict
from grader.grading.models import Kind
from grader.queue import Queue
from grader.settings import Settings
from tests.functional.service import until, write_exercise

pytestmark = pytest.mark.redis
IMAGE = f"{os.environ.get('GRADER_DOCKER_IMAGE', 'grader-sandbox')}:python"


@pytest.fixture
def scratch(monkeypatch, tmp_path):
    """Where workers have their temporary files: an empty folder."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(workers):
    first = workers.start()
    grading = workers.submit("gated")
    workers.in_the_middle(grading)
    first.kill()
    assert workers.now(grading).status is Status.RUNNING
    workers.open_gate()
    workers.start()
    (ended,) = workers.ended(grading)
    assert (ended.verdict, ended.score, ended.attempts, ended.seed) == (Verdict.PASSED, 2, 2, grading.seed)
    assert workers.told(grading) == ["queued", "started", "test", "started", "test", "test", "done"]


def test_a_worker_that_is_running_takes_over_from_one_that_was_killed(workers):
    first, second = workers.start(), workers.start()
    gradings = [workers.submit("gated") for _ in range(2)]
    for grading in gradings:
        workers.in_the_middle(grading)
    first.kill()
    workers.open_gate()
    assert [ended.score for ended in workers.ended(*gradings)] == [2, 2]
    assert sorted(ended.attempts for ended in workers.ended(*gradings)) == [1, 2]
    assert second.stop() == 0


def test_a_worker_that_is_killed_leaves_no_files_of_its_judges(workers, scratch):
    worker = workers.start()
    workers.ended(workers.submit())
    assert list(scratch.iterdir())
    worker.kill()
    until(lambda: not list(scratch.iterdir()), "the end of the judges' parent")


def test_what_a_killed_worker_and_its_killed_judges_left_goes_with_the_next_worker(workers, scratch):
    first = workers.start()
    workers.ended(workers.submit())
    (left,) = scratch.glob("grader-judge-*")
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if str(left) in process.read_text().split("\0"):
                os.kill(int(process.parent.name), signal.SIGKILL)
    first.kill()
    os.utime(left, (0, 0))
    second = workers.start()
    workers.ended(workers.submit())
    (new,) = scratch.glob("grader-judge-*")
    assert new != left
    second.stop()
    assert not list(scratch.iterdir())


def test_a_disk_that_is_full_for_the_judges_costs_no_try(workers, small_disk, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(small_disk))
    workers.start(max_attempts=1)
    workers.ended(workers.submit())
    with contextlib.suppress(OSError), (small_disk / "full").open("wb", buffering=0) as file:
        while file.write(bytes(1 << 12)):
            pass
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (small_disk / str(number)).touch()
    (ended,) = workers.ended(workers.submit("bits"))
    assert (ended.status, ended.attempts) == (Status.DONE, 1)


@pytest.fixture
def small_disk(tmp_path, missing):
    """A file system of a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m,nr_inodes=200"]
    if subprocess.run(["mount", *options, "small", str(folder)], check=False).returncode:
        missing("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_flushed_redis_loses_nothing(workers):
    workers.start()
    running = workers.submit("gated")
    workers.in_the_middle(running)
    waiting = [workers.submit(kind=kind) for kind in (Kind.INTERACTIVE, Kind.BATCH) for _ in range(3)]
    redis.Redis.from_url(workers.redis_url).flushdb()
    workers.open_gate()
    assert [ended.verdict for ended in workers.ended(running, *waiting)] == [Verdict.PASSED] * 7
    for grading in (running, *waiting):
        assert (workers.now(grading).attempts, workers.told(grading).count("done")) == (1, 1)


def test_what_waited_while_no_worker_ran_is_graded_when_one_starts(workers):
    gradings = [workers.submit() for _ in range(3)]
    redis.Redis.from_url(workers.redis_url).flushdb()
    gradings.append(workers.submit())
    workers.start()
    assert [ended.score for ended in workers.ended(*gradings)] == [2] * 4


def test_a_broken_exercise_is_out_of_service_until_it_is_mended(workers):
    worker = workers.start(max_attempts=1)
    waiting = [workers.submit("broken") for _ in range(2)]
    worker.wait_for("exercise out of service")
    assert "a_module_that_nobody_has" in worker.said
    assert workers.ended(workers.submit())[0].score == 2, "others go on"
    assert not any(workers.now(one).result for one in waiting)
    write_exercise(workers.folder / "exercises", "broken")
    for ended, before in zip(workers.ended(*waiting), waiting, strict=True):
        assert (ended.verdict, ended.score, ended.attempts, ended.seed) == (Verdict.PASSED, 2, 1, before.seed)


def test_references_are_graded_by_an_idle_worker_before_anybody_submits(workers):
    worker = workers.start()
    worker.wait_for("exercise out of service")
    until(lambda: worker.said.count("exercise in service") == 3, "the references of adding, bits and gated")
    assert worker.stop() == 0


@pytest.mark.engine
def test_a_worker_without_its_image_takes_nothing_until_it_is_there(workers, docker_backend):
    engine, name = docker.from_env(), f"grader-test-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="grader-") as sockets:
        worker = workers.start(sandbox="docker", docker_image=name, docker_socket_dir=sockets)
        worker.wait_for("sandbox out of service")
        grading = workers.submit()
        until(lambda: workers.queue.depth(grading.kind) == 0, "the worker to take the message")
        assert workers.told(grading) == ["queued"], "it is not even claimed"
        engine.images.get(IMAGE).tag(name, "python")
        try:
            worker.wait_for("sandbox in service again")
            assert workers.ended(grading)[0].score == 2
            assert worker.stop() == 0
        finally:
            engine.images.remove(f"{name}:python", force=True)
            engine.close()


def test_an_exercise_that_comes_back_is_graded_then(workers):
    (workers.folder / "exercises" / "adding").rename(workers.folder / "elsewhere")
    workers.start(max_attempts=1)
    grading = workers.submit()
    until(lambda: "retry" in workers.told(grading))
    (workers.folder / "elsewhere").rename(workers.folder / "exercises" / "adding")
    (ended,) = workers.ended(grading)
    assert (ended.verdict, ended.attempts) == (Verdict.PASSED, 1)


@pytest.fixture
def own_redis(missing, free_port):
    """A Redis server of the test's own, that it may stop: its URL, and functions that start and stop it."""
    if (program := shutil.which("redis-server")) is None:
        missing("there is no redis-server to start")
    url, running = f"redis://127.0.0.1:{free_port}/0", []

    def answers():
        try:
            return redis.Redis.from_url(url).ping()
        except redis.ConnectionError:
            return False

    def start():
        command = [program, "--port", str(free_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        until(answers, "Redis")

    def stop():
        process = running.pop()
        process.send_signal(signal.SIGKILL)
        process.wait()

    start()
    yield url, start, stop
    while running:
        stop()


def test_a_redis_that_goes_away_and_comes_back_empty_loses_nothing(workers, own_redis):
    url, start, stop = own_redis
    workers.redis_url, workers.queue = url, Queue(Settings(redis_url=SecretStr(url)))
    worker = workers.start()
    running = workers.submit("gated")
    workers.in_the_middle(running)
    stop()
    stored_meanwhile = workers.submit()
    workers.open_gate()
    assert workers.ended(running)[0].attempts == 1
    start()
    assert workers.ended(stored_meanwhile)[0].verdict is Verdict.PASSED
    assert workers.ended(workers.submit())[0].verdict is Verdict.PASSED
    assert worker.stop() == 0


def test_a_worker_can_be_stopped_while_redis_is_away(workers, own_redis):
    url, _, stop = own_redis
    workers.redis_url = url
    worker = workers.start()
    stop()
    worker.wait_for("looking again")
    assert worker.stop() == 0


@pytest.fixture
def allow_connections(workers, postgres_url):
    """Open or close the test's PostgreSQL database to everybody, as a restart of the server does."""
    url = make_url(workers.url)
    if url.get_backend_name() != "postgresql":
        pytest.skip("SQLite is a file: it does not go away")
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")

    def allow(wanted):
        with server.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {wanted}"))
            if not wanted:
                ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(text(ours), {"name": url.database})

    yield allow
    allow(True)
    server.dispose()


def test_a_database_that_goes_away_in_the_middle_loses_nothing(workers, allow_connections):
    worker = workers.start()
    grading = workers.submit("gated")
    workers.in_the_middle(grading)
    allow_connections(False)
    workers.open_gate()
    worker.wait_for("the database went away")
    allow_connections(True)
    (ended,) = workers.ended(grading)
    assert (ended.verdict, ended.score, workers.told(ended).count("done")) == (Verdict.PASSED, 2, 1)
    assert ended.attempts == 1
    assert worker.stop() == 0
