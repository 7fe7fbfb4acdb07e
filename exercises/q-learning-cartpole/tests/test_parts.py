"""The parts: bins, one update, one choice of an action."""

import numpy as np
import pytest
import solution

from grader.suite import in_guest

MANY = 4000


def state_of(observation, low, high, bins):
    """The candidate's bins as a tuple of plain ints."""
    state = solution.discretize(observation, low, high, bins)
    assert isinstance(state, tuple), f"discretize must return a tuple of ints, not {type(state).__name__}"
    assert len(state) == len(bins), f"discretize returned {len(state)} numbers for {len(bins)} dimensions"
    assert all(isinstance(i, (int, np.integer)) for i in state), "every element of the tuple must be an int"
    return tuple(int(i) for i in state)


@pytest.mark.points(4)
def test_bins_of_ordinary_numbers(seed):
    """A number in the middle of a bin gets the index of this bin, in every dimension"""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        bins = rng.integers(1, 15, 3)
        low = rng.uniform(-5, 0, 3)
        high = low + rng.uniform(1, 6, 3)
        expected = rng.integers(0, bins)
        observation = low + (expected + rng.uniform(0.1, 0.9, 3)) / bins * (high - low)
        found = state_of(observation, tuple(low.tolist()), tuple(high.tolist()), tuple(bins.tolist()))
        assert found == tuple(expected.tolist()), (
            f"{bins.tolist()} bins: expected {tuple(expected.tolist())}, got {found}. Each dimension is cut into "
            "`bins` bins of equal width between low and high; the index is rounded down"
        )


@pytest.mark.points(3)
def test_edges_belong_to_the_upper_bin():
    """The edge between two bins belongs to the upper one; the upper bound belongs to the last bin"""
    for value, expected in [(-2.0, 0), (-1.0, 1), (0.0, 2), (1.0, 3), (2.0, 3), (-1.25, 0), (1.75, 3)]:
        found = state_of(np.array([value]), (-2.0,), (2.0,), (4,))
        assert found == (expected,), f"4 bins from -2 to 2: {value} belongs to bin {expected}, got {found[0]}"


@pytest.mark.points(4)
def test_numbers_outside_are_clipped():
    """Numbers below low and above high, infinite ones too, get the first and the last bin"""
    low, high, bins = (-1.0, 0.0), (1.0, 4.0), (5, 8)
    for far in (1.5, 30.0, 1e12, float("inf")):
        message = f"numbers up to {far:g} beyond the bounds must be clipped into the outermost bins"
        assert state_of(np.array([far, -far]), low, high, bins) == (4, 0), message
        assert state_of(np.array([-far, 4 + far]), low, high, bins) == (0, 7), message


@pytest.mark.points(3)
def test_bins_index_a_table(seed):
    """The tuple has one index for each dimension, for one dimension as for six, in arrays, lists and tuples"""
    rng = np.random.default_rng(seed)
    for size in (1, 2, 4, 6):
        bins = tuple(rng.integers(2, 5, size).tolist())
        expected = tuple(int(rng.integers(0, b)) for b in bins)
        observation = np.array([(i + 0.5) / b for i, b in zip(expected, bins, strict=True)])
        for same in (observation, observation.tolist(), tuple(observation.tolist())):
            assert state_of(same, (0.0,) * size, (1.0,) * size, bins) == expected, "the bins depend on the container"


class Update:
    """A table (3, 4, A) and one experience in it, drawn from the seed, and what q_update made of it."""

    def __init__(self, seed, *, terminated=False, lift=0.0, **given):
        rng = np.random.default_rng(seed)
        self.before = rng.normal(size=(3, 4, 5)) + lift
        cells = [divmod(int(cell), 4) for cell in rng.permutation(12)[:2]]
        self.state, self.next_state = given.get("states", cells)
        self.action, self.reward = int(rng.integers(5)), float(rng.normal())
        self.alpha = given.get("alpha", float(rng.uniform(0.1, 0.9)))
        self.gamma = given.get("gamma", float(rng.uniform(0.3, 0.95)))
        self.entry = (*self.state, self.action)
        future = 0.0 if terminated else self.gamma * self.before[self.next_state].max()
        self.error = float(self.reward + future - self.before[self.entry])
        self.after = self.before.copy()
        experience = (self.state, self.action, self.reward, self.next_state, terminated)
        self.returned = solution.q_update(self.after, *experience, self.alpha, self.gamma)

    def check(self, message):
        """The entry moved by alpha times the error, and the error was returned."""
        expected = self.before[self.entry] + self.alpha * self.error
        assert self.after[self.entry] == pytest.approx(expected, abs=1e-9), (
            f"{message}: q[state][action] went from {self.before[self.entry]:.4f} to {self.after[self.entry]:.4f}, "
            f"expected {expected:.4f}"
        )


@pytest.mark.points(4)
def test_update_follows_the_formula(seed):
    """q[state][action] moves by alpha times the error reward + gamma max q[next_state] - q[state][action]"""
    for case in range(10):
        Update(seed + case, lift=2.0).check("q must be changed in place, by alpha times (target - old value)")


