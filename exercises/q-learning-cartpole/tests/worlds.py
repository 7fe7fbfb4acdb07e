"""The worlds that the judge keeps to itself. A candidate's code is lent their `reset` and `step`, nothing else.

Both follow gymnasium's interface: `reset()` gives (observation, info), `step(action)` gives
(observation, reward, terminated, truncated, info). Stepping an episode that is over is an error.
"""

import math

import numpy as np


class World:
    """Counts steps, ends episodes, refuses what a real environment leaves undefined."""

    def __init__(self, seed, actions, cap, budget):
        self.rng = np.random.default_rng(seed)
        self.actions, self.cap, self.budget = actions, cap, budget
        self.taken, self.age, self.over = [], 0, True
        self.resets, self.early_resets = 0, 0

    def reset(self):
        self.early_resets += not self.over
        self.resets, self.age, self.over = self.resets + 1, 0, False
        return self.begin(), {}

    def step(self, action):
        if self.over:
            raise RuntimeError("env.step was called although the episode is over: call env.reset() first")
        if len(self.taken) >= self.budget:
            raise RuntimeError(f"env.step was called more than {self.budget} times: that is all there is")
        if isinstance(action, bool) or not isinstance(action, (int, np.integer)) or not 0 <= action < self.actions:
            raise ValueError(f"the action must be an int from 0 to {self.actions - 1}")
        self.taken.append(int(action))
        self.age += 1
        observation, reward, terminated = self.move(int(action))
        truncated = not terminated and self.age >= self.cap
        self.over = terminated or truncated
        return observation, reward, terminated, truncated, {}


class Maze(World):
    """A small world of numbered states, whose every move is certain: next_state, reward and end for (state, action).

    `next_states`, `rewards`, `ends`: (S, A). Episodes start in any of the first `starts` states. `path` has what came
    of each step: (state, action, reward, next_state, terminated).
    """

    def __init__(self, next_states, rewards, ends, seed, *, starts, cap=10**9, budget=10**9):
        super().__init__(seed, next_states.shape[1], cap, budget)
        self.next_states, self.rewards, self.ends, self.starts = next_states, rewards, ends, starts
        self.path = []

    def begin(self):
        self.state = int(self.rng.integers(self.starts))
        return (self.state,)

    def move(self, action):
        at = self.state, action
        self.state = int(self.next_states[at])
        self.path.append((*at, float(self.rewards[at]), self.state, bool(self.ends[at])))
        return (self.state,), float(self.rewards[at]), bool(self.ends[at])

    def optimal(self, gamma):
        """The optimal values (S, A), by value iteration (Bellman, 1957)."""
        q = np.zeros(self.rewards.shape)
        for _ in range(1000):
            q = self.rewards + gamma * np.where(self.ends, 0.0, q.max(1)[self.next_states])
        return q


class CartPole(World):
    """A cart with a pole on it: Barto, Sutton, Anderson, "Neuronlike adaptive elements that can solve difficult
    learning control problems", 1983, in the form without friction and with Euler's method that gymnasium made common.

    The observation (4,) is position, velocity, angle, angular velocity, in metres, radians and seconds. Ends where the
    cart is more than 2.4 m from the middle or the pole leans more than 12 degrees. `swapped` turns both pushes round.
    """

    def __init__(self, seed, body, *, swapped, budget=10**9):
        super().__init__(seed, 2, 200, budget)
        rng = np.random.default_rng(body)
        self.length, self.force = rng.uniform(0.4, 0.6), rng.uniform(9, 11)
        self.swapped = swapped

    def begin(self):
        self.state = tuple(self.rng.uniform(-0.05, 0.05, 4).tolist())
        return np.array(self.state)

    def move(self, action):
        x, velocity, angle, spin = self.state
        push = self.force if (action == 1) != self.swapped else -self.force
        sine, cosine = math.sin(angle), math.cos(angle)
        pull = (push + 0.1 * self.length * spin * spin * sine) / 1.1
        turn = (9.8 * sine - cosine * pull) / (self.length * (4 / 3 - 0.1 * cosine * cosine / 1.1))
        speed_up = pull - 0.1 * self.length * turn * cosine / 1.1
        x, angle = x + 0.02 * velocity, angle + 0.02 * spin
        self.state = x, velocity + 0.02 * speed_up, angle, spin + 0.02 * turn
        return np.array(self.state), 1.0, abs(x) > 2.4 or abs(angle) > math.radians(12)


class FourCases(World):
    """No cart, but observations like one's: the pole leans to either side and swings to either side.

    In each case one action is worth 1 and leads to any of the four, the other is worth 0 and terminates. Which one it
    is depends on whether lean and swing go to the same side: a controller that sets a weighted sum of the two against
    0 is wrong in one case at least. `body` decides which way round.
    """

    def __init__(self, seed, body, budget=10**9):
        super().__init__(seed, 2, 200, budget)
        self.same = int(np.random.default_rng(body).integers(2))

    def begin(self):
        sides = self.rng.choice([-1, 1], 2)
        self.right = self.same if sides[0] == sides[1] else 1 - self.same
        near_zero, size = self.rng.uniform(-0.05, 0.05, 2), self.rng.uniform((0.09, 1.45), (0.11, 1.55))
        return np.concatenate([near_zero, sides * size])

    def move(self, action):
        good = action == self.right
        return self.begin(), float(good), not good


def bins_of(observation, low, high, bins):
    """The statement's formula, on the judge's side; clipped before it is rounded, since a velocity can be anything."""
    share = (np.asarray(observation) - low) / (high - low)
    return tuple(np.minimum(np.floor(np.clip(share, 0, 1) * bins), bins - 1).astype(int).tolist())
