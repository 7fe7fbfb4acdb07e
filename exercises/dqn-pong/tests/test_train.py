"""What the network that `train` returns is worth. The judge owns the worlds and acts by the network's values."""

import numpy as np
import pytest
import solution
import torch
from worlds import Islands, Rally

from grader.suite import in_guest, lend, threshold

EPISODES = 60
SHORT, LONGER = 200, 1500

# Values of two networks that are not the same. Those of the same one may differ by 0.00001.
DIFFERENT = 1e-4

# Steps that a world still takes when the time is up. test_keeps_to_the_rules_of_the_environment has its own opinion.
GRACE = 50


def trained(world, steps, gamma, seed):
    """The network that train returned."""
    try:
        return solution.train(lend(world, "reset", "step"), world.actions, steps, gamma, seed % 1000)
    except Exception as error:
        pytest.fail(
            f"train raised {type(error).__name__}: {str(error)[:300]}\nThe environment has nothing but reset() and "
            "step(): the first returns (frame, info), the second five values; `steps` counts over all episodes"
        )


def values(network, stacks, actions):
    """The network's values (N, actions) of stacks (N, 2, H, W), checked for their form."""
    with torch.no_grad():
        found = network(torch.from_numpy(np.stack(stacks)))
    assert isinstance(found, torch.Tensor), "the trained network must return a tensor"
    assert tuple(found.shape) == (len(stacks), actions), (
        f"the trained network returned {tuple(found.shape)}, expected (B, actions) = {(len(stacks), actions)}"
    )
    return found.detach().double().numpy()


@in_guest
def without_parameters(network, stacks):
    """The network's values (N, actions) of the stacks while all its parameters are zero."""
    import torch

    kept = [parameter.detach().clone() for parameter in network.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        found = network(stacks).clone()
        for parameter, value in zip(network.parameters(), kept, strict=True):
            parameter.copy_(value)
    return found


def must_stand_in_parameters(network, stacks):
    """Fail where the network tells stacks apart by something else than its parameters."""
    found = without_parameters(network, torch.from_numpy(np.stack(stacks)))
    assert isinstance(found, torch.Tensor), "the trained network must return a tensor"
    assert len(found) == len(stacks), f"the trained network returned {len(found)} rows for {len(stacks)} stacks"
    assert torch.allclose(found, found[:1].expand_as(found), rtol=0, atol=1e-6, equal_nan=True), (
        "with all its parameters at zero the network still gives other values for other stacks: they do not come from "
        "parameters that were trained, but from rules or a table that it carries with it"
    )


def moving(world, count):
    """That many stacks of two frames, from steps at random."""
    stacks = []
    while len(stacks) < count:
        frame = world.reset()[0]
        while not world.over:
            before, frame = frame, world.step(int(world.rng.integers(world.actions)))[0]
            stacks.append(np.stack([before, frame]))
    return stacks[:count]


def share_caught(network, worlds):
    """The share of balls caught when the action of the largest value is taken, over fresh episodes side by side."""
    stacks = [[world.reset()[0]] * 2 for world in worlds]
    playing = list(range(len(worlds)))
    while playing:
        best = values(network, [np.stack(stacks[n]) for n in playing], 3).argmax(1)
        for n, action in zip(playing, best, strict=True):
            stacks[n] = [stacks[n][1], worlds[n].step(int(action))[0]]
        playing = [n for n in playing if not worlds[n].over]
    return sum(world.caught for world in worlds) / sum(world.balls for world in worlds)


@pytest.mark.points(7)
def test_learns_to_catch(seed):
    """After 3500 steps in the small Pong the network catches at least 75% of the balls"""
    network = trained(Rally(seed + 1, seed, budget=3500 + GRACE), 3500, 0.95, seed)
    must_stand_in_parameters(network, moving(Rally(seed + 2, seed), 50))
    share = share_caught(network, [Rally(seed * 1000 + n, seed) for n in range(EPISODES)])
    assert threshold("share of balls caught", share, at_least=0.75), (
        f"{share:.0%} of the balls are caught, at least 75% are needed (at random about 28%, with a view of one frame "
        "about 50%, at best all). Are there enough steps of training, enough exploration at first, does epsilon fall, "
        "is the target network updated often enough for so short a run?"
    )


@pytest.mark.points(6)
def test_finds_the_optimal_values(seed):
    """After 1500 steps in a small world the values are the optimal ones, up to 12%"""
    world = Islands(seed + 1, seed, budget=1500 + GRACE)
    network = trained(world, 1500, 0.7, seed)
    stacks, now = world.stacks()
    must_stand_in_parameters(network, stacks)
    optimal = world.optimal(0.7)[now]
    error = np.sqrt(np.square(values(network, stacks, 3) - optimal).mean() / np.square(optimal).mean())
    assert threshold("error of the values", float(error), at_most=0.12), (
        f"the values are off by {error:.0%}, at most 12% is allowed. Episodes are truncated after three steps here: "
        "that must not end the future, and a terminated step must. And every action has to be tried often enough"
    )


def run(seed, steps, gamma, number):
    """A run in a world of `seed`, trained with the seed `number`: the world after it, and values of some stacks."""
    probe = np.random.default_rng(seed).integers(0, 256, (6, 2, Rally.SIZE, Rally.SIZE), dtype=np.uint8)
    world = Rally(seed, seed)
    network = trained(world, steps, gamma, number)
    return world, values(network, list(probe), 3)


@pytest.fixture(scope="module")
def short_runs(seed):
    """Three short runs in the same world, two with the same seed."""
    return [run(seed, SHORT, 0.95, number) for number in (seed, seed, seed + 1)]


@pytest.mark.points(2)
def test_keeps_to_the_rules_of_the_environment(short_runs):
    """train takes exactly `steps` steps and resets at the start and after each end, never within an episode"""
    for world, _ in short_runs:
        assert len(world.taken) == SHORT, f"train took {len(world.taken)} steps, expected exactly {SHORT}"
        assert not world.early_resets, f"env.reset() was called {world.early_resets} times before an episode was over"
        assert set(world.taken) == {0, 1, 2}, f"in {SHORT} steps only the actions {sorted(set(world.taken))} were tried"


@pytest.mark.points(3)
def test_same_seed_same_network(seed, short_runs):
    """The same seed takes the same actions to the same network, another seed takes others, another gamma counts"""
    (first, network), (again, same_network), (other, _) = short_runs
    assert first.taken == again.taken, (
        "the same seed took other actions: seed everything random, and the networks before they are made"
    )
    assert np.allclose(network, same_network, atol=1e-5), "the same seed gave another network"
    assert first.taken != other.taken, "another seed took the same actions"
    apart = np.abs(run(seed, SHORT, 0.5, seed)[1] - network).max()
    if apart < DIFFERENT:  # whoever begins to learn later than that shows it in a longer run
        apart = np.abs(run(seed, LONGER, 0.5, seed)[1] - run(seed, LONGER, 0.95, seed)[1]).max()
    assert apart >= DIFFERENT, (
        "with the same seed, gamma = 0.5 gave the same network as gamma = 0.95: the targets need the gamma that it got"
    )
