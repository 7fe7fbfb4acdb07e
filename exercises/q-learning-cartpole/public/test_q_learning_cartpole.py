"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import numpy as np
import solution

try:  # the grader runs these tests too, and there an environment has to be lent to the solution
    from grader.suite import in_guest, lend
except ImportError:

    def in_guest(function):
        return function

    def lend(environment, *methods):
        return environment


class Corridor:
    """Cells 0 to 4 and two actions, left and right. Reaching cell 4 is worth 1 and terminates; 30 steps truncate."""

    def reset(self):
        self.cell, self.age = 0, 0
        return (self.cell,), {}

    def step(self, action):
        self.cell = max(0, self.cell + (1 if action == 1 else -1))
        self.age += 1
        terminated = self.cell == 4
        return (self.cell,), float(terminated), terminated, not terminated and self.age >= 30, {}


class Unmoved:
    """Stands in for the cart, whose physics is not given here: its pole never moves, and an episode takes 10 steps."""

    def reset(self):
        self.age = 0
        return np.zeros(4), {}

    def step(self, action):
        self.age += 1
        return np.zeros(4), 1.0, False, self.age >= 10, {}


def test_bins_of_the_statement():
    assert solution.discretize((0.0, 5.0), (-1, -2), (1, 2), (4, 3)) == (2, 2)


def test_update_of_the_statement():
    q = np.array([[1.0, 2.0], [0.5, 3.0]])
    assert np.isclose(solution.q_update(q, (0,), 0, 1.0, (1,), False, 0.5, 0.9), 2.7)
    assert np.allclose(q, [[2.35, 2.0], [0.5, 3.0]])


@in_guest
def choices(count):
    rng = np.random.default_rng(0)
    return [int(solution.epsilon_greedy(np.array([0.0, 1.0, 0.5]), 0.3, rng)) for _ in range(count)]


def test_the_best_action_is_chosen_most_often():
    chosen = choices(300)
    assert set(chosen) == {0, 1, 2}
    assert chosen.count(1) > 200


def test_finds_the_way_through_a_corridor():
    q = solution.q_learning(lend(Corridor(), "reset", "step"), (5, 2), 2000, alpha=0.5, gamma=0.9, epsilon=0.5, seed=0)
    assert q.shape == (5, 2)
    assert (q[:4, 1] > q[:4, 0]).all()  # to the right everywhere
    assert np.isclose(q[0, 1], 0.9**3, atol=0.05)


def test_a_table_has_its_form():
    found = solution.train(lend(Unmoved(), "reset", "step"), 100, seed=0)
    assert np.shape(found["q"]) == (*found["bins"], 2)
    assert len(found["low"]) == len(found["high"]) == len(found["bins"]) == 4
