"""The two losses, held against float64 computations on the judge's side."""

import math

import pytest
import solution
import torch
from torch.nn.functional import logsigmoid


def logits(seed, real=5, fake=8):
    """Logits of real images and of fakes, in float64; the batches differ in size, so that mixing them up shows."""
    g = torch.Generator().manual_seed(seed)
    return tuple(2 * torch.randn(size, generator=g, dtype=torch.float64) for size in (real, fake))


def value(loss):
    """The loss, checked to be one number."""
    assert isinstance(loss, torch.Tensor), f"a loss must be a tensor with one number, not {type(loss).__name__}"
    assert tuple(loss.shape) == (), f"a loss must be one number, a tensor of shape (), not {tuple(loss.shape)}"
    return loss


@pytest.mark.points(1)
def test_an_undecided_discriminator():
    """Logits of zero give the losses 2 ln 2 and ln 2, as scalars"""
    for size in (1, 6):
        loss = value(solution.discriminator_loss(torch.zeros(size), torch.zeros(size))).item()
        assert loss == pytest.approx(2 * math.log(2)), f"discriminator_loss of zeros is 2 ln 2 = 1.3863, got {loss:.4f}"
        loss = value(solution.generator_loss(torch.zeros(size))).item()
        assert loss == pytest.approx(math.log(2)), f"generator_loss of zeros is ln 2 = 0.6931, got {loss:.4f}"


@pytest.mark.points(3)
def test_discriminator_loss_matches_the_formula(seed):
    """discriminator_loss is the mean over the real images plus the mean over the fakes, whatever their numbers"""
    for sizes in [(6, 6), (5, 8), (9, 2)]:
        real, fake = logits(seed, *sizes)
        loss = value(solution.discriminator_loss(real, fake)).item()
        expected = -(logsigmoid(real).mean() + logsigmoid(-fake).mean()).item()
        assert loss == pytest.approx(expected, abs=1e-4), (
            f"{sizes[0]} real and {sizes[1]} fake logits: the loss is {loss:.4f}, expected {expected:.4f}. Real images "
            "have the label 1 and fakes the label 0; each of the two batches has its own mean, and the means are added"
        )


@pytest.mark.points(3)
def test_generator_loss_matches_the_formula(seed):
    """generator_loss is the mean of -log(sigmoid(fake_logits)), the non-saturating one"""
    for size in (1, 8):
        _, fake = logits(seed, 1, size)
        loss = value(solution.generator_loss(fake)).item()
        expected = -logsigmoid(fake).mean().item()
        assert loss == pytest.approx(expected, abs=1e-4), (
            f"the loss is {loss:.4f}, expected {expected:.4f}: the generator wants its fakes to be taken for real, so "
            "their label is 1. Minimising log(1 - sigmoid) is the saturating loss"
        )


@pytest.mark.points(3)
def test_losses_of_a_sure_discriminator_are_exact():
    """Logits in the thousands give the right float32 losses, neither inf nor NaN nor a number that was cut off"""
    for size in (60.0, 3e4):
        sure = torch.tensor([size, size])
        for name, loss, expected in [
            ("discriminator_loss, all right", solution.discriminator_loss(sure, -sure), 0.0),
            ("discriminator_loss, all wrong", solution.discriminator_loss(-sure, sure), 2 * size),
            ("generator_loss, all found out", solution.generator_loss(-sure), size),
            ("generator_loss, none found out", solution.generator_loss(sure), 0.0),
        ]:
            assert value(loss).item() == pytest.approx(expected, rel=1e-5, abs=1e-6), (
                f"{name}, logits of size {size:g}: the loss is {loss.item():g}, expected {expected:g}. sigmoid becomes "
                "0 or 1 there, and its log is lost: use logsigmoid, softplus or binary_cross_entropy_with_logits"
            )


@pytest.mark.points(3)
def test_discriminator_gradients_match_the_formula(seed):
    """The gradient is (sigmoid - label) / batch size for each logit, for extreme logits, too"""
    real, fake = logits(seed)
    for scale in (1, 1000):
        a, b = (scale * real).requires_grad_(), (scale * fake).requires_grad_()
        solution.discriminator_loss(a, b).backward()
        expected = -torch.sigmoid(-a.detach()) / len(real), torch.sigmoid(b.detach()) / len(fake)
        for name, found, right in [("real", a.grad, expected[0]), ("fake", b.grad, expected[1])]:
            assert found is not None, f"no gradient reaches the {name} logits"
            assert torch.allclose(found, right, atol=1e-6), (
                f"the gradient of the {name} logits is wrong: pushing real logits up and fake ones down is what lowers "
                "the discriminator's loss"
            )


@pytest.mark.points(4)
def test_generator_gradient_does_not_vanish():
    """A fake that is surely found out (a logit of -60) pulls at the generator with the full gradient of -1 / B"""
    fake = torch.tensor([-60.0, -2000.0, 0.0, 60.0], requires_grad=True)
    solution.generator_loss(fake).backward()
    assert fake.grad is not None, "no gradient reaches the fake logits"
    expected = torch.tensor([-0.25, -0.25, -0.125, 0.0])
    assert torch.allclose(fake.grad, expected, atol=1e-6), (
        f"the gradient is {[round(x, 4) for x in fake.grad.tolist()]}, expected {expected.tolist()}. With log(1 - "
        "sigmoid) a bad generator learns next to nothing: its gradient is about 0 just where the discriminator is sure"
    )