@pytest.mark.points(2)
def test_update_returns_the_error(seed):
    """q_update returns the temporal difference error, before it is multiplied by alpha"""
    for case in range(5):
        update = Update(seed + case, lift=2.0)
        assert isinstance(update.returned, (int, float, np.number)), "q_update must return a number, the error"
        assert float(update.returned) == pytest.approx(update.error, abs=1e-9), "the error is target minus old value"


@pytest.mark.points(5)
def test_nothing_comes_after_the_end(seed):
    """Where the episode terminated, the target is the reward alone"""
    for case in range(5):
        Update(seed + case, terminated=True, lift=3.0).check(
            "after a terminated step there is no future: the target is the reward, whatever q[next_state] holds"
        )


@pytest.mark.points(5)
def test_target_takes_the_best_next_action(seed):
    """The target uses the largest value of the next state, also where all its values are negative"""
    for case in range(5):
        message = "the target takes max q[next_state]: not q[state], not the mean, not another action, not 0"
        Update(seed + case, lift=-6.0, alpha=1.0, gamma=0.5).check(message)


@pytest.mark.points(3)
def test_update_changes_one_entry(seed):
    """An update changes no other entry of the table"""
    update = Update(seed)
    changed = [tuple(where) for where in np.argwhere(update.before != update.after).tolist()]
    assert changed == [update.entry], (
        f"{len(changed)} entries of q changed, expected exactly one. The state is a tuple: q[state, action] picks "
        "whole rows, q[state][action] or q[(*state, action)] the entry"
    )


@pytest.mark.points(3)
def test_alpha_is_the_step_size(seed):
    """alpha = 0 leaves the table as it is, alpha = 1 puts the target in place of the old value"""
    for case in range(12):
        alpha = (0.0, 1.0, 0.25)[case % 3]
        Update(seed + case, alpha=alpha, lift=2.0).check(f"alpha = {alpha:g}")


@in_guest
def choices(values, epsilon, count, seed):
    """That many choices with one generator."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return [int(solution.epsilon_greedy(values, epsilon, rng)) for _ in range(count)]


@in_guest
def choices_in_a_changed_world(values, epsilon, count, seed, noise):
    """The same, with other random numbers everywhere but in the generator."""
    import random

    import numpy as np

    rng = np.random.default_rng(seed)
    chosen = []
    for step in range(count):
        random.seed(noise + step)
        np.random.seed(noise + step)
        chosen.append(int(solution.epsilon_greedy(values, epsilon, rng)))
    return chosen


def shares(values, epsilon, seed, count=MANY):
    """How often each action was chosen (A,), as a share."""
    chosen = choices(np.array(values), epsilon, count, seed)
    assert type(chosen) is list
    assert len(chosen) == count
    assert all(type(action) is int and 0 <= action < len(values) for action in chosen), "an action is out of range"
    return np.bincount(chosen, minlength=len(values)) / count


# Shares of 4000 choices: the standard error is at most 0.0079, the bound of 0.04 is more than five of them.
CLOSE = 0.04


@pytest.mark.points(3)
def test_epsilon_zero_is_greedy(seed):
    """With epsilon = 0 the best action is chosen every time"""
    rng = np.random.default_rng(seed)
    for best in range(4):
        values = rng.uniform(-3, -1, 4)
        values[best] = -0.5
        assert shares(values, 0.0, seed, count=200)[best] == 1, (
            "epsilon = 0 must always take the action of the best value"
        )


@pytest.mark.points(3)
def test_epsilon_one_is_uniform(seed):
    """With epsilon = 1 all actions are equally likely, the best one included"""
    found = shares([0.0, 5.0, 1.0, -2.0], 1.0, seed)
    assert np.abs(found - 0.25).max() < CLOSE, (
        f"the shares of four actions are {found.round(2).tolist()}, expected 0.25"
    )


@pytest.mark.points(4)
def test_share_of_exploration(seed):
    """The best of A actions is chosen with probability 1 - epsilon + epsilon / A, each other one with epsilon / A"""
    for epsilon in (0.2, 0.6):
        found = shares([1.0, 0.0, 0.0, 3.0], epsilon, seed)
        expected = np.full(4, epsilon / 4)
        expected[3] += 1 - epsilon
        assert np.abs(found - expected).max() < CLOSE, (
            f"epsilon = {epsilon}: the shares are {found.round(2).tolist()}, expected {expected.round(2).tolist()}"
        )


@pytest.mark.points(4)
def test_ties_are_broken_at_random(seed):
    """Of several best actions each is equally likely"""
    found = shares([1.0, 2.0, 2.0, 0.0, 2.0], 0.0, seed)
    assert np.abs(found - np.array([0, 1, 1, 0, 1]) / 3).max() < CLOSE, (
        f"the values 1, 2, 2, 0, 2 with epsilon = 0 gave the shares {found.round(2).tolist()}. argmax always takes the "
        "first of several best actions; in a table of zeros that is one and the same action everywhere"
    )


@pytest.mark.points(4)
def test_randomness_comes_from_rng(seed):
    """The choices depend on the given generator and on nothing else that is random"""
    values = np.zeros(4)
    first, again = (choices_in_a_changed_world(values, 0.5, 100, seed, noise) for noise in (1, 1000))
    assert first == again, "the same generator gave other actions: take every random number from rng"
    other = choices_in_a_changed_world(values, 0.5, 100, seed + 1, 1)
    assert first != other, "another generator gave the same 100 actions: take every random number from rng"
