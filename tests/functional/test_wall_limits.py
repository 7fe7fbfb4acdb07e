"""A limit that one test breaks costs that test; the tests after it go on in a fresh guest."""

from sandbox.limits import Limits

SUITE = """
import pytest, solution
from solution import Box

@pytest.fixture(scope="module")
def shared(): return Box(1)
@pytest.fixture(scope="session")
def ever(): return Box(2)
class TestHeld:
    @pytest.fixture(scope="class")
    def held(self): return Box(3)
    def test_before(self, shared, ever, held): assert (shared.x, ever.x, held.x) == (1, 2, 3)
    def test_loop(self, shared): solution.loop()
    def test_after(self, shared, ever, held): assert (shared.x, ever.x, held.x) == (1, 2, 3)
def test_sleep(shared): solution.sleep()
def test_after_sleep(shared, ever): assert shared.x == 1 and ever.x == 2
def test_exit(): solution.leave()
def test_segfault(): solution.segfault()
def test_memory(): solution.greedy()
def test_files(): solution.fill()
def test_output(): solution.shout()
def test_forks(): solution.fork()
def test_swallowed():
    try: solution.leave()
    except BaseException: pass
def test_old_handles_are_refused():
    box = Box(4)
    with pytest.raises(BaseException): solution.leave()
    box.x
def test_raising_loop():
    with pytest.raises(Exception): solution.loop()
def test_after_all(shared, ever): assert shared.x == 1 and ever.x == 2 and isinstance(shared, Box)
@pytest.fixture
def broken(): solution.leave()
def test_in_a_fixture(broken): pass
@pytest.fixture
def late():
    yield
    solution.leave()
def test_in_a_teardown(late): pass
def test_generator():
    for _ in solution.drip(): pass
def test_slow_attribute(): Box(1).slow
def test_last(ever): assert ever.x == 2
"""
SOLUTION = """
import ctypes, os, time
class Box:
    def __init__(self, x): self.x = x
    @property
    def slow(self): time.sleep(60)
def loop():
    while True: pass
def sleep(): time.sleep(60)
def leave(): os._exit(0)
def segfault(): ctypes.string_at(0)
def greedy():
    keep = []
    while True: keep.append(bytearray(10_000_000))
def fill():
    with open("big", "wb") as file:
        for _ in range(100): file.write(b"x" * 1_000_000)
def shout():
    for _ in range(100_000): print("x" * 1000)
    time.sleep(5)
def fork():
    for _ in range(1000):
        if os.fork() == 0: time.sleep(60); os._exit(0)
def drip():
    while True:
        time.sleep(0.3)
        yield 1
"""
LIMITS = Limits(
    cpu_s=30, wall_s=60, test_cpu_s=0.5, test_wall_s=1.5, memory_mb=128, files_mb=16, output_kb=16, processes=16
)


def test_each_limit_costs_the_test_that_broke_it(grade):
    graded = grade(SUITE, SOLUTION, limits=LIMITS)
    outcomes = {name: shown.partition(":")[0] for name, shown in graded.flaws.items()}
    assert outcomes.pop("test_forks") in {
        "crashed",
        "failed",
    }  # the kernel lets only root's guests fork beyond the limit
    assert outcomes == {
        "TestHeld::test_loop": "time_limit",
        "test_sleep": "time_limit",
        "test_exit": "crashed",
        "test_segfault": "crashed",
        "test_memory": "memory_limit",
        "test_files": "failed",
        "test_output": "crashed",
        "test_swallowed": "crashed",
        "test_old_handles_are_refused": "crashed",
        "test_raising_loop": "time_limit",
        "test_in_a_fixture": "crashed",
        "test_in_a_teardown": "crashed",
        "test_generator": "time_limit",
        "test_slow_attribute": "time_limit",
    }
    assert graded.shown["test_exit"] == "crashed: the process exited with status 0"
    assert graded.shown["test_sleep"] == "time_limit: no answer within 1.5 s (the time of a single test)"
    assert "0.5 s of processor time" in graded.shown["TestHeld::test_loop"]
    assert str(graded.result.verdict) == "partial"
    assert "x" * 50 in graded.result.output


LONG = "import solution\n" + "".join(f"def test_{i}(): solution.loop()\n" for i in range(5))


def test_when_all_time_is_used_up_the_rest_is_told_so(grade):
    graded = grade(LONG, "def loop():\n    while True: pass\n", limits=Limits(cpu_s=1, wall_s=30, test_cpu_s=0.4))
    assert set(graded.shown) == {f"test_{i}" for i in range(5)}
    assert all(shown.startswith("time_limit") for shown in graded.shown.values())
    assert (
        graded.shown["test_4"]
        == "time_limit: not run: the 1 s of processor time of the grading were used up before this test"
    )
    assert str(graded.result.verdict) == "time_limit"
    assert graded.result.usage.cpu_s < 2


