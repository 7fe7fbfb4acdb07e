"""Values as bytes, with caps: no pickle, no eval, and nothing is allocated before its size was checked.

A value is one tag byte and what follows from it; lengths are unsigned 32-bit, little-endian:

    N T F           None, True, False            i  8 bytes      an int of 64 bits
    I len bytes     a larger int, two's compl.   d  8 bytes      a float
    s len utf-8     str (lone surrogates pass)   b len bytes     bytes        B  the same, a bytearray
    l t S Z  n …    list, tuple, set, frozenset of n values      m n k v …    dict of n pairs, in order
    D n / Q n       a list of n floats / of n 64-bit ints, as raw numbers: the common case at the speed of C
    x name value    a type of the standard library (`sandbox.standard`), rebuilt from a plain value
    A dtype shape raw / a dtype raw     numpy array / numpy scalar
    X dtype shape raw                   torch tensor, without its graph
    O kind value    an object that only the two ends understand: handles, exceptions, tensors with a graph

Why not msgpack or msgspec: msgpack allocates a list from its header before a single item arrived (a message of
2.5 kB nested 500 deep asks for gigabytes), msgspec cannot tell a tuple or a subclass from a list, and neither knows
of a budget of items over the whole message. What is here is small because it knows exactly our types.

`raw` is padded to 16 bytes so that arrays are views of the received frame, not copies. Exact types only: an instance
of a subclass is handed to the `foreign` hook of the encoder, which says what it crosses as. numpy and torch are used
only where the process has imported them already; a frame cannot make its receiver import anything.
"""

from __future__ import annotations

import functools
import math
import re
import struct
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox import standard

Foreign = Callable[[Any], "tuple[str, Any] | None"]
Rebuild = Callable[[str, Any], Any]

_LARGE = 1 << 14  # raw bytes from this size on are sent from where they lie
_ALIGN = 16
_SHORT = 64  # characters
_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_F64 = struct.Struct("<d")


class CodecError(ValueError):
    """The bytes are not a value within the caps, or the value cannot be written as bytes."""


@dataclass(frozen=True)
class Caps:
    """What a decoded message may be: checked before anything is allocated for it."""

    frame_bytes: int = 256 << 20
    depth: int = 64
    items: int = 2_000_000
    int_bits: int = 1 << 17
    dims: int = 32
    seconds: float = 20.0

    def check_empty(self, shape: Any) -> None:
        """Refuse an array without elements that has more rows than a list may have items. It takes no bytes, but who
        goes through it makes an object of each row; torch does so for the first.
        """
        if 0 in shape and math.prod(size for size in shape if size) > self.items:
            raise CodecError(f"an empty array whose rows are more than {self.items} items")


_TORCH_DTYPES = frozenset(
    f"{kind}{bits}"
    for kind, sizes in {
        "float": (16, 32, 64),
        "complex": (64, 128),
        "int": (8, 16, 32, 64),
        "uint": (8, 16, 32, 64),
    }.items()
    for bits in sizes
) | {"bfloat16", "bool"}
NUMPY_KINDS = "biufcUSmM"
_PLAIN = {"|b1": "?", "|i1": "b", "|u1": "B", "<i2": "h", "<i4": "i", "<i8": "q", "<u2": "H", "<u4": "I", "<u8": "Q"}
_PLAIN |= {"<f2": "e", "<f4": "f", "<f8": "d", "<c8": "ff", "<c16": "dd"}  # dtypes by struct's names
_PLAIN_TEXT = re.compile(r"<U([1-9]\d{0,8})", re.ASCII)
_NO_KEY = (TypeError, ValueError, RuntimeError)  # no hash; or equal hashes, but no yes or no to whether they are equal
_NUMPY_NAME = re.compile(r"[<>|=]?([biufc]\d{1,2}|[US]\d{1,9}|[mM]8(\[\d{0,9}[A-Za-z]{1,2}\])?)", re.ASCII)


