"""The check that nothing is left can fail: each kind of thing that is left is named."""

import ctypes
import os
import subprocess
import sys
import tempfile

import pytest

from sandbox.backends import local
from tests.hostile.stock import Stock


@pytest.fixture
def stock(tmp_path):
    """Without what the other tests' runners have going on in this process: a sandbox may just be starting for them."""
    return Stock([tmp_path], others=[local._FOLDERS, tempfile.gettempdir()])


def test_nothing_is_left_where_nothing_was_done(stock):
    assert stock.left(stock.take()) == []


def test_files_and_descriptors_are_named(stock, tmp_path):
    before = stock.take()
    with open(tmp_path / "forgotten", "w") as file:
        path = tmp_path / "forgotten"
        assert stock.take() - before == {f"file {path}", f"descriptor {file.fileno()} ({path})"}
    (tmp_path / "forgotten").unlink()
    assert stock.left(before) == []


def test_a_child_is_named_and_so_is_an_orphan_that_names_a_folder_of_ours(stock, tmp_path):
    before = stock.take()
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    start = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid)"
    reading, writing = os.pipe()
    child = subprocess.Popen(wait, stdin=reading)
    command = [sys.executable, "-c", start, *wait, str(tmp_path)]
    orphan = subprocess.run(command, stdin=reading, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    found = [name.split()[1] for name in stock.take() - before if name.startswith("process")]
    os.close(writing)
    os.close(reading)
    child.wait()
    assert set(found) == {str(child.pid), orphan}
    assert stock.left(before) == []


def test_a_mount_is_named(stock, tmp_path):
    before = stock.take()
    if ctypes.CDLL(None).mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, b"") != 0:
        pytest.skip("only root may mount")
    assert f"mount {tmp_path}" in stock.take() - before
    ctypes.CDLL(None).umount2(os.fsencode(tmp_path), 0)
    assert stock.left(before) == []


@pytest.mark.engine
def test_a_container_is_named(docker_backend, stock, tmp_path):
    """One of another owner is not: its folder is another."""
    from sandbox.interface import SandboxSpec
    from sandbox.limits import Limits

    owner = type(docker_backend)(docker_backend._image, None, tmp_path)
    before = stock.take()
    spec = SandboxSpec.of("python", Limits())
    with_sandboxes = [docker_backend.start(spec), owner.start(spec)]
    found = {name for name in stock.take() - before if name.startswith("container")}
    for sandbox in with_sandboxes:
        sandbox.destroy()
    assert len(found) == 1
    owner.close()
