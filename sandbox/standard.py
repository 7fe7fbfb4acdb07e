"""Types of the standard library that cross the wall: how each is taken apart into a plain value, and made of it again.

The plain value is hostile on the judge's side. `rebuild` believes nothing of it: it takes exact types only, and what it
costs is bounded by what was read. It raises ArithmeticError, TypeError, ValueError, LookupError, AttributeError or
struct.error for a value that is none.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import struct
import uuid
from array import array
from collections.abc import Callable
from typing import Any

_C128 = struct.Struct("<dd")
_FRACTION_BITS = 1 << 13  # a gcd of two ints is quadratic in their size
_MOST_EXPONENT = 1_000_000  # of a decimal, as in Python's default context: int() writes that many digits
_MOST_IN_RANGE = 2_000_000  # as in a list: whoever gets it goes through it as soon as it is there


class Standard:
    """How a standard library type is taken apart and rebuilt: `apart(value) -> plain`, `rebuild(plain) -> value`."""

    def __init__(self, apart: Callable[[Any], Any], rebuild: Callable[[Any], Any]) -> None:
        self.apart, self.rebuild = apart, rebuild


def _exact(value: Any, *kinds: type) -> Any:
    """The value, if it is of one of these types: a range in a list's place has no end, and a handle would be asked."""
    if type(value) not in kinds:
        raise TypeError(f"not of type {kinds[0].__name__}")
    return value


def _parts(plain: Any, *kinds: type) -> list[Any]:
    """As many parts as kinds, each of exactly that type."""
    return [_exact(part, kind) for part, kind in zip(_exact(plain, list), kinds, strict=True)]


def _decimal(plain: Any) -> decimal.Decimal:
    sign, digits, exponent = _exact(plain, list)
    if any(type(digit) is not int for digit in _exact(digits, tuple)):
        raise TypeError("not digits")
    return _bounded(decimal.Decimal((_exact(sign, int), digits, _exact(exponent, int, str))))


def _bounded(value: decimal.Decimal) -> decimal.Decimal:
    if value.is_finite() and abs(value.adjusted()) > _MOST_EXPONENT:
        raise ValueError(f"a decimal with an exponent beyond {_MOST_EXPONENT}")
    return value


def _deque(plain: Any) -> collections.deque[Any]:
    content, longest = _exact(plain, list)
    return collections.deque(_exact(content, list), _exact(longest, int, type(None)))


def _array(typecode: str, content: bytes) -> array[Any]:
    if typecode == "u":  # may hold what is no text
        raise ValueError("an array of texts")
    return array(typecode, content)


def _terms(numerator: int, denominator: int) -> list[int]:
    if max(numerator.bit_length(), denominator.bit_length()) > _FRACTION_BITS:
        raise ValueError("a fraction of too many digits")
    return [numerator, denominator]


def _range(ends: list[int]) -> range:
    made = range(*ends)
    if made[_MOST_IN_RANGE:]:  # its length may be too large for len()
        raise ValueError(f"a range of more than {_MOST_IN_RANGE} items")
    return made


def _ends(value: range) -> list[int]:
    ends = [value.start, value.stop, value.step]
    _range(ends)
    return ends


_FACTORIES: dict[str, Any] = {t.__name__: t for t in (int, float, str, list, dict, set, tuple, bool)}


def _read(plain: Any) -> dict[Any, Any]:
    """A dict that was read as one, item by item against the clock: not pairs that would become one in a single step."""
    return _exact(plain, dict)  # type: ignore[no-any-return]


def _default_dict(plain: Any) -> Any:
    factory, content = _exact(plain, list)
    return collections.defaultdict(None if factory is None else _FACTORIES[_exact(factory, str)], _read(content))


def _factory_name(value: Any) -> str | None:
    name = getattr(value.default_factory, "__name__", None)
    return name if _FACTORIES.get(str(name)) is value.default_factory else None


TYPES: dict[type, Standard] = {
    complex: Standard(lambda v: _C128.pack(v.real, v.imag), lambda p: complex(*_C128.unpack(_exact(p, bytes)))),
    decimal.Decimal: Standard(lambda v: list(_bounded(v).as_tuple()), _decimal),
    fractions.Fraction: Standard(
        lambda v: _terms(v.numerator, v.denominator), lambda p: fractions.Fraction(*_terms(*_parts(p, int, int)))
    ),
    datetime.datetime: Standard(lambda v: v.isoformat(), lambda p: datetime.datetime.fromisoformat(_exact(p, str))),
    datetime.date: Standard(lambda v: v.isoformat(), lambda p: datetime.date.fromisoformat(_exact(p, str))),
    datetime.time: Standard(lambda v: v.isoformat(), lambda p: datetime.time.fromisoformat(_exact(p, str))),
    datetime.timedelta: Standard(
        lambda v: [v.days, v.seconds, v.microseconds], lambda p: datetime.timedelta(*_parts(p, int, int, int))
    ),
    datetime.timezone: Standard(
        lambda v: v.utcoffset(None), lambda p: datetime.timezone(_exact(p, datetime.timedelta))
    ),
    uuid.UUID: Standard(lambda v: v.bytes, lambda p: uuid.UUID(bytes=_exact(p, bytes))),
    range: Standard(_ends, lambda p: _range(_parts(p, int, int, int))),
    slice: Standard(lambda v: [v.start, v.stop, v.step], lambda p: slice(*_exact(p, list))),
    type(Ellipsis): Standard(lambda v: None, lambda p: Ellipsis),
    type(NotImplemented): Standard(lambda v: None, lambda p: NotImplemented),
    collections.Counter: Standard(dict, lambda p: collections.Counter(_read(p))),
    collections.OrderedDict: Standard(dict, lambda p: collections.OrderedDict(_read(p))),
    collections.defaultdict: Standard(lambda v: [_factory_name(v), dict(v)], _default_dict),
    collections.deque: Standard(lambda v: [list(v), v.maxlen], _deque),
    array: Standard(lambda v: [v.typecode, v.tobytes()], lambda p: _array(*_parts(p, str, bytes))),
    type({}.keys()): Standard(dict.fromkeys, lambda p: _read(p).keys()),  # views: of what is in them now
    type({}.values()): Standard(list, lambda p: dict(enumerate(_exact(p, list))).values()),
    type({}.items()): Standard(dict, lambda p: _read(p).items()),
}
BY_NAME = {kind.__name__: standard for kind, standard in TYPES.items()}
