"""The question bank's answer (task 8) with today's reset and step and with bins, so that it runs; its other mistakes kept.

The mistakes: the last step of an episode is worth a next state; gamma 0.6 and alpha 0.1, written down; numpy's global
generator, no seed; argmax, so that all ties go to action 0; epsilon never falls; 1000 episodes, however many steps they take.
"""

import numpy as np

LOW, HIGH, BINS = (-2.4, -3.0, -0.21, -2.0), (2.4, 3.0, 0.21, 2.0), (1, 1, 6, 12)
EPISODES, GAMMA, EPSILON, ALPHA = 1000, 0.6, 0.1, 0.1


def discretize(observation, low, high, bins):
    shares = [(x - a) / (b - a) for x, a, b in zip(observation, low, high, strict=True)]
    return tuple(int(min(max(share, 0) * n, n - 1)) for share, n in zip(shares, bins, strict=True))


def q_update(q, state, action, reward, next_state, terminated, alpha, gamma):
    error = float(reward + gamma * np.max(q[next_state]) - q[(*state, action)])
    q[(*state, action)] = q[(*state, action)] + alpha * error
    return error


def epsilon_greedy(values, epsilon, rng):
    if np.random.rand() < epsilon:
        return int(np.random.randint(len(values)))
    return int(np.argmax(values))


def q_learning(env, shape, steps, alpha, gamma, epsilon, seed):
    return run(env, np.zeros(shape), lambda state: state)


def train(env, steps, seed):
    q = run(env, np.zeros((*BINS, 2)), lambda observation: discretize(observation, LOW, HIGH, BINS))
    return {"q": q, "low": LOW, "high": HIGH, "bins": BINS}


def run(env, q, state_of):
    for _ in range(EPISODES):
        state, done = state_of(env.reset()[0]), False
        while not done:
            action = epsilon_greedy(q[state], EPSILON, None)
            observation, reward, terminated, truncated, _ = env.step(action)
            next_state, done = state_of(observation), terminated or truncated
            q_update(q, state, action, reward, next_state, terminated, ALPHA, GAMMA)
            state = next_state
    return q
