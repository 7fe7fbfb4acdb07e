"""Both losses, held against the formulas of the statement, and where the logits are extreme."""

import pytest
import solution
import torch
from torch.nn.functional import logsigmoid


def logits(seed, rows=4, scale=2.0):
    """Logits of real and of fake pairs (N, 1, h, w), in float64."""
    g = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(2, rows, 1, 3, 2, generator=g, dtype=torch.float64)).unbind()


def pair(seed, rows=4):
    """Fake and clean images (N, 1, H, W), in float64."""
    g = torch.Generator().manual_seed(seed + 100)
    return torch.rand(2, rows, 1, 6, 4, generator=g, dtype=torch.float64).unbind()


def expected_d(real, fake):
    return -(logsigmoid(real).mean() + logsigmoid(-fake).mean()) / 2


def expected_g(fake_logits, fake, clean, l1_weight):
    return -logsigmoid(fake_logits).mean() + l1_weight * (fake - clean).abs().mean()


def scalar(loss):
    """The value of a loss, which must be a tensor of one number."""
    assert isinstance(loss, torch.Tensor), f"a loss is a tensor that backward() can start from, not {type(loss)}"
    assert loss.shape == (), f"the loss has shape {tuple(loss.shape)}; it is the mean over all logits, one number"
    return loss.item()


@pytest.mark.points(3)
def test_discriminator_loss(seed):
    """The discriminator's loss is half of the cross-entropy of real as 1 plus that of fake as 0"""
    for case in range(3):
        real, fake = logits(seed + case)
        found, right = scalar(solution.discriminator_loss(real, fake)), expected_d(real, fake).item()
        assert found == pytest.approx(right, abs=1e-6), (
            f"the loss is {found:.5f}, expected {right:.5f}: target 1 for real, 0 for fake, means over all logits, "
            "half of the sum"
        )


@pytest.mark.points(3)
def test_generator_loss(seed):
    """The generator's loss is the cross-entropy of fake as 1 plus l1_weight times the mean absolute error"""
    for l1_weight in (0.0, 1.0, 40.0):
        (_, scores), (fake, clean) = logits(seed), pair(seed)
        found = scalar(solution.generator_loss(scores, fake, clean, l1_weight))
        right = expected_g(scores, fake, clean, l1_weight).item()
        assert found == pytest.approx(right, abs=1e-6), (
            f"with l1_weight = {l1_weight:g} the loss is {found:.5f}, expected {right:.5f}: the generator wants its "
            "fakes to be taken for real, target 1; to this comes l1_weight times the mean absolute error over pixels"
        )


@pytest.mark.points(3)
def test_extreme_logits(seed):
    """Logits of 300 in the wrong place give a loss of 300, finite and not capped, in float32"""
    high = torch.full((2, 1, 2, 2), 300.0)
    image = torch.zeros(2, 1, 4, 4)
    d_loss = scalar(solution.discriminator_loss(-high, high))
    g_loss = scalar(solution.generator_loss(-high, image, image, 1.0))
    for name, found in [("discriminator", d_loss), ("generator", g_loss)]:
        assert found == pytest.approx(300, abs=0.01), (
            f"the {name}'s loss is {found:.5g}, expected 300. sigmoid(300) rounds to 1, and log(1 - 1) is -inf; an "
            "epsilon inside caps the loss and kills the gradient. binary_cross_entropy_with_logits takes logits"
        )
    good = scalar(solution.discriminator_loss(high, -high))
    assert good == pytest.approx(0, abs=1e-6), f"with certain and right scores the loss is {good:.5g}, expected 0"


@pytest.mark.points(3)
def test_gradients_of_the_discriminator_loss(seed):
    """The gradients with respect to real and fake logits are those of the formula"""
    real, fake = (values.requires_grad_() for values in logits(seed))
    solution.discriminator_loss(real, fake).backward()
    right = torch.autograd.grad(expected_d(real, fake), (real, fake))
    for name, found, wanted in zip(("real", "fake"), (real.grad, fake.grad), right, strict=True):
        assert found is not None, f"no gradient reaches the {name} logits"
        assert torch.allclose(found, wanted, atol=1e-7), f"the gradient of the {name} logits is not that of the formula"


@pytest.mark.points(3)
def test_gradients_of_the_generator_loss(seed):
    """Both parts of the generator's loss have their gradient: the logits, and the image"""
    (_, scores), (fake, clean) = logits(seed), pair(seed)
    scores.requires_grad_()
    fake.requires_grad_()
    solution.generator_loss(scores, fake, clean, 7.0).backward()
    right = torch.autograd.grad(expected_g(scores, fake, clean, 7.0), (scores, fake))
    for name, found, wanted in zip(("logits", "image"), (scores.grad, fake.grad), right, strict=True):
        assert found is not None, f"no gradient reaches the {name}"
        assert torch.allclose(found, wanted, atol=1e-7), f"the gradient of the {name} is not that of the formula"
