"""One step of training with two tiny networks of ours, whose weights we compute here as well.

The networks live beside the candidate's code; both know only plain SGD, so that every gradient shows in the weights.
"""

import pytest
import solution
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d

from grader.suite import in_guest

L1_WEIGHT = 3.0


@in_guest
def run_steps(weights, batches, g_rate, d_rate, l1_weight, stale):
    """Train tiny networks with the candidate's train_step; return their weights and the losses of each step."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self, first, second):
            super().__init__()
            self.first, self.second = torch.nn.Parameter(first.clone()), torch.nn.Parameter(second.clone())

        def forward(self, *images):
            hidden = torch.tanh(torch.nn.functional.conv2d(torch.cat(images, dim=1), self.first, padding=1))
            out = torch.nn.functional.conv2d(hidden, self.second)
            return torch.sigmoid(out) if len(images) == 1 else out

    generator, discriminator = Net(*weights[:2]), Net(*weights[2:])
    g_optimizer = torch.optim.SGD(generator.parameters(), lr=g_rate)
    d_optimizer = torch.optim.SGD(discriminator.parameters(), lr=d_rate)
    if stale:
        for parameter in [*generator.parameters(), *discriminator.parameters()]:
            parameter.grad = torch.ones_like(parameter)
    losses = []
    for noisy, clean in batches:
        losses.append(solution.train_step(generator, discriminator, g_optimizer, d_optimizer, noisy, clean, l1_weight))
    return [p.detach() for p in [*generator.parameters(), *discriminator.parameters()]], losses


def draw(seed, steps):
    """Weights of both networks, and (noisy, clean) for each step, in float64."""
    g = torch.Generator().manual_seed(seed)
    shapes = (4, 1, 3, 3), (1, 4, 1, 1), (5, 2, 3, 3), (1, 5, 1, 1)
    weights = [torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes]
    batches = [torch.rand(2, 3, 1, 6, 6, generator=g, dtype=torch.float64).unbind() for _ in range(steps)]
    return weights, [tuple(batch) for batch in batches]


def expected(weights, batches, g_rate, d_rate):
    """The same by our own hand: the weights after the steps, and the losses of each."""
    weights = [weight.clone().requires_grad_() for weight in weights]
    losses = []

    def judge(noisy, image):
        return conv2d(torch.tanh(conv2d(torch.cat([noisy, image], dim=1), weights[2], padding=1)), weights[3])

    def cross_entropy(logits, target):
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    def descend(loss, rate, which):
        slopes = torch.autograd.grad(loss, [weights[k] for k in which])
        for k, slope in zip(which, slopes, strict=True):
            weights[k] = (weights[k] - rate * slope).detach().requires_grad_()
        return loss.item()

    for noisy, clean in batches:
        fake = torch.sigmoid(conv2d(torch.tanh(conv2d(noisy, weights[0], padding=1)), weights[1]))
        d_loss = (cross_entropy(judge(noisy, clean), 1.0) + cross_entropy(judge(noisy, fake.detach()), 0.0)) / 2
        d_value = descend(d_loss, d_rate, (2, 3))
        g_loss = cross_entropy(judge(noisy, fake), 1.0) + L1_WEIGHT * (fake - clean).abs().mean()
        losses.append((d_value, descend(g_loss, g_rate, (0, 1))))
    return [weight.detach() for weight in weights], losses


class Steps:
    """Some steps by the candidate and by us, from the same weights."""

    def __init__(self, seed, steps=1, g_rate=0.0, d_rate=0.0, stale=False):
        self.start, batches = draw(seed, steps)
        try:
            after, self.losses = run_steps(self.start, batches, g_rate, d_rate, L1_WEIGHT, stale)
        except Exception as error:
            pytest.fail(f"train_step raised {type(error).__name__}: {str(error)[:300]}")
        right, self.right_losses = expected(self.start, batches, g_rate, d_rate)
        self.generator, self.discriminator = after[:2], after[2:]
        self.right_generator, self.right_discriminator = right[:2], right[2:]


def close(found, right):
    return all(torch.allclose(one, other, atol=1e-7) for one, other in zip(found, right, strict=True))


@pytest.mark.points(5)
def test_step_of_the_discriminator(seed):
    """The discriminator's weights after a step are those of its own loss, and the generator stays as it is"""
    steps = Steps(seed, d_rate=0.5)  # the generator's optimizer has a learning rate of 0
    assert not close(steps.discriminator, steps.start[2:]), "the discriminator's weights did not change"
    assert close(steps.discriminator, steps.right_discriminator), (
        "the discriminator's weights are not those after one step down its loss. It compares (noisy, clean) as real "
        "with (noisy, generator(noisy)) as fake, starts from cleared gradients, and takes one step"
    )
    assert close(steps.generator, steps.start[:2]), "the generator changed although its learning rate is 0"


@pytest.mark.points(5)
def test_step_of_the_generator(seed):
    """The generator's weights after a step are those of its own loss alone, and the discriminator stays as it is"""
    steps = Steps(seed + 1, g_rate=0.5)
    assert not close(steps.generator, steps.start[:2]), "the generator's weights did not change"
    assert close(steps.generator, steps.right_generator), (
        "the generator's weights are not those after one step down its loss. Its gradient comes through the "
        "discriminator and from the L1 distance to the clean image, and not from the discriminator's loss: in that "
        "one, the fakes are detached"
    )
    assert close(steps.discriminator, steps.start[2:]), "the discriminator changed although its learning rate is 0"


@pytest.mark.points(4)
def test_generator_meets_the_updated_discriminator(seed):
    """The discriminator steps first; the generator is then judged by the updated one"""
    steps = Steps(seed + 2, g_rate=0.5, d_rate=2.0)
    assert close(steps.discriminator, steps.right_discriminator), "the discriminator's weights differ from ours"
    assert close(steps.generator, steps.right_generator), (
        "the discriminator's weights are right, the generator's are not: score the fakes again after the "
        "discriminator's step"
    )


@pytest.mark.points(4)
def test_gradients_start_from_zero(seed):
    """Gradients from before, and those of earlier steps, do not count"""
    steps = Steps(seed + 3, steps=3, g_rate=0.3, d_rate=0.3, stale=True)
    assert close(steps.discriminator, steps.right_discriminator), (
        "after three steps the discriminator's weights differ from ours: clear its gradients right before its "
        "backward. The generator's backward leaves some there, too"
    )
    assert close(steps.generator, steps.right_generator), (
        "after three steps the generator's weights differ from ours: clear its gradients right before its backward"
    )


@pytest.mark.points(2)
def test_returns_both_losses(seed):
    """train_step returns the discriminator's loss and the generator's loss as floats"""
    steps = Steps(seed + 4, g_rate=0.1, d_rate=0.1)
    losses = tuple(steps.losses[0])
    assert len(losses) == 2, "return the two losses (d_loss, g_loss)"
    assert all(type(loss) is float for loss in losses), "return floats: loss.item(), which does not keep the graph"
    assert losses == pytest.approx(steps.right_losses[0], abs=1e-6), (
        f"returned {losses}, expected {steps.right_losses[0]}: the discriminator's loss before its step, then the "
        "generator's before its own"
    )
