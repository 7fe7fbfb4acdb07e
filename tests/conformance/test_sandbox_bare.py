"""The local backend on a kernel that grants no namespaces: less is hidden there, and nothing less is limited."""

import os
import threading

import pytest

from sandbox import folders
from sandbox.backends import local
from sandbox.backends.local import LocalBackend
from sandbox.errors import SandboxLost, SandboxUnavailable
from sandbox.guest import meter
from sandbox.interface import Cause, SandboxSpec
from tests.functional.service import until


@pytest.fixture
def backend(local_backend):
    bare = LocalBackend()
    bare._namespaces = False
    return bare


def test_the_check_calls_it_unsafe_and_says_what_to_do(backend):
    (finding,) = [finding for finding in backend.check() if finding.check == "namespaces"]
    assert finding.level == "unsafe"
    assert "sysctl" in finding.remedy


@pytest.mark.parametrize(
    ("says", "level"),
    [
        ("os.kill(os.getpid(), 9)", "missing"),
        ("1 / 0", "missing"),
        (f"sys.stderr.write('EPERM'); sys.stderr.flush(); os._exit({local._REFUSED})", "unsafe"),
    ],
    ids=["killed", "broken", "refused"],
)
def test_only_a_refusal_means_that_there_are_no_namespaces(local_backend, monkeypatch, says, level):
    real = local._code
    monkeypatch.setattr(local, "_code", lambda module, then: real(module, says if "probe" in then else then))
    asked = LocalBackend()
    (finding,) = [finding for finding in asked.check() if finding.check == "namespaces"]
    assert finding.level == level
    if level == "missing":
        with pytest.raises(SandboxUnavailable, match="not known: what asks for them ended with"):
            asked.start(SandboxSpec())
        monkeypatch.undo()
        assert asked._own_namespaces().level == local_backend._own_namespaces().level


def test_no_worker_with_another_clock_sweeps_away_what_asks_for_namespaces(local_backend, monkeypatch, tmp_path):
    """Chaos found it: the mount failed, and the worker did without namespaces from then on."""
    real = local._code
    monkeypatch.setattr(local, "_code", lambda module, then: real(module, f"sys.stdin.read(1)\n{then}"))
    monkeypatch.setattr(local, "_FOLDERS", str(tmp_path))
    monkeypatch.setattr(folders.time, "time", lambda: 4e9)
    asked, said = LocalBackend(), []
    reading, writing = os.pipe()
    saved = os.dup(0)
    os.dup2(reading, 0)
    try:
        asking = threading.Thread(target=lambda: said.append(asked._has_namespaces()))
        asking.start()
        until(lambda: list(tmp_path.iterdir()), "a folder to ask in")
        until(lambda: len(list(meter.descendants(os.getpid()))) > 0, "what asks")
        local._remove_leftovers()
        os.write(writing, b"!")
        asking.join()
    finally:
        os.dup2(saved, 0)
        for fd in (reading, writing, saved):
            os.close(fd)
    assert said == [local_backend._has_namespaces()]


FILES = """
import os
def fill():
    n = 0
    while True:
        with open(f"f{n}", "wb") as file: file.write(bytes(1 << 20))
        n += 1
def many():
    n = 0
    while True:
        open(f"f{n}", "w").close()
        n += 1
"""


@pytest.mark.parametrize("how", ["fill", "many"])
def test_files_are_counted(run, how):
    ending = run(FILES).dies_in(how)
    assert (ending.cause, ending.detail) == (Cause.FILES_LIMIT, "wrote more than 16 MB of files")


REACH = """
import os, socket
def reach(pid):
    found = []
    for name in ("environ", "mem", "maps", "fd"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file: file.read(1)
        except OSError: continue
        found.append(name)
    try: os.kill(pid, 0)
    except OSError: pass
    else: found.append("kill")
    try: socket.socket()
    except OSError: pass
    else: found.append("socket")
    return found
def pair():
    try: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        near, far = socket.socketpair()
        return near.send(b"x")
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: os.execv("/usr/bin/env", ["env", "sleep", "600"])
        os._exit(0)
    os.wait()
"""


def test_the_owner_is_out_of_reach(run):
    assert run(REACH).call("reach", os.getpid()) == []


def test_the_zygote_is_out_of_reach(run):
    candidate = run(REACH + "def parent(): return os.getppid()")
    assert candidate.call("reach", candidate.call("parent")) == []


def test_daemons_die_and_nothing_is_left(run, sandbox):
    candidate = run(REACH)
    candidate.call("daemon")
    assert candidate.guest.end().cause is Cause.ENDED
    sandbox.reset()
    run(REACH).call("daemon")
    home = sandbox._anchor._home
    sandbox.destroy()
    assert not os.path.exists(home)
    with pytest.raises(SandboxLost):
        sandbox.ping()


def test_no_socket_can_be_made_that_reaches_another_process(run):
    assert run(REACH).call("pair") == 1
