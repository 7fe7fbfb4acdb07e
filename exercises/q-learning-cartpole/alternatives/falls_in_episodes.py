"""Another correct solution: loops over episodes, after each of which epsilon falls geometrically; more, finer bins."""

import numpy as np

LOW, HIGH = np.array([-2.4, -3.0, -0.2095, -2.5]), np.array([2.4, 3.0, 0.2095, 2.5])
BINS = np.array([1, 1, 8, 12])


def discretize(observation, low, high, bins):
    low, high, bins = (np.asarray(part, dtype=float) for part in (low, high, bins))
    share = (np.clip(observation, low, high) - low) / (high - low)
    return tuple(int(i) for i in np.clip((share * bins).astype(int), 0, bins - 1))


def q_update(q, state, action, reward, next_state, terminated, alpha, gamma):
    target = reward if terminated else reward + gamma * max(q[next_state])
    error = float(target - q[state][action])
    q[state][action] += alpha * error
    return error


def epsilon_greedy(values, epsilon, rng):
    if rng.uniform() >= epsilon:
        best = [action for action, value in enumerate(values) if value == max(values)]
        return best[rng.integers(len(best))]
    return int(rng.integers(0, len(values)))


def q_learning(env, shape, steps, alpha, gamma, epsilon, seed):
    rng, q = np.random.default_rng(seed), np.zeros(shape)
    while steps > 0:
        state, _ = env.reset()
        ended = False
        while not ended and steps > 0:
            action = epsilon_greedy(q[state], epsilon, rng)
            after, reward, terminated, truncated, _ = env.step(action)
            q_update(q, state, action, reward, after, terminated, alpha, gamma)
            state, ended, steps = after, terminated or truncated, steps - 1
    return q


def train(env, steps, seed):
    rng, q = np.random.default_rng(seed), np.zeros((*BINS, 2))
    epsilon, left = 1.0, steps
    while left > 0:
        state, ended = discretize(env.reset()[0], LOW, HIGH, BINS), False
        while not ended and left > 0:
            action = epsilon_greedy(q[state], epsilon, rng)
            observation, reward, terminated, truncated, _ = env.step(action)
            after = discretize(observation, LOW, HIGH, BINS)
            q_update(q, state, action, reward, after, terminated, max(0.02, 0.3 * left / steps), 0.99)
            state, ended, left = after, terminated or truncated, left - 1
        epsilon = max(0.03, epsilon * 0.98)
    return {"q": q, "low": LOW.tolist(), "high": HIGH.tolist(), "bins": BINS.tolist()}
