"""Another correct solution: a class, step sizes that fall with the visits, searchsorted for the bins."""

import numpy as np


def discretize(observation, low, high, bins):
    inner = [np.linspace(a, b, n + 1)[1:-1] for a, b, n in zip(low, high, bins, strict=True)]
    return tuple(int(np.searchsorted(edges, x, side="right")) for edges, x in zip(inner, observation, strict=True))


def q_update(q, state, action, reward, next_state, terminated, alpha, gamma):
    row = q[state]
    target = reward + gamma * (not terminated) * np.max(q[next_state])
    error = target - row[action]
    row[action] = (1 - alpha) * row[action] + alpha * target
    return float(error)


def epsilon_greedy(values, epsilon, rng):
    values = np.asarray(values)
    chances = np.full(len(values), epsilon / len(values))
    best = values == values.max()
    chances[best] += (1 - epsilon) / best.sum()
    return int(rng.choice(len(values), p=chances))


class Learner:
    """A table, and one episode after another in an environment."""

    def __init__(self, env, shape, seed, state_of):
        self.env, self.q, self.visits = env, np.zeros(shape), np.zeros(shape)
        self.rng, self.state_of, self.state = np.random.default_rng(seed), state_of, None

    def step(self, epsilon, alpha, gamma):
        if self.state is None:
            self.state = self.state_of(self.env.reset()[0])
        action = epsilon_greedy(self.q[self.state], epsilon, self.rng)
        observation, reward, terminated, truncated, _ = self.env.step(action)
        after = self.state_of(observation)
        self.visits[self.state][action] += 1
        size = alpha(self.visits[self.state][action])
        q_update(self.q, self.state, action, reward, after, terminated, size, gamma)
        self.state = None if terminated or truncated else after


def q_learning(env, shape, steps, alpha, gamma, epsilon, seed):
    learner = Learner(env, shape, seed, lambda state: state)
    for _ in range(steps):
        learner.step(epsilon, lambda visits: alpha, gamma)
    return learner.q


def train(env, steps, seed):
    low, high, bins = [-2.4, -3, -0.21, -2], [2.4, 3, 0.21, 2], [1, 1, 6, 12]
    learner = Learner(env, (*bins, 2), seed, lambda observation: discretize(observation, low, high, bins))
    for step in range(steps):
        learner.step(max(0.05, 1 - step / (0.4 * steps)), lambda visits: max(0.02, visits**-0.6), 0.99)
    return {"q": learner.q, "low": low, "high": high, "bins": bins}
