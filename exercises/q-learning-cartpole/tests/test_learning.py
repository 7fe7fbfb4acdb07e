"""q_learning in small worlds whose optimal values the judge knows."""

import numpy as np
import pytest
import solution
from worlds import Maze

from grader.suite import lend, threshold

STATES, ACTIONS = 5, 3


def learn(maze, steps, alpha, gamma, epsilon, seed):
    """The candidate's table, checked for its form."""
    shape = maze.rewards.shape
    try:
        q = solution.q_learning(lend(maze, "reset", "step"), shape, steps, alpha, gamma, epsilon, seed % 1000)
    except Exception as error:
        pytest.fail(
            f"q_learning raised {type(error).__name__}: {str(error)[:300]}\nreset() returns (observation, info), "
            "step() returns (observation, reward, terminated, truncated, info); the observation is the state, a "
            "tuple of ints"
        )
    assert isinstance(q, np.ndarray), f"q_learning must return a numpy array, not {type(q).__name__}"
    assert q.shape == shape, f"q_learning returned a table of shape {q.shape}, expected {shape}"
    assert np.isfinite(q).all(), "the table holds values that are not finite"
    return q


def maze_of(seed, *, ends, cap=10**9):
    """A maze of the seed's own. `ends` is "outside": a terminal state of its own; "anywhere"; "always"; or "never".

    A ring of first actions keeps every state within reach.
    """
    rng = np.random.default_rng(seed)
    next_states = rng.integers(0, STATES, (STATES, ACTIONS))
    next_states[:, 0] = (np.arange(STATES) + 1) % STATES
    rewards = rng.uniform(0.2, 1.0, (STATES, ACTIONS))
    stops = np.zeros((STATES, ACTIONS), bool)
    if ends == "always":
        stops[:] = True
    elif ends != "never":
        stops[np.arange(STATES), rng.integers(1, ACTIONS, STATES)] = True
    if ends == "outside":
        next_states = np.where(stops, STATES, next_states)
        next_states, rewards, stops = (np.vstack([table, table[:1]]) for table in (next_states, rewards, stops))
    return Maze(next_states, rewards, stops, seed, starts=STATES, cap=cap)


def distance(q, maze, gamma):
    """The largest error of the values of the states that have any, as a share of the largest value."""
    optimal = maze.optimal(gamma)[:STATES]
    return np.abs(q[:STATES] - optimal).max() / optimal.max()


# Errors. margins.md says how far this stands from right and wrong.
NEAR = 0.03


@pytest.mark.points(3)
def test_finds_the_optimal_values(seed):
    """In a small world with certain moves the table converges to the optimal values"""
    maze = maze_of(seed, ends="outside")
    error = distance(learn(maze, 3000, 0.7, 0.7, 0.6, seed), maze, 0.7)
    assert threshold("error of the values", error, at_most=NEAR), (
        f"after 3000 steps the values are up to {error:.0%} of the largest one away from the optimal ones"
    )


@pytest.mark.points(3)
def test_learns_the_best_policy_from_a_random_one(seed):
    """With epsilon = 1 every action is random, and yet the values are those of the best policy"""
    maze = maze_of(seed + 1, ends="outside")
    error = distance(learn(maze, 3000, 0.7, 0.7, 1.0, seed), maze, 0.7)
    assert threshold("error of the values", error, at_most=NEAR), (
        f"the values are up to {error:.0%} off. Q-learning is off-policy: the target takes the best next action, not "
        "the action that is going to be taken (that is SARSA)"
    )


@pytest.mark.points(3)
def test_terminated_steps_have_no_future(seed):
    """A step that terminates the episode is worth its reward, even if the state it leads to is worth a lot elsewhere"""
    maze = maze_of(seed + 2, ends="anywhere")
    error = distance(learn(maze, 3000, 0.7, 0.7, 0.5, seed), maze, 0.7)
    assert threshold("error of the values", error, at_most=NEAR), (
        f"the values are up to {error:.0%} off: the target of a terminated step is its reward alone"
    )


