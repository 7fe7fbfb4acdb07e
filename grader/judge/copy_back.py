"""In-place changes to arguments, brought back for the functions that the exercise names in `[boundary] copy_back`."""

from __future__ import annotations

import sys
from typing import Any


def copy_back(before: tuple[list[Any], dict[str, Any]], after: tuple[list[Any], dict[Any, Any]]) -> None:
    """Make our arguments equal to what they were when the call ended over there; other types than ours are ignored."""
    args, kwargs = after
    pairs = [*zip(before[0], args, strict=False), *((value, kwargs.get(name)) for name, value in before[1].items())]
    for ours, theirs in pairs:
        if type(theirs) is not type(ours):
            continue
        if isinstance(ours, (list, bytearray)):
            ours[:] = theirs
        elif isinstance(ours, (dict, set)):
            ours.clear()
            ours.update(theirs)
        elif _is_a("torch", "Tensor", ours) and ours.shape == theirs.shape:
            ours.data.copy_(theirs.detach())
        elif _is_a("numpy", "ndarray", ours) and ours.shape == theirs.shape:
            ours[...] = theirs


def _is_a(module: str, name: str, value: Any) -> bool:
    """Whether it is an instance of a class of a library that may not be there."""
    return isinstance(value, getattr(sys.modules.get(module), name, ()))
