# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Protocol: speak on the wire in the agent's place."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]
FRAMES = (
    STUB
    + """
import gc, os, socket, struct, sys, threading, time
from sandbox.codec import Encoder
def frame(*message):
    body = b"".join(bytes(part) for part in Encoder(lambda v: ("plain", None)).encode(message))
    return struct.pack("<Q", len(body)) + body
def everywhere(data):
    for fd in range(256):
        try: os.set_blocking(fd, False)
        except OSError: continue
        for _ in range(3):
            try: os.write(fd, data)
            except OSError: pass
"""
)
BROKEN = ("crashed", "failed")
CASES = [
    case("a_frame_on_every_descriptor_at_import", FRAMES + "everywhere(frame('ok', 1, 5))", *BROKEN, "error"),
    case(
        "a_frame_on_every_descriptor_in_a_call",
        FRAMES + "def add(*_): everywhere(frame('ok', 1, 5))\ncode = squares = half = mapped = root = add",
        *BROKEN,
    ),
    case(
        "answers_with_the_right_id",
        FRAMES
        + """
def add(*_):
    agent = next(held for held in gc.get_objects() if type(held).__name__ == "Agent")
    number = agent._innermost[-1]
    everywhere(frame("ok", number, -5) + frame("ok", number, 5))
    return -5
code = squares = half = mapped = root = add
""",
        *BROKEN,
    ),
    case(
        "answers_twice_later",
        FRAMES
        + """
def add(*_):
    threading.Timer(0.01, everywhere, [frame("ok", 7, 5)]).start()
    time.sleep(0.05)
code = squares = half = mapped = root = add
""",
        *BROKEN,
    ),
    case(
        "a_huge_length",
        FRAMES
        + "def add(*_): everywhere(struct.pack('<Q', 1 << 62)); time.sleep(9)\ncode = squares = half = mapped = root = add",
        *BROKEN,
    ),
    case(
        "half_a_frame",
        FRAMES
        + "def add(*_): everywhere(frame('ok', 1, 'x' * 99)[:30]); time.sleep(9)\ncode = squares = half = mapped = root = add",
        *BROKEN,
        "time_limit",
    ),
    case(
        "a_slow_drip",
        FRAMES
        + """
def add(*_):
    os.write(100, struct.pack("<Q", 1000))
    while True: os.write(100, b"x"); time.sleep(0.05)
code = squares = half = mapped = root = add
""",
        "time_limit",
        "crashed",
    ),
    case(
        "garbage",
        FRAMES
        + "def add(*_): everywhere(struct.pack('<Q', 64) + os.urandom(64))\ncode = squares = half = mapped = root = add",
        *BROKEN,
    ),
    case(
        "a_pickle",
        FRAMES
        + "import pickle\nclass E:\n    def __reduce__(self): return (eval, (chr(39).join(['print(', 'FOU', '+', 'ND', ')']),))\ndef add(*_): d = pickle.dumps(E()); everywhere(struct.pack('<Q', len(d)) + d)\ncode = squares = half = mapped = root = add",
        *BROKEN,
    ),
    case(
        "the_channel_closed",
        FRAMES + "def add(*_): os.closerange(3, 256); time.sleep(9)\ncode = squares = half = mapped = root = add",
        "crashed",
    ),
    case(
        "the_channel_passed_to_a_child",
        FRAMES
        + """
def add(*_):
    os.set_inheritable(100, True)
    if os.fork() == 0:
        while True:
            try: os.write(100, frame("ok", 1, 5))
            except OSError: break
    os._exit(0)
code = squares = half = mapped = root = add
""",
        *BROKEN,
    ),
    case(
        "patched_agent",
        FRAMES
        + """
from sandbox.guest import agent, outward
agent.Agent._call = lambda self, options, function, args, kwargs: -5
agent._OPS["call"] = lambda *a: -5
agent._OPS["find"] = lambda a, o, names: [[True, 5]] * len(names)
""",
        "failed",
        "error",
        "crashed",
    ),
    case(
        "handles_out_of_nowhere",
        FRAMES
        + """
from sandbox.guest.outward import Outward
Outward.__call__ = lambda self, value: ("far", {"handle": 2 ** 70, "told": {"kind": "object", "type": 5, "callable": "x"}})
add = code = squares = half = mapped = root = Point = lambda *_: object()
""",
        "failed",
        "error",
        "crashed",
    ),
    case(
        "unknown_kinds",
        FRAMES
        + "from sandbox.guest.outward import Outward\nOutward.__call__ = lambda self, value: ('__reduce__', [1, {'os': 'system'}])\nadd = code = squares = half = mapped = root = Point = lambda *_: object()",
        "failed",
        "error",
        "crashed",
    ),
    case(
        "calls_what_was_not_lent",
        FRAMES
        + """
def add(*_):
    agent = next(held for held in gc.get_objects() if type(held).__name__ == "Agent")
    return agent.call_back(12345, (), {})
code = squares = half = mapped = root = add
""",
        *BROKEN,
    ),
    case(
        "nested_too_deep",
        STUB
        + "def add(*_):\n    v = []\n    for _ in range(100_000): v = [v]\n    return v\ncode = squares = half = mapped = root = add",
    ),
    case("an_int_too_long", STUB + "def add(*_): return 1 << 10_000_000\ncode = squares = half = mapped = root = add"),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_a_broken_protocol_earns_nothing(attempt, submission):
    assert "FOUND" not in attempt(submission).output
