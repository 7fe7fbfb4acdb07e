"""The local classes that handles are instances of: a name, and what makes isinstance work for library bases.

`isinstance(model, torch.nn.Module)` and `dataclasses.fields(shape)` look at classes, not at the far side. What these
classes say is what the judge was told when the far class first came, checked against what he has himself.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from grader.judge.refs import Handle, Ref, listed

_LIBRARIES = frozenset(
    {"torch", "abc", "collections", "typing", "numbers", "contextlib", "random", "enum", "threading"}
)


def object_class(ref: Ref, bases: dict[bool, type[Handle]]) -> Any:
    """The local class for a far object; `bases`: what it derives from, by whether it can be called."""
    cls = ref.cls_ref() or ref
    is_callable = ref.told.get("callable") is True
    if is_callable not in cls.near:
        cls.near[is_callable] = type(cls.name(), (bases[is_callable],), _namespace(ref, cls))
    return cls.near[is_callable]


def shadow(cls: Ref) -> Any:
    """A local class with the library base that the far class was said to have; never one whose objects are values."""
    if cls.shadow is None:
        found = [_library_class(pair) for pair in listed(cls.told.get("library"))]
        base = next((base for base in found if base is not None), object)
        try:
            cls.shadow = type(cls.name(), (base,), {}) if base is not object else object
        except (TypeError, AttributeError):  # a metaclass that wants more than a name
            cls.shadow = base
    return cls.shadow


def dataclass_fields(cls: Ref) -> dict[str, Any] | None:
    """What `dataclasses` reads of a dataclass; None where the far class is none."""
    if cls.told.get("fields") is None:
        return None
    made = {}
    for entry in listed(cls.told["fields"]):
        match entry:
            case [str(name), bool(init)]:
                made[name] = field = dataclasses.field(init=init)
                field.name = name
                field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
    return made


def _namespace(ref: Ref, cls: Ref) -> dict[str, Any]:
    near = shadow(cls) if cls is not ref else object
    if near is object:
        near = ref.told.get("type")
    namespace: dict[str, Any] = {"__slots__": ()}
    if near is not None:
        namespace["__class__"] = property(lambda self: near)
    if (fields := dataclass_fields(cls)) is not None:
        namespace["__dataclass_fields__"] = fields
    return namespace


def _library_class(pair: Any) -> Any:
    match pair:
        case [str(module), str(name)] if module.partition(".")[0] in _LIBRARIES and "." not in name:
            value = vars(sys.modules.get(module, object)).get(name)  # no getattr: some modules import when asked
            tensor = getattr(sys.modules.get("torch"), "Tensor", ())
            if isinstance(value, type) and not issubclass(value, (tensor, dict, list, tuple, int, str)):
                return value
    return None