def test_wall_time_is_used_up_as_well(grade):
    graded = grade(
        LONG, "import time\ndef loop(): time.sleep(60)\n", limits=Limits(cpu_s=9, wall_s=1.5, test_wall_s=0.6)
    )
    assert graded.shown["test_4"] == "time_limit: not run: the 1.5 s of the grading were used up before this test"
    assert str(graded.result.verdict) == "time_limit"


LOADS = {
    "import os; os._exit(3)": ("crashed", "crashed: while solution.py was loaded: the process exited with status 3"),
    "while True: pass": (
        "time_limit",
        "time_limit: while solution.py was loaded: used more than 0.4 s of processor time",
    ),
    "import time; time.sleep(60)": ("time_limit", "time_limit: while solution.py was loaded: no answer within 0.8 s"),
    "x = bytearray(10**9)": ("memory_limit", "memory_limit: "),
    "import time\nprint('x' * 10**6)\ntime.sleep(9)": (
        "output_limit",
        "crashed: while solution.py was loaded: printed more than",
    ),
    "def f(:": ("error", "error: solution.py could not be loaded: SyntaxError: invalid syntax"),
    "import nothing": (
        "error",
        "error: solution.py could not be loaded: ModuleNotFoundError: No module named 'nothing'",
    ),
    "\n\n1 / 0": (
        "error",
        "error: solution.py could not be loaded: ZeroDivisionError: division by zero (solution.py, line 3)",
    ),
    "raise SystemExit(0)": ("error", "error: solution.py could not be loaded: "),
    "\0": ("error", "error: solution.py could not be loaded: "),
}


def test_a_solution_that_cannot_be_loaded_earns_nothing_and_is_told_why(grade):
    suite = "import solution\nfrom solution import f\ndef test_a(): assert f() == 1\ndef test_b(): pass\n"
    limits = Limits(cpu_s=5, wall_s=9, test_cpu_s=0.4, test_wall_s=0.8, memory_mb=128, output_kb=16)
    for text, (verdict, message) in LOADS.items():
        graded = grade(suite, text, limits=limits)
        assert (str(graded.result.verdict), graded.result.score, graded.result.max_score) == (verdict, 0, 2), text
        assert all(shown.startswith(message) for shown in graded.shown.values()), graded.shown


def test_syntax_errors_name_file_and_line(grade):
    graded = grade(
        "import solution\ndef test_a(): pass\n", {"solution.py": "import helper", "helper.py": "x = 1\ndef f(:\n"}
    )
    assert "helper.py, line 2" in graded.shown["test_a"]


# Others have the processors, which the judge's own processes play here: for ten seconds at most, if all else fails.
BUSY = """
import contextlib, os, subprocess, sys, time
SPIN = "import time\\nend = time.monotonic() + 10\\nwhile time.monotonic() < end: pass"
@contextlib.contextmanager
def busy(*processors):
    spinners = [subprocess.Popen([sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{n}])\\n{SPIN}"],
                                 start_new_session=True) for n in processors]
    try: yield
    finally:
        for spinner in spinners: spinner.kill(); spinner.wait()
"""
SLOW_JUDGE = """
from solution import double
def test_calls():
    mine = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [mine])
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    spent = 0.0
    with busy(mine):
        while spent < 4:
            began = time.monotonic()
            assert double(2) == 4
            spent += time.monotonic() - began
"""
SLOW_GUEST = """
from solution import work
def test_calls():
    began = time.monotonic()
    with busy(*3 * [*os.sched_getaffinity(0)]):
        for _ in range(4): work(0.25)
    assert time.monotonic() - began > 1.6
def test_once_more(): work(0.25)
"""
WORK = "import time\ndef work(s):\n    end = time.thread_time() + s\n    while time.thread_time() < end: pass\n"


def test_time_for_which_the_judge_has_no_processor_is_not_the_candidates(grade):
    limits = Limits(cpu_s=9, wall_s=2, test_wall_s=1.5)
    assert not grade(BUSY + SLOW_JUDGE, "def double(x): return 2 * x\n", limits=limits).flaws


def test_time_for_which_a_guest_has_no_processor_is_given_back_for_good(grade):
    assert not grade(BUSY + SLOW_GUEST, WORK, limits=Limits(cpu_s=9, wall_s=2, test_wall_s=1.5)).flaws
