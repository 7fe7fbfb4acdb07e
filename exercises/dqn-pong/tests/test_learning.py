"""The network, the targets, a step of training and the target network, held against computations on this side."""

import pytest
import solution
import torch

from grader.suite import in_guest, threshold


def bytes_like(seed, *shape):
    """Random bytes as a tensor."""
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def awake(shape, actions, x):
    """A network that tells two stacks apart: the first of eight, since all units of a layer may start dead."""
    for _ in range(8):
        network = solution.QNetwork(shape, actions)
        with torch.no_grad():
            first, second = network(x[:2])
        if not torch.allclose(first, second, atol=1e-7):
            return network
    pytest.fail("the values do not depend on the stack")


@pytest.mark.points(4)
def test_network_has_its_form(seed):
    """QNetwork maps (B, C, H, W) to (B, actions), row by row, by convolutions, with at most three million parameters"""
    for shape, actions in (((4, 80, 80), 6), ((2, 48, 36), 3)):
        network = solution.QNetwork(shape, actions)
        x = bytes_like(seed, 5, *shape)
        with torch.no_grad():
            together, alone = network(x), network(x[3:4])
        assert tuple(together.shape) == (5, actions), f"the values are {tuple(together.shape)}, expected (5, {actions})"
        assert tuple(alone.shape) == (1, actions), f"the values are {tuple(alone.shape)}, expected (1, {actions})"
        assert torch.allclose(together[3:4], alone, atol=1e-4), "other rows of the batch changed this row's values"
        size = sum(parameter.numel() for parameter in network.parameters())
        assert size <= 3_000_000, f"{size} parameters; a convolutional network needs fewer than three million"
        network = awake(shape, actions, x)
        kernels = [parameter for parameter in network.parameters() if is_kernel(tuple(parameter.shape), shape)]
        assert kernels, (
            "no parameter is the kernel of a convolution: four dimensions (out, in, height, width), more than a pixel, "
            "less than half of the frame. A dense layer over all pixels has to learn everything anew in every place"
        )
        network(x).square().sum().backward()
        assert any(kernel.grad is not None and bool(kernel.grad.any()) for kernel in kernels), (
            "the values do not depend on any kernel of a convolution"
        )


def is_kernel(size, shape):
    """Whether a parameter of this size looks at a part of a frame, not at one pixel and not at all of them."""
    return len(size) >= 4 and max(size[-2:]) > 1 and size[-2] * size[-1] < shape[-2] * shape[-1] / 2


@pytest.mark.points(2)
def test_network_scales_bytes(seed):
    """Bytes are divided by 255, floats are taken as they are"""
    x = bytes_like(seed, 3, 4, 80, 80)
    network = awake((4, 80, 80), 6, x)
    with torch.no_grad():
        found, expected, unscaled = network(x), network(x.float() / 255), network(x.float())
    assert torch.allclose(found, expected, atol=1e-4), "uint8 must be divided by 255 inside the network"
    assert not torch.allclose(found, unscaled, atol=1e-4), "floats are taken as they are, not divided once more"


@in_guest
def fit(shape, actions, x, y, steps):
    """What the network says of x after that many steps towards y."""
    import torch

    torch.manual_seed(0)
    network = solution.QNetwork(shape, actions)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(x) - y).square().mean().backward()
        optimizer.step()
    return network(x).detach()


@pytest.mark.points(3)
def test_network_learns_how_the_ball_moves(seed):
    """The network learns values of either sign that depend on the ball's place in two frames together"""
    g = torch.Generator().manual_seed(seed)
    here, there = (torch.randint(low, low + 8, (2,), generator=g).tolist() for low in (2, 24))
    x = torch.zeros(4, 2, 36, 36, dtype=torch.uint8)
    for row, places in enumerate(((here, here), (here, there), (there, here), (there, there))):
        for frame, (top, left) in enumerate(places):
            x[row, frame, top : top + 4, left : left + 4] = 236
    moves = torch.tensor([-1.0, 1.0, 1.0, -1.0])
    y = torch.stack([4 * moves, -4 * moves, 3 + moves], dim=1)
    found = fit((2, 36, 36), 3, x, y, 150)
    assert tuple(found.shape) == (4, 3), "the values are (B, actions)"
    error = ((found - y).square().mean() / y.square().mean()).sqrt().item()
    assert threshold("error of values that depend on two frames", error, at_most=0.3), (
        f"after 150 steps the values are off by {error:.0%}. A Q-network has nonlinear layers inside and none after "
        "the last: values may have any sign and size, they are no probabilities"
    )


class Batch:
    """Rewards, next values and ends of 8 rows: two terminated, two truncated, one both, and what they should become."""

    def __init__(self, seed, gamma):
        g = torch.Generator().manual_seed(seed)
        self.gamma = gamma
        self.rewards = torch.randn(8, generator=g)
        self.online = torch.randn(8, 4, generator=g) * 2
        self.target = torch.randn(8, 4, generator=g) * 2 - 3
        order = torch.randperm(8, generator=g)
        self.terminated, self.truncated = torch.zeros(2, 8, dtype=torch.bool)
        self.terminated[order[:3]] = True
        self.truncated[order[2:5]] = True

    def targets(self, next_values):
        """What `td_targets` says, checked for its form."""
        found = solution.td_targets(self.rewards, next_values, self.terminated, self.truncated, self.gamma)
        assert tuple(found.shape) == (8,), f"td_targets returned {tuple(found.shape)}, expected (8,)"
        return found.detach()


