"""The replay buffer and the choice of actions."""

import numpy as np
import pytest
import solution
import torch

from grader.suite import in_guest

SHAPE = (2, 3, 4)
NAMES = ("states", "actions", "rewards", "next_states", "terminated", "truncated")


def transitions(seed, count):
    """Rows for `add`. The reward is the row's number, so that a sampled row says which one it is."""
    rng = np.random.default_rng(seed)
    states = rng.integers(0, 256, (2, count, *SHAPE), dtype=np.uint8)
    actions, ends = rng.integers(5, size=count).tolist(), rng.permutation(count) % 4  # both, one, the other, none
    terminated, truncated = (ends % 2 == 1).tolist(), (ends > 1).tolist()
    return [(states[0][n], actions[n], float(n), states[1][n], terminated[n], truncated[n]) for n in range(count)]


@in_guest
def remember(capacity, shape, rows, batch_size, draws, seed):
    """The length of a buffer after adding the rows, and samples of it."""
    import numpy as np

    buffer = solution.ReplayBuffer(capacity, shape)
    for row in rows:
        buffer.add(*row)
    rng = np.random.default_rng(seed)
    return len(buffer), [buffer.sample(batch_size, rng) for _ in range(draws)]


@in_guest
def remember_rewards(capacity, shape, rows, batch_size, draws, seed, noise):
    """The rewards of the samples alone, with other random numbers everywhere but in the generator."""
    import random

    import numpy as np
    import torch

    buffer = solution.ReplayBuffer(capacity, shape)
    for row in rows:
        buffer.add(*row)
    rng = np.random.default_rng(seed)
    rewards = []
    for draw in range(draws):
        random.seed(noise + draw)
        np.random.seed(noise + draw)
        torch.manual_seed(noise + draw)
        rewards.append(buffer.sample(batch_size, rng)["rewards"])
    return torch.stack(rewards)


@in_guest
def remember_one_array(shape, count, seed):
    """Samples after adding one and the same array again and again, filled with another number each time."""
    import numpy as np

    buffer = solution.ReplayBuffer(count, shape)
    state, next_state = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for number in range(count):
        state[:], next_state[:] = number, number + 1
        buffer.add(state, 0, float(number), next_state, False, False)
    return buffer.sample(count, np.random.default_rng(seed))


def numbers_of(sample):
    """Which rows a sample has."""
    return sample["rewards"].to(torch.int64).tolist()


@pytest.mark.points(4)
def test_samples_are_what_was_added(seed):
    """Sampled rows are those that were added, in tensors of the right shapes and types, both ends kept apart"""
    rows = transitions(seed, 9)
    size, samples = remember(20, SHAPE, rows, 6, 30, seed)
    assert size == 9, f"len(buffer) is {size} after 9 rows, with room for 20"
    dtypes = (torch.uint8, torch.int64, torch.float32, torch.uint8, torch.bool, torch.bool)
    for sample in samples:
        assert isinstance(sample, dict), "sample must return a dict"
        assert set(NAMES) <= set(sample), f"sample must return a dict with {', '.join(NAMES)}"
        for name, dtype in zip(NAMES, dtypes, strict=True):
            shape = (6, *SHAPE) if "states" in name else (6,)
            assert isinstance(sample[name], torch.Tensor), f"{name} must be a tensor"
            assert tuple(sample[name].shape) == shape, f"{name} is {tuple(sample[name].shape)}, expected {shape}"
            assert sample[name].dtype == dtype, f"{name} is {sample[name].dtype}, expected {dtype}"
        for place, number in enumerate(numbers_of(sample)):
            for name, value in zip(NAMES, rows[number], strict=True):
                assert np.array_equal(sample[name][place].numpy(), value), (
                    f"{name} of a sampled row is not what was added with it: the columns must stay together, and "
                    "terminated and truncated are two things"
                )


@pytest.mark.points(3)
def test_newest_replace_the_oldest(seed):
    """A full buffer keeps the newest rows: exactly `capacity` of them"""
    for count in (10, 13, 27):
        size, samples = remember(10, SHAPE, transitions(seed, count), 10, 60, seed)
        assert size == 10, f"len(buffer) is {size} after {count} rows, with room for 10"
        seen = {number for sample in samples for number in numbers_of(sample)}
        assert seen == set(range(count - 10, count)), (
            f"of {count} rows in a buffer of 10, {sorted(seen)} were found in 600 draws, expected the last 10"
        )


