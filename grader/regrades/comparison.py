"""Two gradings of one submission side by side: pure functions over their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SAME_FIVE = ("exercise_digest", "submission_digest", "image", "seed", "limits")
"""What tells gradings apart (design 1.4). With the same five, the same score is due."""

_SEEN = ("outcome", "points", "max_points")


@dataclass(frozen=True)
class Moved:
    """A test that did not end as before; None on a side where there was no such test."""

    id: str
    title: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Without messages: these stay with the gradings."""
        sides = {"old": self.old, "new": self.new}
        return {"id": self.id, "title": self.title} | {
            side: None if test is None else {name: test[name] for name in _SEEN} for side, test in sides.items()
        }


def moved(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Iterator[Moved]:
    """The tests whose outcome or points differ, in the order of the new suite, then those that are gone."""
    before = {test["id"]: test for test in (old or {}).get("tests", ())}
    for test in new["tests"]:
        earlier = before.pop(test["id"], None)
        if earlier is None or any(earlier[name] != test[name] for name in _SEEN):
            yield Moved(test["id"], test["title"], earlier, test)
    for test in before.values():
        yield Moved(test["id"], test["title"], test, None)


def same_five(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two provenances name the same exercise, submission, image, seed and limits."""
    return all(old.get(name) == new.get(name) for name in SAME_FIVE)


def share(score: float | None, most: float | None) -> float:
    """A score as a share of what could be had; nothing where there is none."""
    return score / most if score is not None and most else 0.0
