# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Starve: use up time, memory, processes, files or output, here or in the judge."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]


def everywhere(body: str, before: str = "") -> str:
    """A submission that does this in each of its functions."""
    return f"{before}\ndef add(*_):\n    {body}\ncode = squares = half = mapped = root = Point = add\n"


CASES = [
    case("endless_loop_at_import", "while True: pass", "time_limit"),
    case("endless_loop_in_calls", everywhere("while True: pass"), "time_limit"),
    case("sleep", everywhere("__import__('time').sleep(60)"), "time_limit"),
    case("stopped", everywhere("__import__('os').kill(__import__('os').getpid(), 19)"), "time_limit"),
    case("memory", everywhere("x = bytearray(1 << 30)"), "memory_limit"),
    case("memory_at_import", "x = [bytearray(1 << 20) for _ in range(1000)]", "memory_limit", "error"),
    case(
        "shared_memory",
        everywhere("import mmap; m = mmap.mmap(-1, 1 << 29); m.write(bytes(1 << 29))"),
        "memory_limit",
        "failed",
    ),
    case(
        "fork_bomb",
        everywhere("\n    while True:\n        try: os.fork()\n        except OSError: pass", "import os"),
        "time_limit",
        "crashed",
    ),
    case(
        "thread_bomb",
        everywhere(
            "\n    while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "import threading, time\nthreading.stack_size(32768)",
        ),
        "failed",
        "crashed",
        "time_limit",
    ),
    case("output_flood", everywhere("\n    while True: print('x' * 1000)"), "output_limit"),
    case(
        "files",
        everywhere("\n    for n in range(10**6): open(f'f{n}', 'w').write('x' * 100_000)"),
        "failed",
        "crashed",
        "time_limit",
    ),
    case(
        "a_deep_tree",
        everywhere("\n    for _ in range(5000): os.mkdir('d'); os.chdir('d')", "import os"),
        "failed",
        "time_limit",
    ),
    case("huge_results", everywhere("return 'x' * (100 << 20)"), "failed", "memory_limit"),
    case(
        "huge_lists_of_nothing",
        everywhere("return [None] * 1_200_000"),
        "failed",
        "crashed",
        "memory_limit",
        "time_limit",
    ),
    case("strings_that_differ_everywhere", everywhere("return 'ab' * 1_000_000")),
    case("an_iterator_without_an_end", everywhere("return iter(int, 1)"), "failed", "time_limit"),
    case(
        "a_repr_that_hangs",
        "class Yes:\n    def __init__(self, *_): pass\n    def __repr__(self):\n        while True: pass\n    __str__ = __eq__ = __repr__\n"
        + everywhere("return Yes()"),
        "failed",
        "time_limit",
    ),
    case(
        "a_repr_that_floods",
        "class Yes(list):\n    def __repr__(self): return 'x' * (1 << 26)\n" + everywhere("return Yes()"),
    ),
    case("recursion", everywhere("return add()"), "failed", "crashed"),
    case(
        "a_callback_without_an_end",
        STUB
        + "def mapped(function, values):\n    while True: function(1)\nadd = code = squares = half = root = Point = lambda *_: None",
        "failed",
        "time_limit",
    ),
    case("a_regular_expression", everywhere("return re.match('(a+)+$', 'a' * 40 + 'b')", "import re"), "time_limit"),
    case(
        "exceptions_too_large", everywhere("raise ValueError('x' * (1 << 26), ['y'] * 100_000)"), "failed", "time_limit"
    ),
    case(
        "signals_ignored",
        everywhere(
            "while True: pass",
            "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n",
        ),
        "time_limit",
    ),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_greed_earns_nothing_and_ends(attempt, submission):
    attempt(submission)
