"""Scripts to start from, and how to change one so that it stays nearly well-formed."""

from __future__ import annotations

import collections
import contextlib
import datetime
import decimal
import fractions
import random
import struct
import uuid
from typing import Any

import numpy as np
import torch

from sandbox.codec import CodecError, Encoder
from tests.fuzz.judge import LONGEST, NUMBER


class Told:
    """An object that crosses as `kind` with `value`, whatever these are."""

    def __init__(self, kind: str, value: Any) -> None:
        self.kind, self.value = kind, value


def encoded(value: Any) -> bytes:
    return b"".join(bytes(part) for part in Encoder(lambda told: (told.kind, told.value)).encode(value))


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack("<Q", len(body)) + body for body in bodies)


def _far(handle: int, **about: Any) -> Told:
    return Told("far", {"handle": handle, "told": {"kind": "object", "type": None, "callable": True} | about})


def _class(handle: int, name: str, **about: Any) -> Told:
    plain = {"kind": "class", "name": name, "qualname": name, "module": "solution", "doc": "text", "bases": []}
    parameters = [["x", 1, True, 3], ["rest", 2, False, None]]
    more = {"library": [["torch.nn.modules.module", "Module"]], "compares": True, "enum": False, "params": parameters}
    return Told("far", {"handle": handle, "told": plain | more | {"fields": [["x", True]]} | about})


def _error(**about: Any) -> Told:
    plain = {"cls": None, "builtins": ["KeyError", "LookupError"], "args": ["text", 1], "text": "text"}
    return Told("error", plain | {"where": [["f.py", 3, "f"]], "attributes": {"code": 1}, "thrown": None} | about)


def _error_class(handle: int) -> Told:
    told = {"name": "Own", "module": "solution", "doc": "", "builtins": ["ValueError"], "bases": []}
    return Told("error_class", {"handle": handle, "told": told})


def _sub(base: str, content: Any) -> Told:
    return Told("sub", {"base": base, "content": content, "far": _far(20, type=_class(21, "Sub")).value})


def _enum() -> Told:
    members = [["A", 1], ["B", 2]]
    far = _class(30, "Colour", enum=True).value
    return Told("enum", {"name": "Colour", "members": members, "member": "A", "value": 1, "flag": False, "cls": far})


def _tensors() -> list[Any]:
    value = torch.tensor([1.0, 2.0])
    leaf = {"handle": 40, "value": value, "grad": value, "parameter": True, "wants": True}
    return [
        Told("leaf", leaf),
        Told("graph", {"handle": 41, "value": value, "ends": [("leaf", 40), ("input", 1)]}),
        value,
        torch.zeros(2, 0, dtype=torch.bool),
        Told("size", [1, 2]),
        Told("name", ["torch", "float32"]),
    ]


VALUES: list[Any] = [
    *(None, True, 5, -(1 << 70), 1.5, 1 + 2j, "text", b"bytes", bytearray(b"x"), ..., NotImplemented),
    *([1, "a", [2.5]], (1, ()), {1, 2}, frozenset({"a"}), {"a": {1: None}}, [1.0] * 9, list(range(9))),
    *(range(1, 9, 2), slice(1, None), decimal.Decimal("-1.50"), fractions.Fraction(1, 3), uuid.UUID(int=5)),
    *(datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), datetime.date(2026, 1, 2), datetime.time(1, 2)),
    *(datetime.timedelta(1, 2, 3), datetime.timezone(datetime.timedelta(hours=1)), collections.Counter("aab")),
    *(collections.OrderedDict(a=1), collections.defaultdict(list, {1: [2]}), collections.deque([1, 2], 5)),
    *(np.arange(6).reshape(2, 3), np.float32(1.5), np.array(["a", "bc"]), np.array([True]), np.datetime64("2026")),
    *_tensors(),
    *(_far(1), _class(2, "Point"), _far(3, type=_class(4, "Net")), _far(5, kind="module", name="solution")),
    *(_far(6, kind="function", name="f", params=[["x", 1, False, None]], flags=32, doc=None),),
    *(Told("iterator", {"handle": 8, "generator": True}), Told("own", NUMBER), Told("plain", [1])),
    *(_sub("int", 5), _sub("list", [1, 2]), _sub("dict", {1: 2}), _sub("str", "text"), _sub("set", {1})),
    *(Told("tuple", {"name": "Pair", "fields": ["a", "b"], "content": [1, 2], "far": _far(9).value}), _enum()),
    *(_error(), _error(cls=_error_class(50)), _error_class(51), Told("name", ["builtins", "int"])),
    *(Told("name", ["numpy.dtype", "<f4"]),),
]
_MESSAGES: list[Any] = [
    *(("ok", NUMBER, value) for value in VALUES),
    ("ok", NUMBER, [_far(60), _far(60), _class(61, "A"), _class(62, "B")]),
    ("raise", NUMBER, _error().value),
    ("call", NUMBER, NUMBER, (1, [2]), {"key": 3}),
]
_PLAIN = framed(*[encoded(("ok", NUMBER, [True, 1]))] * 4)
SCRIPTS: list[bytes] = [framed(encoded(message)) + _PLAIN for message in _MESSAGES]
_ODD: list[Any] = [*VALUES, 1 << 62, 1 << 1000, range(1 << 20), -1, float("nan"), "", [], {}, (), "\ud800", "__class__"]
_ENDLESS = b"x" + encoded("range")[1:] + encoded([0, 1 << 40, 1])  # the encoder writes no range that long
_ODD_ONES = [*map(encoded, _ODD), _ENDLESS]