@pytest.mark.points(3)
def test_truncated_steps_have_a_future(seed):
    """An episode that was only cut short (truncated) goes on as far as the values are concerned"""
    maze = maze_of(seed + 3, ends="never", cap=3)
    error = distance(learn(maze, 3000, 0.7, 0.7, 0.5, seed), maze, 0.7)
    assert threshold("error of the values", error, at_most=NEAR), (
        f"the values are up to {error:.0%} off. `truncated` says that time is up, not that nothing would come: the "
        "target keeps gamma max q[next_state]; only `terminated` ends it"
    )


@pytest.mark.points(2)
def test_each_step_is_learnt_once(seed):
    """The table is what the steps make of zeros, one update after the other with the given alpha and gamma"""
    for alpha, gamma in ((0.05, 0.9), (0.4, 0.5)):
        maze = maze_of(seed + 6, ends="outside")
        found, expected = learn(maze, 300, alpha, gamma, 0.7, seed), np.zeros(maze.rewards.shape)
        for state, action, reward, next_state, terminated in maze.path:
            future = 0.0 if terminated else gamma * expected[next_state].max()
            expected[state, action] += alpha * (reward + future - expected[state, action])
        off = np.abs(found - expected).max()
        assert off < 1e-4, (
            f"alpha = {alpha}, gamma = {gamma}: after 300 steps a value is off by {off:.4f} from what these very steps "
            "give. The table starts from zeros; each step is one q_update with the alpha and gamma that were passed"
        )


def repeats(maze):
    """How often the action was the one of the last visit to the same state, as a share of all visits but the first."""
    last, same = {}, []
    for state, action, *_ in maze.path:
        same += [last[state] == action] if state in last else []
        last[state] = action
    return sum(same) / len(same)


@pytest.mark.points(2)
def test_epsilon_is_the_one_given(seed):
    """With epsilon = 0 the action that once paid is taken ever after, with epsilon = 1 it is drawn anew each time"""
    greedy, random = (maze_of(seed + 7, ends="always") for _ in range(2))
    learn(greedy, 400, 0.5, 0.7, 0.0, seed)
    assert repeats(greedy) == 1, (
        "epsilon = 0, start from zeros, all rewards positive: in each state the first action that was tried is the "
        f"best one from then on, but only {repeats(greedy):.1%} of the actions were those of the visit before"
    )
    learn(random, 1200, 0.5, 0.7, 1.0, seed)
    # The standard error is 0.0136 for one in three, the bound is almost six of them.
    assert abs(repeats(random) - 1 / 3) < 0.08, (
        f"epsilon = 1: the action of the visit before was taken again in {repeats(random):.0%} of the steps, with "
        "three actions at random it is a third. Choose with epsilon_greedy and the epsilon that was passed"
    )


@pytest.mark.points(2)
def test_keeps_to_the_rules_of_the_environment(seed):
    """q_learning takes exactly `steps` steps, resets after each episode and never within one"""
    for maze in (maze_of(seed + 4, ends="anywhere", cap=4), maze_of(seed + 4, ends="never", cap=7)):
        learn(maze, 400, 0.5, 0.9, 0.5, seed)
        assert len(maze.taken) == 400, f"env.step was called {len(maze.taken)} times, expected 400"
        assert maze.early_resets == 0, "env.reset was called before the episode was over"


@pytest.mark.points(2)
def test_same_seed_same_run(seed):
    """The same seed takes the same actions and gives the same table, another seed takes other actions"""
    first, again, other = (maze_of(seed + 5, ends="anywhere") for _ in range(3))
    tables = [learn(maze, 300, 0.5, 0.9, 0.5, number) for maze, number in ((first, 1), (again, 1), (other, 2))]
    assert first.taken == again.taken, (
        "two runs with the same seed took different actions: make the generator from seed"
    )
    assert np.array_equal(tables[0], tables[1]), "two runs with the same seed gave different tables"
    assert first.taken != other.taken, "two runs with different seeds took the same 300 actions"