@pytest.mark.points(4)
def test_sampling_is_uniform(seed):
    """Each row in the buffer is equally likely, drawn with the given generator and nothing else that is random"""
    rows = transitions(seed, 70)
    drawn, again = (remember_rewards(50, SHAPE, rows, 32, 200, seed, noise) for noise in (1, 5000))
    assert tuple(drawn.shape) == (200, 32), "each sample has batch_size rows"
    counts = torch.bincount(drawn.to(torch.int64).flatten(), minlength=70)[20:].double()
    # With 49 degrees of freedom chi square has mean 49 and standard deviation 10. 130 is beyond what chance gives.
    chi_square = ((counts - 128) ** 2 / 128).sum().item()
    assert chi_square < 130, (
        f"of 50 rows, in 6400 draws, the rarest was drawn {counts.min():.0f} times and the most frequent "
        f"{counts.max():.0f} times, about 128 are expected of each: draw from the whole buffer, evenly"
    )
    assert torch.equal(drawn, again), "the same generator gave other rows: take every random number from rng"
    other = remember_rewards(50, SHAPE, rows, 32, 5, seed + 1, 1)
    assert not torch.equal(drawn[:5], other), "another generator gave the same rows: take every random number from rng"


@pytest.mark.points(3)
def test_buffer_keeps_copies(seed):
    """A state that changes after it was added does not change in the buffer"""
    sample = remember_one_array(SHAPE, 12, seed)
    for name, offset in (("states", 0), ("next_states", 1)):
        expected = sample["rewards"] + offset
        assert torch.equal(sample[name].flatten(1).float().mean(1), expected), (
            f"{name} changed after they were added: the buffer must copy, not refer to the caller's arrays"
        )


@pytest.mark.points(2)
def test_epsilon_falls_linearly():
    """epsilon_at falls linearly from start to end, and stays there"""
    for start, end, decay in ((1.0, 0.1, 200), (0.5, 0.02, 40)):
        for step in (0, decay // 4, decay // 2, decay, decay + 1, 10 * decay):
            expected = start + (end - start) * min(1, step / decay)
            found = solution.epsilon_at(step, start, end, decay)
            assert float(found) == pytest.approx(expected, abs=1e-9), (
                f"epsilon_at({step}, {start}, {end}, {decay}) is {found}, expected {expected}"
            )


@in_guest
def actions_of(table, states, epsilon, seed, noise):
    """The actions for the states. The network looks a state's values up by its first pixel."""
    import random

    import numpy as np
    import torch
    from torch import nn

    class LookUp(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(table.clone())

        def forward(self, x):
            if x.dtype != torch.uint8 or tuple(x.shape) != (1, *states[0].shape):
                raise ValueError(f"the network got {x.dtype} {tuple(x.shape)}, not uint8 and a batch of one state")
            return self.table[x[:, 0, 0, 0].long()]

    rng = np.random.default_rng(seed)
    network = LookUp()
    chosen = []
    for step, state in enumerate(states):
        random.seed(noise + step)
        np.random.seed(noise + step)
        torch.manual_seed(noise + step)
        chosen.append(solution.act(network, state, epsilon, rng))
    return chosen


def acted(seed, epsilon, count, noise=1):
    """A table (8, 5) of values, the first pixel of each state, and the actions that were chosen."""
    g = torch.Generator().manual_seed(seed)
    table = torch.randn(8, 5, generator=g) - 3
    states = torch.randint(0, 8, (count, 2, 3, 3), generator=g).to(torch.uint8).numpy()
    chosen = actions_of(table, list(states), epsilon, seed, noise)
    for action in chosen:
        assert type(action) is int, f"act must return a plain int, not a {type(action).__name__}"
        assert 0 <= action < 5, f"action {action} is out of range"
    return table, states[:, 0, 0, 0], np.array(chosen)


# Shares of 3000 choices: the standard error is at most 0.0092, the bound is more than five of them.
CLOSE = 0.05


@pytest.mark.points(4)
def test_act_explores_with_epsilon(seed):
    """With probability epsilon act takes any action, each equally likely, else the best, all by the given generator"""
    table, pixels, chosen = acted(seed, 0.0, 40)
    assert np.array_equal(chosen, table.argmax(1).numpy()[pixels]), (
        "epsilon = 0 must always take the action of the largest value"
    )
    for epsilon in (1.0, 0.4):
        table, pixels, chosen = acted(seed, epsilon, 3000)
        # The actions in the order of their values, the best one first.
        ranks = table.argsort(1, descending=True).argsort(1).numpy()[pixels, chosen]
        shares = np.bincount(ranks, minlength=5) / 3000
        expected = np.full(5, epsilon / 5)
        expected[0] += 1 - epsilon
        assert np.abs(shares - expected).max() < CLOSE, (
            f"epsilon = {epsilon}: the best to the worst action were taken with the shares {shares.round(2).tolist()}, "
            f"expected {expected.round(2).tolist()}"
        )
    first, again = (acted(seed, 0.5, 60, noise)[2].tolist() for noise in (1, 1000))
    assert first == again, "the same generator gave other actions: take every random number from rng"
