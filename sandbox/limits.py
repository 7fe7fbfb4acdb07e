"""What a grading may use, and what it did use: two types, since asking and measuring are two things."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one grading may use. Every field is a positive number in the unit that its name ends in.

    ``cpu_s`` counts the processor time of the guest and all its children, never its neighbours' or ours.
    ``wall_s`` counts the time that the judge spends waiting for the guest.
    ``memory_mb`` is on top of the preloaded runtime (torch itself is not charged to the candidate).
    ``test_cpu_s`` and ``test_wall_s`` bound a single test, so that one endless loop costs one test; where they are
    left at None, a single test may use half of the whole.
    """

    cpu_s: float = 20
    wall_s: float = 60
    memory_mb: int = 1024
    processes: int = 32
    files_mb: int = 64
    output_kb: int = 64
    test_cpu_s: float | None = None
    test_wall_s: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise ValueError(f"limit {name} must be positive, not {value!r}")

    @property
    def one_test_cpu_s(self) -> float:
        """Processor seconds that a single test may use."""
        return min(self.cpu_s, self.test_cpu_s or self.cpu_s / 2)

    @property
    def one_test_wall_s(self) -> float:
        """Seconds that a single test may keep the judge waiting."""
        return min(self.wall_s, self.test_wall_s or self.wall_s / 2)


@dataclass(frozen=True)
class Usage:
    """What a guest used: seconds of wall and processor time, and its peak memory above the preloaded runtime."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Guests of one grading follow each other: times add up, the peak is the higher one."""
        return Usage(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, max(self.memory_mb, other.memory_mb))