def changed(stream: bytes, draw: random.Random) -> bytes:
    """The script with one value of one of its frames replaced by another, from anywhere."""
    bodies = _bodies(stream)
    if not bodies:
        return draw.choice(SCRIPTS)
    place = draw.randrange(len(bodies))
    spans = _spans(bodies[place])
    if not spans:
        return draw.choice(SCRIPTS)
    start, end = draw.choice(spans)
    bodies[place] = bodies[place][:start] + _other(bodies, draw) + bodies[place][end:]
    return framed(*bodies)[:LONGEST]


def _other(bodies: list[bytes], draw: random.Random) -> bytes:
    """A value: an odd one, a list or a pair of odd ones, or one that stands elsewhere in the script."""
    body = draw.choice(bodies)
    spans = _spans(body)
    if spans and draw.random() < 0.3:
        start, end = draw.choice(spans)
        return body[start:end]
    if draw.random() < 0.3:
        few = draw.choices(_ODD, k=draw.randrange(4))
        return encoded(draw.choice((list, tuple))(few))
    return draw.choice(_ODD_ONES)


def _bodies(stream: bytes) -> list[bytes]:
    bodies, at = [], 0
    while at + 8 <= len(stream):
        size = struct.unpack_from("<Q", stream, at)[0]
        bodies.append(stream[at + 8 : at + 8 + size])
        at += 8 + size
    return bodies


def _spans(body: bytes) -> list[tuple[int, int]]:
    """Where the values of a frame begin and end, as far as it can be read."""
    found: list[tuple[int, int]] = []
    with contextlib.suppress(CodecError, struct.error, IndexError, RecursionError):
        _span(body, 0, found)
    return found


_FIXED = {b"N": 0, b"T": 0, b"F": 0, b"i": 8, b"d": 8}
_COUNTED = {b"l": 1, b"t": 1, b"S": 1, b"Z": 1, b"m": 2}
_SIZED = {b"I": 1, b"s": 1, b"b": 1, b"B": 1, b"D": 8, b"Q": 8}


def _span(body: bytes, at: int, found: list[tuple[int, int]]) -> int:
    """Note the value at `at` and those in it; where it ends."""
    start, tag, at = at, body[at : at + 1], at + 1
    if tag in _FIXED:
        at += _FIXED[tag]
    elif tag in _COUNTED:
        count, at = _u32(body, at) * _COUNTED[tag], at + 4
        for _ in range(count):
            at = _span(body, at, found)
    elif tag in _SIZED:
        at += 4 + _u32(body, at) * _SIZED[tag]
    elif tag in (b"x", b"O"):
        at = _span(body, at + 4 + _u32(body, at), found)
    elif tag == b"a":
        at += 4 + _u32(body, at)
        at += 4 + _u32(body, at)
    elif tag in (b"A", b"X"):
        at += 4 + _u32(body, at)
        at += 1 + 8 * body[at]
        size = struct.unpack_from("<Q", body, at)[0]
        at += 9 + body[at + 8] + size
    else:
        raise CodecError("unknown tag")
    if at > len(body):
        raise CodecError("beyond the frame")
    found.append((start, at))
    return at


def _u32(body: bytes, at: int) -> int:
    size: int = struct.unpack_from("<I", body, at)[0]
    if size > len(body):
        raise CodecError("beyond the frame")
    return size
