# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Peek: read the tests, the expected values, the seed or the host, and print what was found."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]
WORD = "W = 'kanarie' + 'vo' + 'gel'\n"
CASES = [
    case(
        "walk_the_disk",
        STUB
        + WORD
        + """
import os
found = 0
for folder in ("/work", "/tmp", "/var/tmp", "/run", "/home", "/root", "/srv", "/opt", "/dev/shm", "."):
    for path, _, names in os.walk(folder):
        for name in names:
            if "test" in name or name.endswith((".toml", ".json")):
                try:
                    if "kanarie" + "v" in open(os.path.join(path, name)).read(100_000): print("FOUND", path, name, W)
                except (OSError, UnicodeDecodeError): pass
            found += 1
            if found > 5000: break
""",
        "failed",
        "time_limit",
    ),
    case(
        "environment",
        STUB
        + "import os\nprint(dict(os.environ))\nfor pid in ('self', '1', str(os.getppid())):\n    try: print(open(f'/proc/{pid}/environ').read())\n    except OSError: pass",
    ),
    case(
        "command_lines",
        STUB
        + "import os\nfor pid in filter(str.isdigit, os.listdir('/proc')):\n    try: print(open(f'/proc/{pid}/cmdline').read()[:300])\n    except OSError: pass",
    ),
    case(
        "own_memory",
        STUB
        + """
import re
needle = re.compile(b"kanarie[v]ogel.{0,40}")  # does not match itself
def add(*_):
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as mem:
        for line in maps:
            if "rw" not in line.split()[1] or "[v" in line: continue
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            try:
                mem.seek(start)
                for hit in needle.findall(mem.read(min(end - start, 1 << 24))): print("FOUND", hit)
            except (OSError, ValueError): pass
code = squares = half = mapped = root = add
""",
        "failed",
        "time_limit",
    ),
    case(
        "memory_of_others",
        STUB
        + """
import os
for pid in (1, os.getppid(), *range(2, 40)):
    for name in ("mem", "maps", "environ", "fd", "root", "cwd"):
        try: print(pid, name, os.listdir(f"/proc/{pid}/{name}") if name in ("fd", "root", "cwd") else open(f"/proc/{pid}/{name}").read(200))
        except (OSError, UnicodeDecodeError): pass
""",
    ),
    case(
        "frames_and_objects",
        STUB
        + """
import gc, sys
def add(*args):
    frame = sys._getframe()
    while frame:
        print(sorted(map(str, frame.f_globals))[:40], {k: repr(v)[:80] for k, v in frame.f_locals.items()})
        frame = frame.f_back
    for held in gc.get_objects():
        if type(held) is dict and any(isinstance(k, str) and k.startswith("test_") for k in list(held)): print(repr(held)[:200])
code = squares = half = mapped = root = add
""",
        "failed",
        "output_limit",
        "time_limit",
    ),
    case(
        "arguments_and_callbacks",
        STUB
        + """
def look(*args):
    for arg in args:
        print(repr(arg), [(name, repr(getattr(arg, name, None))[:200]) for name in dir(arg)])
        for name in ("__globals__", "__closure__", "__code__", "__self__", "_agent"): print(getattr(arg, name, None))
add = code = squares = half = root = look
def mapped(function, values):
    look(function)
    try: function.__globals__
    except AttributeError: pass
    for wrong in (None, object(), "x" * 10):
        try: print(function(wrong))
        except BaseException as error: print(repr(error), error.__traceback__)
""",
    ),
    case(
        "compare_to_learn",
        STUB
        + """
class Spy:
    def __init__(self, *_): pass
    def __eq__(self, other): print("expected", repr(other)); return True
    __lt__ = __gt__ = __contains__ = __radd__ = __rsub__ = __sub__ = __eq__
    def __hash__(self): return 4
    def __getattr__(self, name): return Spy()
    def __format__(self, how): print("format", how); return ""
add = code = squares = half = mapped = root = lambda *_: Spy()
Point = Spy
""",
    ),
    case(
        "random_states",
        STUB
        + "import random, numpy\nprint(random.getstate()[1][:3], numpy.random.get_state()[1][:3])\ndef add(*_): print(random.getstate()[1][:3])",
    ),
    case(
        "imports_of_the_grader",
        STUB
        + "for name in ('grader', 'grader.judge', 'grader.suite', 'test_hidden', 'tests.test_hidden', 'conftest'):\n    try: print(name, vars(__import__(name)))\n    except Exception: pass",
    ),
    case(
        "engine_and_network",
        STUB
        + """
import socket
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/grader/control"):
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(path); print("FOUND", path)
    except OSError: pass
for port in (6399, 5499, 8300, 6379, 5432):
    try: socket.create_connection(("127.0.0.1", port), 1); print("FOUND", port)
    except OSError: pass
""",
    ),
    case(
        "raised_to_be_told",
        STUB
        + "def add(*args): raise ValueError(repr(args), locals(), globals())\ncode = squares = half = mapped = root = add",
    ),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_a_look_around_finds_nothing(attempt, submission):
    assert "FOUND" not in attempt(submission).output
