"""In-place changes to arguments, brought back for the functions that the exercise names in `[boundary] copy_back`."""

from __future__ import annotations

from typing import Any


def copy_back(before: tuple[list[Any], dict[str, Any]], after: list[Any]) -> None:
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
        elif type(ours).__module__ in ("numpy", "torch") and ours.shape == theirs.shape:
            _fill(ours, theirs)


def _fill(ours: Any, theirs: Any) -> None:
    if type(ours).__module__ == "torch":
        ours.data.copy_(theirs.detach())
    else:
        ours[...] = theirs