@pytest.mark.points(3)
def test_targets_are_reward_and_best_next_value(seed):
    """Where nothing ended, the target is r + gamma max Q(s', a), the maximum over the actions"""
    for gamma in (0.99, 0.5, 0.0):
        batch = Batch(seed, gamma)
        for next_values in (batch.target, batch.online):
            expected = batch.rewards + gamma * torch.tensor([max(row) for row in next_values.tolist()])
            going_on = ~(batch.terminated | batch.truncated)
            assert torch.allclose(batch.targets(next_values)[going_on], expected[going_on], atol=1e-5), (
                "the target is the reward plus gamma times the largest of the row's next values: over dim 1, not over "
                "the batch, not the smallest, not the mean, and not cut off at 0"
            )


@pytest.mark.points(4)
def test_nothing_comes_after_a_terminated_step(seed):
    """Where the episode terminated, the target is the reward alone, whatever the next values are"""
    for lift in (-50.0, 50.0):
        batch = Batch(seed, 0.9)
        found = batch.targets(batch.target + lift)[batch.terminated]
        assert torch.allclose(found, batch.rewards[batch.terminated], atol=1e-5), (
            "after a terminated step there is no future: the target is the reward, also where truncated is set as well"
        )


@pytest.mark.points(4)
def test_truncated_steps_have_a_future(seed):
    """Where the episode was only truncated, the target looks ahead as anywhere else"""
    batch = Batch(seed, 0.9)
    rows = batch.truncated & ~batch.terminated
    expected = batch.rewards + 0.9 * batch.target.max(1).values
    assert torch.allclose(batch.targets(batch.target)[rows], expected[rows], atol=1e-5), (
        "truncated says that time was up, not that nothing comes after: the next state keeps its value"
    )


@pytest.mark.points(3)
def test_double_targets_choose_online_and_value_by_target(seed):
    """double_td_targets: the online network chooses the next action, the target network values it; ends as before"""
    for case in range(3):
        batch = Batch(seed + case, 0.9)
        chosen = [row.index(max(row)) for row in batch.online.tolist()]
        future = batch.target[torch.arange(8), chosen]
        expected = torch.where(batch.terminated, batch.rewards, batch.rewards + 0.9 * future)
        found = solution.double_td_targets(
            batch.rewards, batch.online, batch.target, batch.terminated, batch.truncated, 0.9
        )
        assert tuple(found.shape) == (8,), f"double_td_targets returned {tuple(found.shape)}, expected (8,)"
        assert torch.allclose(found, expected, atol=1e-5), (
            "the action is the best one by next_online, its value is that of next_target; nothing comes after a "
            "terminated step, but after a truncated one"
        )


@pytest.mark.points(2)
def test_targets_carry_no_gradient(seed):
    """No gradient flows through the targets, whichever network the next values come from"""
    batch = Batch(seed, 0.9)
    online, target = batch.online.requires_grad_(), batch.target.requires_grad_()
    ends = batch.terminated, batch.truncated
    for found in (
        solution.td_targets(batch.rewards, target, *ends, 0.9),
        solution.double_td_targets(batch.rewards, online, target, *ends, 0.9),
    ):
        assert not found.requires_grad, "targets are constants of the loss: detach the next values"


SIZE, HIDDEN, ACTIONS = 12, 9, 4


@in_guest
def build(weights):
    """A small network for stacks (B, 3, 2, 2) with these weights."""
    import torch
    from torch import nn

    class Bytes(nn.Module):
        def forward(self, x):
            return x.float() / 255 if x.dtype == torch.uint8 else x

    network = nn.Sequential(Bytes(), nn.Flatten(), nn.Linear(SIZE, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, ACTIONS))
    for parameter, value in zip(network.parameters(), weights, strict=True):
        parameter.data.copy_(value)
    return network


@in_guest
def step_with(weights, target_weights, batches, gamma, lr):
    """Losses of some steps, the weights of both networks afterwards, and the target network's gradients."""
    import torch

    online, target = build(weights), build(target_weights)
    optimizer = torch.optim.SGD(online.parameters(), lr=lr)
    losses = [solution.train_step(online, target, optimizer, batch, gamma) for batch in batches]
    gradients = [parameter.grad for parameter in target.parameters()]
    return losses, *([p.detach() for p in network.parameters()] for network in (online, target)), gradients


@in_guest
def update_with(weights, target_weights, tau):
    """The weights of the online network, and of the target network before and after a change to the online one."""
    import torch

    online, target = build(weights), build(target_weights)
    solution.update_target(online, target, tau)
    after = [[p.detach().clone() for p in network.parameters()] for network in (online, target)]
    with torch.no_grad():
        for parameter in online.parameters():
            parameter.add_(1.0)
    return *after, [p.detach() for p in target.parameters()]