class Encoder:
    """Writes values as parts of one frame. `foreign(value)` says how an object of no known exact type crosses:
    a pair of kind and plain value, or None to refuse it."""

    def __init__(self, foreign: Foreign, caps: Caps = Caps()) -> None:
        self._foreign, self._caps = foreign, caps
        self._parts: list[Any] = []
        self._buffer = bytearray()
        self._left = caps.frame_bytes  # room for what is in the buffer, and what is still to come
        self._depth = 0
        self._numpy, self._torch = sys.modules.get("numpy"), sys.modules.get("torch")

    def encode(self, value: Any) -> list[Any]:
        """The frame's parts, to be sent in order. Raises CodecError for what cannot cross or exceeds the caps."""
        self._value(value)
        self._flush()
        return self._parts

    def _flush(self) -> None:
        if self._buffer:
            self._parts.append(bytes(self._buffer))
            self._left -= len(self._buffer)
            self._buffer.clear()

    def _value(self, value: Any) -> None:
        writer = _WRITERS.get(type(value))
        if writer is not None:
            writer(self, value)
        elif (known := standard.TYPES.get(type(value))) is not None:
            self._standard(value, known)
        else:
            self._array_or_foreign(value)

    def _standard(self, value: Any, known: standard.Standard) -> None:
        try:
            plain = known.apart(value)
        except ValueError as error:
            raise CodecError(str(error)) from None
        self._put(b"x")
        self._text(type(value).__name__)
        self._nested((plain,))

    def _array_or_foreign(self, value: Any) -> None:
        numpy, torch = self._numpy, self._torch
        if numpy is not None and type(value) is numpy.ndarray:
            self._numpy_array(value)
        elif numpy is not None and isinstance(value, numpy.generic) and type(value).__module__ == "numpy":
            self._put(b"a")
            self._text(_numpy_dtype(value.dtype))
            self._bytes(value.tobytes())
        elif torch is not None and type(value) is torch.Tensor and not value.requires_grad:
            self._tensor(value)
        else:
            self._foreign_object(value)

    def _foreign_object(self, value: Any) -> None:
        told = self._foreign(value)
        if told is None:
            raise CodecError(f"a {type(value).__name__} cannot cross the wall")
        self._put(b"O")
        self._text(told[0])
        self._nested((told[1],))

    def _nested(self, values: Any) -> None:
        self._enter()
        for value in values:
            self._value(value)
        self._depth -= 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > self._caps.depth:
            raise CodecError(f"nested more than {self._caps.depth} deep")

    def _put(self, data: bytes) -> None:
        if len(self._buffer) + len(data) > self._left:
            self._room(len(data))
        self._buffer += data

    def _text(self, text: str) -> None:
        if len(text) <= _SHORT:
            self._put(_short(text))
        else:
            self._bytes(text.encode("utf-8", "surrogatepass"))

    def _bytes(self, data: bytes) -> None:
        self._put(_U32.pack(len(data)))
        self._put(data)

    def _raw(self, data: memoryview) -> None:
        """Bytes of an array: length, padding to 16 bytes of the frame, then the bytes themselves, uncopied if large."""
        self._put(struct.pack("<Q", data.nbytes))
        pad = -(self._caps.frame_bytes - self._left + len(self._buffer) + 1) % _ALIGN
        self._put(bytes((pad,)) + bytes(pad))
        if data.nbytes < _LARGE:
            self._put(bytes(data))
            return
        self._room(data.nbytes)
        self._flush()
        self._parts.append(data)
        self._left -= data.nbytes

    def _room(self, size: int) -> None:
        """Refuse what the frame has no room for; asked before an array is laid out: a view of one number can be of any
        size.
        """
        if len(self._buffer) + size > self._left:
            raise CodecError(f"larger than {self._caps.frame_bytes >> 20} MB")

    def _shape(self, shape: Any) -> None:
        if len(shape) > self._caps.dims:
            raise CodecError(f"more than {self._caps.dims} dimensions")
        self._caps.check_empty(shape)
        self._put(struct.pack(f"<B{len(shape)}q", len(shape), *shape))

    def _numpy_array(self, value: Any) -> None:
        dtype = _numpy_dtype(value.dtype)
        self._room(value.size * value.itemsize)
        flat = self._numpy.ascontiguousarray(value).reshape(-1)  # type: ignore[union-attr]
        self._put(b"A")
        self._text(dtype)
        self._shape(value.shape)
        self._raw(memoryview(flat.view("u1") if flat.size and flat.itemsize else b"").cast("B"))

    def _tensor(self, value: Any) -> None:
        torch = self._torch
        name = str(value.dtype).removeprefix("torch.")
        if name not in _TORCH_DTYPES or value.layout is not torch.strided:  # type: ignore[union-attr]
            raise CodecError(f"a tensor of {value.dtype}, {value.layout} cannot cross the wall")
        self._room(value.numel() * value.element_size())
        flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous().view(-1)
        flat = flat.as_strided(flat.shape, (1,))  # one element is contiguous with any stride, but not for `view`
        self._put(b"X")
        self._text(name)
        self._shape(value.shape)
        self._raw(memoryview(flat.view(torch.uint8).numpy() if flat.numel() else b"").cast("B"))  # type: ignore[union-attr]

    def _int(self, value: int) -> None:
        if -(1 << 63) <= value < 1 << 63:
            self._put(b"i" + _I64.pack(value))
            return
        bits = value.bit_length() + 1
        if bits > self._caps.int_bits:
            raise CodecError(f"an int of more than {self._caps.int_bits} bits")
        self._put(b"I")
        self._bytes(value.to_bytes((bits + 7) // 8, "little", signed=True))

    def _list(self, value: list[Any]) -> None:
        kinds = set(map(type, value)) if len(value) > 8 else ()
        if kinds == {float}:
            self._put(b"D" + _U32.pack(len(value)) + array("d", value).tobytes())
        elif kinds == {int} and min(value) >= -(1 << 63) and max(value) < 1 << 63:
            self._put(b"Q" + _U32.pack(len(value)) + array("q", value).tobytes())
        else:
            self._sequence(b"l", value)

    def _sequence(self, tag: bytes, value: Any) -> None:
        self._put(tag + _U32.pack(len(value)))
        self._nested(value)

    def _dict(self, value: dict[Any, Any]) -> None:
        self._put(b"m" + _U32.pack(len(value)))
        self._enter()
        for key, content in value.items():
            self._value(key)
            self._value(content)
        self._depth -= 1

    def _str(self, value: str) -> None:
        self._put(b"s")
        self._text(value)

    def _tagged(self, tag: bytes, data: bytes) -> None:
        self._put(tag)
        self._bytes(data)


@functools.lru_cache(1024)
def _short(text: str) -> bytes:
    """Length and bytes of a short text: names of ops, kinds and fields come again in every message."""
    data = text.encode("utf-8", "surrogatepass")
    return _U32.pack(len(data)) + data


_WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    type(None): lambda e, v: e._put(b"N"),
    bool: lambda e, v: e._put(b"T" if v else b"F"),
    int: Encoder._int,
    float: lambda e, v: e._put(b"d" + _F64.pack(v)),
    str: Encoder._str,
    bytes: lambda e, v: e._tagged(b"b", v),
    bytearray: lambda e, v: e._tagged(b"B", bytes(v)),
    list: Encoder._list,
    tuple: lambda e, v: e._sequence(b"t", v),
    set: lambda e, v: e._sequence(b"S", v),
    frozenset: lambda e, v: e._sequence(b"Z", v),
    dict: Encoder._dict,
}


def _numpy_dtype(dtype: Any) -> str:
    if dtype.kind not in NUMPY_KINDS or not dtype.itemsize:
        raise CodecError(f"a numpy array of dtype {dtype} cannot cross the wall")
    return str(dtype.newbyteorder("=").str)


class Decoder:
    """Reads one value from a frame. `rebuild(kind, value)` makes what the far side named as an object of its own.

    Everything is checked against the caps and against the bytes that are really there before memory is spent on it.
    Raises CodecError, whatever the bytes are.
    """

    def __init__(self, frame: Any, rebuild: Rebuild, caps: Caps = Caps()) -> None:
        self._view = memoryview(frame).cast("B")
        self._end = len(self._view)
        self._rebuild, self._caps = rebuild, caps
        self._at = 0
        self._items, self._most = 0, caps.items
        self._depth = 0
        self._until = time.monotonic() + caps.seconds

    def decode(self) -> Any:
        """The one value of the frame; bytes behind it are an error."""
        value = self._value()
        if self._at != self._end:
            raise CodecError("bytes behind the value")
        return value

    def _skip(self, size: int) -> int:
        """Where the next `size` bytes begin; what comes after them is next."""
        begin = self._at
        self._at = begin + size
        if self._at > self._end:
            raise CodecError("the frame ends inside a value")
        return begin

    def _take(self, size: int) -> memoryview:
        begin = self._skip(size)
        return self._view[begin : self._at]

    def _length(self) -> int:
        return int(_U32.unpack_from(self._view, self._skip(4))[0])

    def _spend(self, items: int) -> None:
        self._items += items
        if self._items > self._most:
            raise CodecError(f"more than {self._most} items")

    def _tick(self) -> None:
        """Keys that all have the same hash make a dict quadratic; the clock is the answer to all such tricks."""
        if time.monotonic() > self._until:
            raise CodecError(f"took more than {self._caps.seconds} s to read")

    def _value(self) -> Any:
        self._items += 1
        if self._items > self._most or not self._items % 256:
            self._spend(0)
            self._tick()
        reader = _READERS.get(self._view[self._skip(1)])
        if reader is None:
            raise CodecError("unknown tag")
        return reader(self)

    def _many(self) -> list[Any]:
        """As many values as the length says; grown one by one, so that a lying length allocates nothing."""
        count = self._length()
        if count > self._end - self._at:
            raise CodecError("the frame is shorter than its list")
        self._enter()
        values = [self._value() for _ in range(count)]
        self._depth -= 1
        return values

    def _one(self) -> Any:
        self._enter()
        value = self._value()
        self._depth -= 1
        return value

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > self._caps.depth:
            raise CodecError(f"nested more than {self._caps.depth} deep")

    def _text(self) -> str:
        try:
            return str(self._take(self._length()), "utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise CodecError("text that is not UTF-8") from None

    def _int(self) -> int:
        size = self._length()
        if size * 8 > self._caps.int_bits + 8:
            raise CodecError(f"an int of more than {self._caps.int_bits} bits")
        return int.from_bytes(self._take(size), "little", signed=True)

    def _numbers(self, code: str) -> list[Any]:
        count = self._length()
        self._spend(count)
        numbers = array(code)
        numbers.frombytes(self._take(8 * count))
        return numbers.tolist()

    def _dict(self) -> dict[Any, Any]:
        count = self._length()
        if 2 * count > self._end - self._at:
            raise CodecError("the frame is shorter than its dict")
        self._enter()
        built: dict[Any, Any] = {}
        for _ in range(count):
            key, value = self._value(), self._value()
            try:
                built[key] = value
            except _NO_KEY:
                raise CodecError("a key that is none") from None
        self._depth -= 1
        return built

    def _standard(self) -> Any:
        known = standard.BY_NAME.get(self._text())
        if known is None:
            raise CodecError("unknown standard type")
        plain = self._one()
        try:
            return known.rebuild(plain)
        except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, struct.error) as error:
            raise CodecError(f"not a value of that type: {type(error).__name__}") from None

    def _foreign(self) -> Any:
        kind = self._text()
        return self._rebuild(kind, self._one())

    def _shape(self) -> tuple[int, ...]:
        dims = self._take(1)[0]
        if dims > self._caps.dims:
            raise CodecError(f"more than {self._caps.dims} dimensions")
        shape = struct.unpack(f"<{dims}q", self._take(8 * dims))
        if any(size < 0 for size in shape):
            raise CodecError("a negative dimension")
        self._caps.check_empty(shape)
        return shape

    def _raw(self, shape: tuple[int, ...], itemsize: int) -> memoryview:
        (size,) = struct.unpack("<Q", self._take(8))
        count = 1
        for dim in shape:
            count *= dim
        if count * itemsize != size:
            raise CodecError("an array whose shape does not fit its bytes")
        self._take(self._take(1)[0])
        return self._take(size)

    def _numpy(self, name: str) -> Any:
        dtype = named_dtype(sys.modules["numpy"], name)
        if not dtype.itemsize:
            raise CodecError("unknown dtype")
        return dtype

    def _numpy_array(self) -> Any:
        name = self._text()
        shape = self._shape()
        if "numpy" not in sys.modules:
            return self._without_numpy(name, shape, self._raw(shape, _plain_size(name)))
        dtype = self._numpy(name)
        raw = self._raw(shape, dtype.itemsize)
        try:
            flat = sys.modules["numpy"].frombuffer(raw, "u1" if dtype.kind == "b" else dtype)
            return (flat != 0 if dtype.kind == "b" else flat).reshape(shape)
        except ValueError:
            raise CodecError("not an array") from None

    def _numpy_scalar(self) -> Any:
        name = self._text()
        raw = self._take(self._length())
        if "numpy" not in sys.modules:
            if len(raw) != _plain_size(name):
                raise CodecError("a scalar of the wrong size")
            return self._without_numpy(name, (), raw)
        dtype = self._numpy(name)
        if len(raw) != dtype.itemsize:
            raise CodecError("a scalar of the wrong size")
        value = sys.modules["numpy"].frombuffer(bytes(raw), dtype)[0]
        return value != 0 if dtype.kind == "b" else value

    def _without_numpy(self, name: str, shape: tuple[int, ...], raw: memoryview) -> Any:
        """A number, or lists of numbers: what `tolist` makes of it. For a judge whose suite has no numpy of its own."""
        self._spend(sum(math.prod(shape[: depth + 1]) for depth in range(len(shape))))
        size = _plain_size(name)
        return _nested(shape, (_plain(name, raw[at : at + size]) for at in range(0, len(raw), size)))

    def _tensor(self) -> Any:
        torch = sys.modules.get("torch")
        name = self._text()
        if torch is None or name not in _TORCH_DTYPES:
            raise CodecError("a tensor that this runtime does not know")
        dtype = getattr(torch, name)
        shape = self._shape()
        raw = self._raw(shape, dtype.itemsize)
        try:
            if not len(raw):
                return torch.empty(shape, dtype=dtype)
            if raw.readonly:
                raw = memoryview(bytearray(raw))
            flat = torch.frombuffer(raw, dtype=torch.uint8 if name == "bool" else dtype)
            return (flat != 0 if name == "bool" else flat).reshape(shape)
        except (RuntimeError, ValueError):
            raise CodecError("not a tensor") from None


def _plain_size(name: str) -> int:
    """The bytes of an element of that dtype, by its name. Raises CodecError where only numpy knows it."""
    if text := _PLAIN_TEXT.fullmatch(name):
        return 4 * int(text[1])
    if name not in _PLAIN:
        raise CodecError("an array, but this runtime has no numpy")
    return struct.calcsize(f"<{_PLAIN[name]}")


def _plain(name: str, raw: memoryview) -> Any:
    if name not in _PLAIN:
        try:
            return str(raw, "utf-32-le").rstrip("\0")
        except UnicodeDecodeError:
            raise CodecError("an array of what is no text") from None
    numbers = struct.unpack(f"<{_PLAIN[name]}", raw)
    return numbers[0] if len(numbers) == 1 else complex(*numbers)


def _nested(shape: tuple[int, ...], elements: Iterator[Any]) -> Any:
    return [_nested(shape[1:], elements) for _ in range(shape[0])] if shape else next(elements)


def named_dtype(numpy: Any, name: str) -> Any:
    """numpy's dtype of that name: numbers, texts, dates. Raises CodecError for all else that numpy would parse."""
    if not _NUMPY_NAME.fullmatch(name):
        raise CodecError("unknown dtype")
    try:
        return numpy.dtype(name)
    except (TypeError, ValueError):
        raise CodecError("unknown dtype") from None


def _set(decoder: Decoder) -> set[Any]:
    built: set[Any] = set()
    for count, value in enumerate(decoder._many()):
        try:
            built.add(value)
        except _NO_KEY:
            raise CodecError("a member that is none") from None
        if not count % 256:
            decoder._tick()
    return built


_TAGS: dict[bytes, Callable[[Decoder], Any]] = {
    b"N": lambda d: None,
    b"T": lambda d: True,
    b"F": lambda d: False,
    b"i": lambda d: _I64.unpack_from(d._view, d._skip(8))[0],
    b"I": Decoder._int,
    b"d": lambda d: _F64.unpack_from(d._view, d._skip(8))[0],
    b"s": Decoder._text,
    b"b": lambda d: bytes(d._take(d._length())),
    b"B": lambda d: bytearray(d._take(d._length())),
    b"l": Decoder._many,
    b"t": lambda d: tuple(d._many()),
    b"S": _set,
    b"Z": lambda d: frozenset(_set(d)),
    b"m": Decoder._dict,
    b"D": lambda d: d._numbers("d"),
    b"Q": lambda d: d._numbers("q"),
    b"x": Decoder._standard,
    b"A": Decoder._numpy_array,
    b"a": Decoder._numpy_scalar,
    b"X": Decoder._tensor,
    b"O": Decoder._foreign,
}
_READERS = {ord(tag): reader for tag, reader in _TAGS.items()}
