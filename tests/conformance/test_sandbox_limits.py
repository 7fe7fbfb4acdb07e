"""What a guest may use, and that the limits are told apart, on every backend."""

import contextlib
import os
import subprocess
import sys
import time

import docker
import pytest
from docker.errors import ContainerError

from sandbox.errors import SandboxLost
from sandbox.interface import Cause
from sandbox.limits import Limits

IMAGE = os.environ.get("GRADER_DOCKER_IMAGE", "grader-sandbox")
SHORT = Limits(cpu_s=1, memory_mb=256, processes=16, files_mb=16, output_kb=16)


def test_a_busy_loop_ends_by_its_processor_time(run):
    ending = run("def spin():\n    while True: pass", SHORT).dies_in("spin")
    assert (ending.cause, ending.detail) == (Cause.TIME_LIMIT, "used more than 1 s of processor time")
    assert 0.9 < ending.usage.cpu_s < 2


CHILDREN = """
import os
def spin():
    while os.fork(): os.wait()
    sum(range(4_000_000))
    os._exit(0)
def spin_apart():
    for _ in range(4):
        if os.fork() == 0:
            while True: pass
    os.waitpid(-1, 0)
"""


@pytest.mark.parametrize("how", ["spin", "spin_apart"])
def test_the_processor_time_of_children_counts(run, how):
    assert run(CHILDREN, SHORT).dies_in(how).cause is Cause.TIME_LIMIT


def test_a_share_of_processor_time_ends_a_guest_before_the_whole_is_used(run):
    candidate = run("def spin():\n    while True: pass")
    candidate.guest.allow_cpu(0.4, 10)
    ending = candidate.dies_in("spin")
    assert (ending.cause, ending.detail) == (Cause.TIME_LIMIT, "used more than 0.4 s of processor time")
    assert ending.usage.cpu_s < 2


def test_a_new_share_starts_from_what_is_used(run):
    candidate = run(
        "import time\ndef work(s):\n    end = time.process_time() + s\n    while time.process_time() < end: pass"
    )
    for _ in range(4):
        candidate.guest.allow_cpu(0.6, 10)
        candidate.call("work", 0.3)
    assert 1.1 < candidate.guest.end().usage.cpu_s < 1.6


def test_no_share_reaches_beyond_what_the_guest_may_use_in_all(run):
    candidate = run("def spin():\n    while True: pass")
    candidate.guest.allow_cpu(5, 0.5)
    ending = candidate.dies_in("spin")
    assert ending.cause is Cause.TIME_LIMIT
    assert 0.5 < ending.usage.cpu_s < 2


def test_sleep_costs_no_processor_time(run):
    candidate = run("import time\ndef nap(): time.sleep(1.5)", SHORT)
    candidate.call("nap")
    usage = candidate.guest.end().usage
    assert usage.cpu_s < 0.5
    assert usage.wall_s > 1.4


def test_a_busy_neighbour_costs_a_guest_nothing(run):
    work = "import time\ndef work():\n    end = time.thread_time() + 0.6\n    while time.thread_time() < end: pass"
    candidate = run(work, SHORT)
    spin = [sys.executable, "-c", "while True: pass"]
    neighbours = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        started = time.monotonic()
        candidate.call("work")
        elapsed = time.monotonic() - started
        waited = candidate.guest.waited_s()
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
    ending = candidate.guest.end()
    assert ending.cause is Cause.ENDED
    assert 0.5 < ending.usage.cpu_s < 0.9
    assert waited > (elapsed - 0.6) / 2  # most of the delay is told as such


MEMORY = """
import os, mmap, time, numpy
def grow():
    held = []
    while True: held.append([0] * 100_000)
def grow_until_refused():
    try: grow()
    except MemoryError: return "refused"
def allocate(mb):
    try: return numpy.ones(mb << 17).nbytes >> 20
    except MemoryError: return "refused"
def spread():
    for _ in range(8):
        if os.fork() == 0:
            held = numpy.ones(60 << 17)
            while True: os.sched_yield()
    while True: os.wait()
def one_copy():
    held = numpy.ones(150 << 17)
    for _ in range(6):
        if os.fork() == 0:
            while True: time.sleep(1)
    time.sleep(0.3)
    return len(held)
def shared():
    held = mmap.mmap(-1, 400 << 20)
    for at in range(0, len(held), 4096): held[at] = 1
"""


def test_memory_that_grows_is_refused_or_ends_the_guest(run):
    candidate = run(MEMORY)
    assert candidate.call("grow_until_refused") == "refused"
    assert candidate.guest.end().cause is Cause.ENDED


def test_a_large_array_is_refused_and_a_small_one_is_not(run):
    candidate = run(MEMORY)
    assert candidate.call("allocate", 1000) == "refused"
    assert candidate.call("allocate", 150) == 150
    usage = candidate.guest.end().usage
    assert 149 < usage.memory_mb < 170


@pytest.mark.parametrize("how", ["spread", "shared"])
def test_memory_of_many_processes_and_shared_memory_count(run, how):
    ending = run(MEMORY, Limits(cpu_s=20, memory_mb=256, processes=16, files_mb=16)).dies_in(how)
    assert (ending.cause, ending.detail) == (Cause.MEMORY_LIMIT, "used more than 256 MB of memory")


def test_memory_that_processes_share_counts_once(run):
    candidate = run(MEMORY)
    assert candidate.call("one_copy") == 150 << 17
    assert candidate.guest.end().cause is Cause.ENDED


def test_a_machine_that_is_out_of_memory_ends_a_guest_first(run):
    assert run("def told(): return open('/proc/self/oom_score_adj').read()").call("told") == "1000\n"


