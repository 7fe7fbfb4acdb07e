"""What the judge knows of a far object, and how it refuses to let one decide a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from grader.judge.mirrors import enum_class
from sandbox.codec import CodecError

if TYPE_CHECKING:
    from grader.judge.session import Session

_OF_CONTAINERS = frozenset({"__iter__", "__reversed__", "__len__", "__getitem__"})
_MOST = 50
_CONTAINERS = [
    *(["torch.nn.modules.container", name] for name in ("Sequential", "ModuleList", "ModuleDict")),
    *(["torch.nn.modules.container", name] for name in ("ParameterList", "ParameterDict")),
    ["torch.utils.data.dataloader", "DataLoader"],
]


class Ref:
    """What the judge knows of a far object: its number, and what it was told when it first came."""

    __slots__ = ("generation", "handle", "kept", "near", "session", "shadow", "told")

    def __init__(self, session: Session, handle: int, generation: int, told: dict[str, Any]) -> None:
        self.session, self.handle, self.generation, self.told = session, handle, generation, told
        self.near: dict[bool, type] = {}  # of a class: the local classes of its objects, by whether they are callable
        self.shadow: Any = None
        self.kept: dict[int, Callable[..., Any]] = {}  # functions of the suite's that it may have been made with
        if told.get("kind") not in ("module", "class", "function", "object", "iterator"):
            raise CodecError("an unknown kind of handle")

    def name(self) -> str:
        """The name of a class, function or module; of an object's class otherwise."""
        cls = self.cls_ref() if self.told["kind"] == "object" else None
        name = (cls or self).told.get("name")
        return name if isinstance(name, str) and name.isidentifier() else "object"

    def cls_ref(self) -> Ref | None:
        """The ref of the object's class, if that is a class of the candidate's or a library's."""
        return ref_of(self.told.get("type"))

    def lineage(self) -> list[Ref]:
        """A class and its bases, as far as they are the candidate's."""
        bases = [ref_of(base) for base in listed(self.told.get("bases")) if isinstance(base, Handle)]
        return [self, *(base for base in bases if base is not None)]

    def compares(self) -> bool:
        """Whether the object's class brings its own idea of equality."""
        cls = self.cls_ref()
        return cls is not None and bool(cls.told.get("compares"))

    def shown(self) -> str:
        """How it is shown in messages; the far side is not asked."""
        kind = self.told["kind"]
        return f"<{self.name()} object>" if kind == "object" else f"<{kind} {self.name()}>"

    def answers(self, operator: str) -> bool:
        """Whether the exercise lets it answer that operator."""
        allowed = self.session.material.answers
        if operator in allowed or "*" in allowed or (operator == "__len__" and "__iter__" in allowed):
            return True  # list() asks for a length before it asks for the items
        return operator in _OF_CONTAINERS and (self.told.get("enum") is True or self._is_container())

    def _is_container(self) -> bool:
        """Whether it is said to be one of torch's containers. What it holds is as good as what a method returns."""
        cls = self.cls_ref()
        return cls is not None and any(pair in _CONTAINERS for pair in listed(cls.told.get("library")))

    def refuse(self, wanted: str, operator: str | None = None) -> Exception:
        """The error for a use that would let it decide; names what exercise.toml must say to allow the operator."""
        if operator is None:
            return self.session.refuse(f"returned {self.shown()}, expected {wanted}")
        return self.session.refuse(
            f"returned {self.shown()} where the test {wanted}; if the exercise tests the candidate's own {operator}, "
            f'add it to [boundary] answers = ["{operator}"] in exercise.toml'
        )


class Handle:
    """The common base of handles: nothing but a ref."""

    __slots__ = ("__weakref__", "_ref")

    def __init__(self, ref: Ref) -> None:
        object.__setattr__(self, "_ref", ref)


def listed(value: Any) -> list[Any]:
    """A list from over there, at its word only so far. Exactly a list: a handle may say that it is one."""
    return value[:_MOST] if type(value) is list else []


def own_ref(handle: Any) -> Ref:
    """The ref of a handle, whatever its class makes of attributes."""
    return object.__getattribute__(handle, "_ref")  # type: ignore[no-any-return]


def ref_of(value: Any) -> Ref | None:
    """The ref behind a handle or a mirror of a value; else None."""
    if isinstance(value, Handle):
        return own_ref(value)
    far = getattr(value, "__dict__", {}).get("_far") if type(value).__module__ == "solution" else None
    return ref_of(far) if far is not None else None


def class_of(value: Any) -> Ref | None:
    """The ref of the far class that a handle or a mirror is an instance of."""
    if (cls := enum_class(value)) is not None:
        return ref_of(cls)
    ref = ref_of(value)
    return ref.cls_ref() if ref is not None else None
