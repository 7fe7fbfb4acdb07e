"""Ten tests with next to no work of their own."""

import random
from itertools import pairwise

import pytest
from solution import Coverage, merged


@pytest.mark.parametrize("number", [0, 1, 2])
def test_random_ones_are_apart_and_sorted(number):
    draw = random.Random(number)
    given = [(low, low + draw.randrange(9)) for low in (draw.randrange(99) for _ in range(20))]
    found = merged(given)
    assert all(before[1] < after[0] for before, after in pairwise(found))


def test_nothing_stays_nothing():
    assert merged([]) == []


def test_one_stays_one():
    assert merged([(1, 2)]) == [(1, 2)]


def test_neighbours_that_touch_become_one():
    assert merged([(1, 2), (2, 3)]) == [(1, 3)]


def test_one_inside_another_disappears():
    assert merged([(0, 9), (3, 4)]) == [(0, 9)]


def test_the_order_makes_no_difference():
    assert merged([(5, 6), (1, 2), (2, 5)]) == [(1, 6)]


def test_length_counts_what_overlaps_once():
    assert Coverage([(0, 4), (2, 6)]).length() == 6


def test_covers_its_ends():
    coverage = Coverage([(0, 1), (3, 4)])
    assert [coverage.covers(point) for point in (0, 1, 2, 3)] == [True, True, False, True]