def weights_of(seed):
    """Weights for `build`."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((HIDDEN, SIZE), (HIDDEN,), (ACTIONS, HIDDEN), (ACTIONS,))
    return [torch.randn(shape, generator=g) for shape in shapes]


def batches_of(seed, count, rows=16):
    """Batches as a ReplayBuffer gives them. Some errors are small and some large: that is where Huber bends."""
    g = torch.Generator().manual_seed(seed)
    return [
        {
            "states": torch.randint(0, 256, (rows, 3, 2, 2), generator=g).to(torch.uint8),
            "actions": torch.randint(0, ACTIONS, (rows,), generator=g),
            "rewards": torch.randn(rows, generator=g) * 2,
            "next_states": torch.randint(0, 256, (rows, 3, 2, 2), generator=g).to(torch.uint8),
            "terminated": torch.rand(rows, generator=g) < 0.3,
            "truncated": torch.rand(rows, generator=g) < 0.3,
        }
        for _ in range(count)
    ]


def values_of(weights, states):
    """The network's values, written out."""
    first, first_bias, second, second_bias = weights
    return torch.tanh(states.flatten(1).float() / 255 @ first.T + first_bias) @ second.T + second_bias


def expected_steps(weights, target_weights, batches, gamma, lr):
    """The losses and the weights after gradient descent on the Huber loss, by hand."""
    losses, weights = [], [value.clone() for value in weights]
    for batch in batches:
        future = values_of(target_weights, batch["next_states"]).amax(1)
        targets = batch["rewards"] + gamma * future * (~batch["terminated"])
        leaves = [value.requires_grad_() for value in weights]
        rows = torch.arange(len(targets))
        off = (values_of(leaves, batch["states"])[rows, batch["actions"]] - targets).abs()
        loss = torch.where(off <= 1, off**2 / 2, off - 0.5).mean()
        gradients = torch.autograd.grad(loss, leaves)
        weights = [(value - lr * slope).detach() for value, slope in zip(leaves, gradients, strict=True)]
        losses.append(loss.item())
    return losses, weights


def same(found, expected):
    return all(torch.allclose(a, b, atol=1e-4) for a, b in zip(found, expected, strict=True))


@pytest.mark.points(4)
def test_train_step_matches_its_formula(seed):
    """Losses and weights of three steps in a row are those of gradient descent on the Huber loss"""
    weights, target_weights, batches = weights_of(seed), weights_of(seed + 1), batches_of(seed + 2, 3)
    losses, found, _, _ = step_with(weights, target_weights, batches, 0.9, 0.3)
    expected_losses, _ = expected_steps(weights, target_weights, batches, 0.9, 0.3)
    assert isinstance(losses[0], float), f"train_step must return the loss as a float, not {type(losses[0]).__name__}"
    assert losses[0] == pytest.approx(expected_losses[0], rel=1e-4, abs=1e-5), (
        f"the loss of the first step is {losses[0]:.4f}, expected {expected_losses[0]:.4f}: the Huber loss (delta 1) "
        "between Q(s, a) of the online network for the action taken and the targets from the target network, averaged"
    )
    for steps in (1, 2, 3):
        _, found, _, _ = step_with(weights, target_weights, batches[:steps], 0.9, 0.3)
        _, expected = expected_steps(weights, target_weights, batches[:steps], 0.9, 0.3)
        assert same(found, expected), (
            f"after {steps} step{'s' * (steps > 1)} the online network's weights are not those of gradient descent: "
            "only Q(s, a) carries a gradient, and every step starts from gradients of zero"
        )


@pytest.mark.points(3)
def test_train_step_leaves_the_target_network(seed):
    """train_step changes nothing in the target network and sends no gradient into it"""
    target_weights = weights_of(seed + 1)
    _, _, after, gradients = step_with(weights_of(seed), target_weights, batches_of(seed + 2, 2), 0.9, 0.3)
    assert len(after) == 4, "the target network has four parameters"
    assert same(after, target_weights), (
        "the target network changed: it stands still between updates, that is what it is for"
    )
    assert all(slope is None or not slope.any() for slope in gradients), (
        "a gradient flowed into the target network: compute its values under torch.no_grad()"
    )


@pytest.mark.points(4)
def test_target_moves_towards_the_online_network(seed):
    """update_target sets tau times online plus (1 - tau) times target, in place, and keeps the two apart"""
    weights, target_weights = weights_of(seed), weights_of(seed + 1)
    for tau in (0.1, 1.0):
        online, target, later = update_with(weights, target_weights, tau)
        expected = [tau * ours + (1 - tau) * theirs for ours, theirs in zip(weights, target_weights, strict=True)]
        assert same(online, weights), "update_target changed the online network"
        assert same(target, expected), (
            f"tau = {tau}: each parameter of the target network becomes tau * online + (1 - tau) * target"
        )
        assert same(later, target), (
            "a change to the online network changed the target network: they must not share their parameters' memory"
        )
