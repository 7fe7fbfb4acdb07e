"""`grader serve` and `grader worker`: what they say when they start, and when they cannot."""

import socket

import httpx
import pytest

from tests.functional.service import Process

NOWHERE = {"redis": "redis://:secret@127.0.0.1:1/0", "database": "postgresql+psycopg://me:secret@127.0.0.1:1/x"}


def run(tmp_path, *command, **settings):
    """What a command that ends by itself said; it ends with exit code 2."""
    process = Process(tmp_path / "log", *command, data_dir=tmp_path / "data", sandbox="local", **settings)
    assert process.ended() == 2
    return process.said


def test_serve_says_where_it_is_and_shows_the_first_key_once(tmp_path, free_port, local_backend):
    settings = {"data_dir": tmp_path / "data", "sandbox": "local", "port": free_port, "exercises_dir": tmp_path}
    for shown in (True, False):
        process = Process(tmp_path / f"log-{shown}", "serve", **settings)
        process.wait_for("startup complete")
        assert f"http://127.0.0.1:{free_port}/docs" in process.said
        assert ("First API key" in process.said) is shown
        assert httpx.get(f"http://127.0.0.1:{free_port}/healthz").json() == {"ok": True}
        assert process.stop() == 0


def test_a_port_in_use_is_told_with_the_remedy(tmp_path, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        said = run(tmp_path, "serve", "--port", str(free_port))
    assert f"port {free_port}" in said
    assert "--port" in said


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path, command):
    said = run(tmp_path, command, port=0, database_url=NOWHERE["database"], redis_url=NOWHERE["redis"])
    assert "GRADER_DATABASE_URL" in said
    assert "secret" not in said


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_redis_that_does_not_answer_is_told_without_its_password(tmp_path, command):
    said = run(tmp_path, command, port=0, redis_url=NOWHERE["redis"])
    assert "GRADER_REDIS_URL" in said
    assert "secret" not in said


def test_a_worker_without_a_queue_says_what_to_do(tmp_path):
    assert "GRADER_REDIS_URL" in run(tmp_path, "worker")
