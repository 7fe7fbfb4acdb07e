"""Calls of a function that returns its argument, there and back. `threshold` notes them; its bounds mean nothing."""

import statistics
import time

import solution
import torch
from solution import same

from grader.suite import threshold


def seconds(call, value, number):
    """The median time of a call."""
    found = []
    for _ in range(number):
        started = time.perf_counter()
        call(value)
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def test_a_small_value():
    """A call with a number"""
    assert threshold("µs a call with a number", seconds(same, 1.5, 2000) * 1e6, at_least=0)


def test_a_lookup():
    """The same, the function asked for each time, as a suite does that says `solution.same(value)`"""

    def look_up_and_call(value):
        return solution.same(value)

    looked_up = seconds(look_up_and_call, 1.5, 2000)
    assert threshold("µs a lookup and a call", looked_up * 1e6, at_least=0)


def test_a_large_tensor():
    """64 MB of float32 there and back"""
    tensor = torch.ones(1 << 24)
    megabytes = 2 * tensor.numel() * tensor.element_size() / 1e6
    assert threshold("MB/s of a large tensor", megabytes / seconds(same, tensor, 8), at_least=0)
