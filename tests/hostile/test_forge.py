# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Forge: end the process, patch the tools, or write a report oneself, and have a verdict come out."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]
CASES = [
    case("exit_zero_at_import", "import os\nos._exit(0)", "crashed"),
    case(
        "exit_zero_in_a_call",
        STUB
        + "import os\ndef add(*_): os._exit(0)\ncode = squares = half = mapped = root = add\nclass Point:\n    def __init__(self, *_): os._exit(0)",
        "crashed",
    ),
    case("exit_zero_at_exit", "import atexit, os, sys\natexit.register(os._exit, 0)\nsys.exit(0)", "error"),
    case(
        "exit_zero_in_a_thread",
        STUB + "import os, threading\nthreading.Timer(0.05, os._exit, [0]).start()\nimport time\ntime.sleep(1)",
        "crashed",
    ),
    case("system_exit", STUB + "def add(*_): raise SystemExit(0)\ncode = squares = half = mapped = root = Point = add"),
    case(
        "keyboard_interrupt",
        STUB + "def add(*_): raise KeyboardInterrupt\ncode = squares = half = mapped = root = Point = add",
    ),
    case(
        "pytest_skip",
        STUB
        + "class Skipped(Exception):\n    __module__ = 'builtins'\ndef add(*_): raise Skipped('no')\ncode = squares = half = mapped = root = Point = add",
    ),
    case(
        "patched_pytest",
        STUB
        + """
import sys, types
fake = types.ModuleType("pytest")
fake.approx = lambda *a, **k: type("Any", (), {"__eq__": lambda s, o: True})()
fake.raises = lambda *a, **k: __import__("contextlib").suppress(BaseException)
for name in ("pytest", "_pytest", "_pytest.runner", "_pytest.assertion"): sys.modules[name] = fake
try:
    import _pytest.runner
    _pytest.runner.check_interactive_exception = None
except BaseException: pass
""",
    ),
    case(
        "patched_builtins",
        STUB
        + """
import builtins
class Yes:
    def __eq__(self, other): return True
    def __bool__(self): return True
builtins.len = lambda *_: 7
builtins.sorted = lambda *_: [0, 1, 4, 9]
builtins.isinstance = lambda *_: True
builtins.abs = lambda *_: 0
""",
        "failed",
        "error",
        "crashed",
    ),
    case(
        "a_conftest_beside_it",
        STUB
        + """
open("conftest.py", "w").write("def pytest_runtest_makereport(item, call): 1/0")
open("pytest.ini", "w").write("[pytest]\\naddopts = --collect-only")
open("sitecustomize.py", "w").write("raise SystemExit(0)")
""",
    ),
    case(
        "a_report_on_stdout",
        STUB
        + """
import sys, json
for i in range(50):
    print(json.dumps({"say": "test", "test": {"id": "tests/test_hidden.py::test_code", "outcome": "passed", "points": 1}}))
    print(json.dumps({"say": "done"}), file=sys.stderr)
    print("7 passed in 0.01s")
""",
    ),
    case(
        "a_junit_report",
        STUB
        + """
for name in ("report.xml", "/tmp/report.xml", "results.json", "/tmp/score"):
    with open(name, "w") as file: file.write("<testsuite tests='7' failures='0'/>")
""",
    ),
    case(
        "exceptions_that_match",
        STUB
        + """
class Anything(ValueError, AssertionError):
    def __str__(self): return "negative"
    def __instancecheck__(self, other): return True
def add(*_): raise Anything("negative")
code = squares = half = mapped = root = Point = add
""",
    ),
    case(
        "metaclass_claims",
        STUB
        + """
class Meta(type):
    def __instancecheck__(cls, other): return True
    def __subclasscheck__(cls, other): return True
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
class Point(metaclass=Meta): pass
add = code = squares = half = mapped = root = Point
""",
    ),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_a_forged_verdict_earns_nothing(attempt, submission):
    attempt(submission)