def test_an_idle_guest_uses_next_to_no_memory(run):
    assert run("def f(): pass").guest.end().usage.memory_mb < 16


PROCESSES = """
import os, threading, time
def bomb():
    while True:
        try: os.fork()
        except OSError: pass
def many(n):
    started = 0
    for _ in range(n):
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            started += 1
        except OSError as error:
            return started, type(error).__name__
    time.sleep(0.3)
    return started, ""
def threads(n):
    threading.stack_size(65536)
    for _ in range(n): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    time.sleep(0.3)
"""


def test_a_fork_bomb_ends(run, start, sandbox):
    ending = run(PROCESSES, SHORT).dies_in("bomb")
    assert ending.cause in {Cause.TIME_LIMIT, Cause.CRASHED}
    sandbox.reset()
    assert run("def f(): return 1").call("f") == 1


def test_more_processes_than_allowed_are_refused_or_end_the_guest(run):
    candidate = run(PROCESSES)
    try:
        started, error = candidate.call("many", 40)
    except Exception:
        ending = candidate.guest.end()
        assert (ending.cause, ending.detail) == (Cause.CRASHED, "ran more than 16 processes and threads at once")
    else:
        assert (error, 14 <= started <= 17) == ("BlockingIOError", True)


def test_as_many_processes_as_allowed_run(run):
    candidate = run(PROCESSES)
    assert candidate.call("many", 15) == (15, "")
    assert candidate.guest.end().cause is Cause.ENDED


def test_threads_count_as_processes(run):
    candidate = run(PROCESSES)
    with pytest.raises(Exception):  # noqa: B017, PT011  refused inside, or ended
        candidate.call("threads", 40)


FILES = """
import errno, os, tempfile
def fill(folder):
    written = 0
    try:
        for n in range(64):
            with open(os.path.join(folder, f"f{n}"), "wb", buffering=0) as file:
                for _ in range(16): written += file.write(bytes(1 << 16))
    except OSError as error:
        return errno.errorcode[error.errno], written >> 20
    return "", written >> 20
def large():
    with open("large", "wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 20)): pass
        except OSError as error:
            return errno.errorcode[error.errno], file.tell() >> 20
def many(folder):
    try:
        for n in range(100_000): open(os.path.join(folder, f"f{n}"), "w").close()
    except OSError as error:
        return errno.errorcode[error.errno], n
"""


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm"], indirect=True)
def test_files_are_bounded(run, folder):
    error, written = run(FILES).call("fill", folder)
    assert (error, written <= 16) == ("ENOSPC", True)


def test_one_large_file_is_bounded(run):
    error, written = run(FILES).call("large")
    assert (error in {"EFBIG", "ENOSPC"}, written <= 16) == (True, True)


@pytest.mark.parametrize("folder", [".", "/dev/shm"])
def test_the_number_of_files_is_bounded(run, folder):
    error, made = run(FILES).call("many", folder)
    assert (error, made <= 10_000) == ("ENOSPC", True)


OUTPUT = """
import os
def flood():
    while True: print("x" * 1000)
def some(kb): print("y" * (kb * 1024 - 1))
"""


def test_a_flood_of_output_ends_the_guest_and_is_cut(run):
    ending = run(OUTPUT).dies_in("flood")
    assert (ending.cause, ending.detail) == (Cause.OUTPUT_LIMIT, "printed more than 16 kB")
    assert len(ending.output) == 16 << 10


def test_as_much_output_as_allowed_is_kept(run):
    candidate = run(OUTPUT)
    candidate.call("some", 16)
    ending = candidate.guest.end()
    assert (ending.cause, ending.output) == (Cause.ENDED, b"y" * (16 * 1024 - 1) + b"\n")


DEATHS = """
import ctypes, os, signal, sys
def leave(): os._exit(3)
def leave_well(): os._exit(0)
def kill(number): os.kill(os.getpid(), number)
def fault(): ctypes.string_at(0)
def recurse(n=0): return recurse(n + 1)
"""


@pytest.mark.parametrize(
    ("how", "args", "detail"),
    [
        ("leave", [], "the process exited with status 3"),
        ("leave_well", [], "the process exited with status 0"),
        ("kill", [9], "the process was killed by signal 9 (Killed)"),
        ("kill", [15], "the process was killed by signal 15 (Terminated)"),
        ("fault", [], "the process was killed by signal 11 (Segmentation fault)"),
    ],
)
def test_an_end_of_its_own_doing_is_a_crash(run, how, args, detail):
    ending = run(DEATHS).dies_in(how, *args)
    assert (ending.cause, ending.detail) == (Cause.CRASHED, detail)


@pytest.mark.engine
def test_a_kill_while_the_machine_is_out_of_memory_is_no_crash(run, docker_backend):
    """The kernel chooses whom it ends. A container that is too small for its process stands for the full machine."""
    candidate = run(DEATHS)
    greedy = ["python3", "-c", "bytearray(b'x') * (1 << 28)"]
    with contextlib.closing(docker.from_env()) as engine, pytest.raises(ContainerError, match="137"):
        engine.containers.run(
            f"{IMAGE}:python", entrypoint=greedy, mem_limit="64m", memswap_limit="64m", remove=True, network_mode="none"
        )
    with pytest.raises(SandboxLost, match="out of memory"):
        candidate.dies_in("kill", 9)
    assert run(DEATHS).dies_in("kill", 9).cause is Cause.CRASHED


def test_limits_are_the_guests_own_and_start_anew(run, sandbox):
    run("def spin():\n    while True: pass", SHORT).dies_in("spin")
    sandbox.reset()
    candidate = run("def f(): return 1", SHORT)
    assert candidate.call("f") == 1
    assert candidate.guest.end().usage.cpu_s < 0.5
