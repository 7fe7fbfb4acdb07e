"""What a sandbox and its guests do from start to end, on every backend."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.errors import SandboxLost
from sandbox.interface import Cause
from sandbox.limits import Limits
from sandbox.wire import WireTimeout

ROOT = Path(__file__).parents[2]
LIMITS = Limits(cpu_s=5, memory_mb=256, processes=16, files_mb=16, output_kb=16)


def test_a_zygote_answers_a_ping(sandbox):
    sandbox.ping()


def test_a_guest_answers_and_ends_when_told(run):
    candidate = run("def add(a, b): return a + b")
    assert candidate.call("add", 2, 3) == 5
    ending = candidate.guest.end()
    assert (ending.cause, ending.output) == (Cause.ENDED, b"")
    assert candidate.guest.end() is ending


def test_each_guest_is_a_fresh_interpreter(run, sandbox):
    counts = "import json\ndef count():\n    json.seen = getattr(json, 'seen', 0) + 1\n    return json.seen"
    for _ in range(3):
        candidate = run(counts)
        assert candidate.call("count") == 1
        assert candidate.guest.end().cause is Cause.ENDED
        sandbox.reset()
    assert sandbox.uses == 3


def test_prints_are_told_and_stdin_is_empty(run):
    candidate = run(
        """
        import os, subprocess, sys
        def speak():
            print("to stdout")
            print("to stderr", file=sys.stderr)
            os.write(1, b"by descriptor\\n")
            subprocess.run(["echo", "by a child"], check=True)
            return sys.stdin.read()
        """
    )
    assert candidate.call("speak") == ""
    output = candidate.guest.end().output.decode().splitlines()
    assert output == ["to stdout", "to stderr", "by descriptor", "by a child"]


def test_a_candidate_may_use_threads_children_and_asyncio(run):
    candidate = run(
        """
        import asyncio, concurrent.futures, multiprocessing, subprocess, sys, threading
        def work():
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                threads = list(pool.map(abs, [-1, -2]))
            async def sleep():
                await asyncio.sleep(0.01)
                return 3
            queue = multiprocessing.get_context("fork").SimpleQueue()
            child = multiprocessing.get_context("fork").Process(target=queue.put, args=(4,))
            child.start()
            child.join()
            told = subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, text=True).stdout
            return [*threads, asyncio.run(sleep()), queue.get(), int(told)]
        """
    )
    assert candidate.call("work") == [1, 2, 3, 4, 5]


def test_a_stopped_guest_can_be_ended(run, sandbox):
    candidate = run("import os, signal\ndef go(): os.kill(os.getpid(), signal.SIGSTOP)")
    with pytest.raises(WireTimeout):
        candidate.call("go", within_s=0.5)
    assert candidate.guest.end().cause is Cause.ENDED
    sandbox.reset()


DAEMON = """
import os, time
def go():
    if os.fork() == 0:
        os.setsid()
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(600)
        os._exit(0)
def others():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[0])
            except OSError:
                pass
    return len(found)
"""


def test_daemons_die_with_their_guest(run, sandbox):
    first = run(DAEMON)
    before = first.call("others")
    first.call("go")
    assert first.guest.end().cause is Cause.ENDED
    sandbox.reset()
    if before < 20:  # the sandbox has a process table of its own, so we can count
        assert run(DAEMON).call("others") == before


def test_nothing_is_left_of_a_destroyed_sandbox(start, traces):
    sandbox = start()
    sandbox.spawn(LIMITS)
    assert traces(sandbox)
    sandbox.destroy()
    assert not traces(sandbox)
    sandbox.destroy()
    with pytest.raises(SandboxLost):
        sandbox.ping()


OWNER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from sandbox.interface import SandboxSpec
from sandbox.limits import Limits
from sandbox.wire import WireTimeout
from sandbox.backends.{module} import {cls}
backend = {cls}({arguments})
sandbox = backend.start(SandboxSpec("python", 256, 16, 16))
guest = sandbox.spawn(Limits())
print(sandbox.id, getattr(sandbox._anchor, "_process", None) and sandbox._anchor._process.pid, flush=True)
time.sleep(600)
"""
OWNERS = {
    "docker": {"module": "docker", "cls": "DockerBackend"},
    "local": {"module": "local", "cls": "LocalBackend", "arguments": ""},
}


def test_a_killed_owner_leaves_no_process_behind(backend, tmp_path, until):
    arguments = f"{os.environ.get('GRADER_DOCKER_IMAGE', 'grader-sandbox')!r}, None, Path({str(tmp_path)!r})"
    code = OWNER.format(root=str(ROOT), **({"arguments": arguments} | OWNERS[backend.name]))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        name, pid = owner.stdout.readline().split()
        owner.kill()
    if backend.name == "docker":
        until(lambda: not backend._client().containers.list(all=True, filters={"name": name}, sparse=True))
        assert not list(tmp_path.iterdir())
    else:
        until(lambda: not session(int(pid)))


def session(leader):
    """The processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def traces(backend):
    """What there is of a sandbox on the host: a container, or processes and a folder."""

    def look(sandbox):
        anchor = sandbox._anchor
        if backend.name == "docker":
            return backend._client().containers.list(all=True, filters={"name": sandbox.id}, sparse=True)
        return [*session(anchor._process.pid), *([anchor._home] if os.path.exists(anchor._home) else [])]

    return look


def test_a_zygote_that_was_killed_is_noticed(sandbox, backend):
    if backend.name == "docker":
        backend._client().containers.get(sandbox.id).kill()
    else:
        os.killpg(sandbox._anchor._process.pid, signal.SIGKILL)
    with pytest.raises(SandboxLost):
        sandbox.ping()
