"""What the table that `train` returns is worth. The judge owns the cart, and acts by the table itself.

How long the pole is, how hard the pushes are and which one pushes to which side are the grading's own. A controller
that was written down beforehand may still find out the side. What it cannot know is a world that only looks like
a cart.
"""

import numpy as np
import pytest
import solution
from worlds import CartPole, FourCases, bins_of

from grader.suite import lend, threshold

STEPS, EPISODES = 20_000, 40


def table(cart, steps, seed):
    """What train returned, checked, as (q, low, high, bins)."""
    try:
        found = solution.train(lend(cart, "reset", "step"), steps, seed % 1000)
    except Exception as error:
        pytest.fail(
            f"train raised {type(error).__name__}: {str(error)[:300]}\nThe environment has nothing but reset() and "
            "step(): the first returns (observation, info), the second five values. The observation is four floats, "
            "which become an index into the table only through bins; `steps` counts over all episodes"
        )
    assert isinstance(found, dict), (
        f'train must return a dict with "q", "low", "high", "bins", not {type(found).__name__}'
    )
    assert {"q", "low", "high", "bins"} <= set(found), 'train must return a dict with "q", "low", "high" and "bins"'
    q, low, high, bins = (np.asarray(found[name]) for name in ("q", "low", "high", "bins"))
    assert low.shape == high.shape == bins.shape == (4,), "low, high and bins hold four numbers each"
    assert all(part.dtype.kind in "fiu" for part in (q, low, high, bins)), "q, low, high and bins hold plain numbers"
    assert q.shape == (*bins.tolist(), 2), f"q has the shape {q.shape}, expected (*bins, 2)"
    assert q.size <= 20_000, f"q has {q.size} entries, at most 20000 are allowed"
    assert np.isfinite(q).all(), "q holds values that are not finite"
    assert np.isfinite([low, high]).all(), "low and high must be finite"
    assert (high > low).all(), "high must be above low"
    return q.astype(float), low.astype(float), high.astype(float), bins.astype(int)


def steps_balanced(cart, q, low, high, bins):
    """The mean number of steps of fresh episodes in which the table's best action is taken."""
    for _ in range(EPISODES):
        (observation, _), over = cart.reset(), False
        while not over:
            action = int(q[bins_of(observation, low, high, bins)].argmax())
            observation, _, terminated, truncated, _ = cart.step(action)
            over = terminated or truncated
    return len(cart.taken) / EPISODES


def trained(seed, *, swapped):
    """The mean number of steps after a whole training."""
    found = table(CartPole(seed + 1, seed, swapped=swapped, budget=STEPS), STEPS, seed)
    return steps_balanced(CartPole(seed + 2, seed, swapped=swapped), *found)


@pytest.fixture(scope="module")
def plain(seed):
    return trained(seed, swapped=False)


@pytest.fixture(scope="module")
def swapped(seed):
    return trained(seed + 50, swapped=True)


# Mean steps. margins.md says how far these stand from right and wrong.
ENOUGH, WELL = 70, 125


@pytest.mark.points(2)
def test_table_has_its_form(seed):
    """train returns a table of finite values with four bounds and numbers of bins"""
    table(CartPole(seed, seed, swapped=False), 300, seed)


@pytest.mark.points(4)
def test_balances_the_pole(plain):
    """After 20000 steps the table balances the pole for 70 of 200 steps on average"""
    assert threshold("mean steps", plain, at_least=ENOUGH), (
        f"the pole stays up for {plain:.0f} steps on average, at least {ENOUGH} are needed (random pushes: about 20). "
        "Do the bins tell the angles and angular velocities apart? Do epsilon and alpha fall?"
    )


@pytest.mark.points(5)
def test_balances_with_pushes_swapped(swapped):
    """The same where action 0 pushes to the right and action 1 to the left"""
    assert threshold("mean steps with pushes swapped", swapped, at_least=ENOUGH), (
        f"the pole stays up for {swapped:.0f} steps on average, at least {ENOUGH} are needed: the policy has to be "
        "learnt from this environment, which is not the usual one"
    )


@pytest.mark.points(4)
def test_balances_well(plain, swapped):
    """On average of both, the pole stays up for 125 of 200 steps"""
    mean = (plain + swapped) / 2
    assert threshold("mean steps in both worlds", mean, at_least=WELL), (
        f"the pole stays up for {mean:.0f} steps on average, {WELL} are needed. Look at the discount: one that looks "
        "only a few steps ahead does not see the fall coming"
    )


@pytest.mark.points(6)
def test_learns_what_is_no_cart(seed):
    """In a world of four cases that only looks like a cart, the table knows after 2000 steps which action goes on"""
    found = table(FourCases(seed + 5, seed), 2000, seed)
    world, right = FourCases(seed + 6, seed), 0
    for _ in range(200):
        observation, _ = world.reset()
        right += int(found[0][bins_of(observation, *found[1:])].argmax()) == world.right
    assert right >= 180, (
        f"of 200 observations the table takes the action that goes on in {right}, expected at least 180. It has to be "
        "learnt from the steps of this very environment: no controller for a cart, no physics, no symmetry holds here"
    )


@pytest.mark.points(2)
def test_stays_within_the_steps(seed):
    """train takes at most `steps` steps, and uses at least half of them to learn"""
    cart = CartPole(seed + 3, seed, swapped=False, budget=701)
    table(cart, 700, seed)
    assert 350 <= len(cart.taken) <= 700, f"train took {len(cart.taken)} of 700 steps; count over all episodes"


@pytest.mark.points(3)
def test_same_seed_same_table(seed):
    """Two trainings with the same seed in the same world give the same table"""
    first, again = (table(CartPole(seed + 4, seed, swapped=False), 1000, seed)[0] for _ in range(2))
    assert np.array_equal(first, again), (
        "two runs with the same seed gave different tables: make the generator from seed"
    )
