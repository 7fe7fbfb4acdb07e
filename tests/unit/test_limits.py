"""Limits are positive, shares of a test follow from the whole, and usage of guests adds up."""

import pytest

from sandbox.interface import SandboxSpec
from sandbox.limits import Limits, Usage


@pytest.mark.parametrize("name", sorted(vars(Limits())))
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_is_not_positive_is_refused(name, value):
    with pytest.raises(ValueError, match=f"limit {name} must be positive"):
        Limits(**{name: value})


def test_a_single_test_may_use_half_unless_told_otherwise():
    assert (Limits(cpu_s=10).one_test_cpu_s, Limits(wall_s=30).one_test_wall_s) == (5, 15)
    assert (Limits(test_cpu_s=3).one_test_cpu_s, Limits(test_wall_s=4).one_test_wall_s) == (3, 4)


def test_a_single_test_may_never_use_more_than_the_whole():
    limits = Limits(cpu_s=2, wall_s=3, test_cpu_s=10, test_wall_s=10)
    assert (limits.one_test_cpu_s, limits.one_test_wall_s) == (2, 3)


def test_times_of_guests_add_up_and_the_higher_peak_counts():
    assert Usage(1, 2, 30) + Usage(4, 5, 6) == Usage(5, 7, 30)


def test_exercises_with_equal_needs_share_a_kind_of_sandbox():
    assert SandboxSpec.of("torch", Limits(cpu_s=1)) == SandboxSpec.of("torch", Limits(cpu_s=9))
    assert SandboxSpec.of("torch", Limits(memory_mb=1)) != SandboxSpec.of("torch", Limits(memory_mb=2))
