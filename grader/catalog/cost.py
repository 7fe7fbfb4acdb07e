"""What it costs to grade a correct solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from grader.grading.model import Result


@dataclass(frozen=True)
class Cost:
    """The worst of several gradings: seconds of processor time on both sides, and the guest's peak memory in MB."""

    guest_cpu_s: float
    judge_cpu_s: float
    memory_mb: float

    @classmethod
    def of(cls, results: Sequence[Result]) -> Self:
        """Of at least one grading."""
        dearest = max(results, key=lambda result: result.usage.cpu_s + result.judge_cpu_s)
        return cls(dearest.usage.cpu_s, dearest.judge_cpu_s, max(result.usage.memory_mb for result in results))

    def __str__(self) -> str:
        total = self.guest_cpu_s + self.judge_cpu_s
        return f"{total:.1f} s of processor time, {self.judge_cpu_s:.1f} of it the judge's; {self.memory_mb:.0f} MB"
