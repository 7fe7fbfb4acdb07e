"""The linear probe: softmax regression whose minimum the judge finds, too, by another method in float64."""

import math

import pytest
import solution
import torch
from torch.nn import functional


def problem(seed, scales=(1.0, 1.0, 1.0, 1.0), n_classes=4, rows=60):
    """Codes (rows, K) of overlapping, uneven classes far from the origin, and their labels; every class occurs."""
    g = torch.Generator().manual_seed(seed)
    share = torch.tensor([0.1 + 0.4 * c / n_classes for c in range(n_classes)])
    labels = torch.cat([torch.arange(n_classes), torch.multinomial(share, rows - n_classes, True, generator=g)])
    centres = torch.randn(n_classes, len(scales), generator=g, dtype=torch.float64)
    noise = torch.randn(rows, len(scales), generator=g, dtype=torch.float64)
    return (2 + centres[labels] + noise) * torch.tensor(scales, dtype=torch.float64), labels


def objective(weight, bias, codes, labels, penalty):
    """Mean cross-entropy plus the penalty on the weights."""
    return functional.cross_entropy(codes @ weight.T + bias, labels) + penalty / 2 * weight.square().sum()


def minimum(codes, labels, n_classes, penalty):
    """The least value of the objective, by Newton's method."""
    rows, width = codes.shape
    x = torch.cat([codes, codes.new_ones(rows, 1)], dim=1)
    ridge = torch.full((n_classes, width + 1), penalty, dtype=codes.dtype)
    ridge[:, -1] = 0
    theta, y = torch.zeros_like(ridge), functional.one_hot(labels, n_classes).to(codes.dtype)
    value = objective(theta[:, :-1], theta[:, -1], codes, labels, penalty)
    for _ in range(100):
        q = torch.softmax(x @ theta.T, dim=1)
        gradient = (q - y).T @ x / rows + ridge * theta
        spread = torch.diag_embed(q) - q.unsqueeze(2) * q.unsqueeze(1)
        hessian = torch.einsum("ncd,ni,nj->cidj", spread, x, x).reshape(theta.numel(), -1) / rows
        hessian += torch.diag(ridge.flatten() + 1e-9)
        step = torch.linalg.solve(hessian, gradient.flatten()).reshape(theta.shape)
        if (step * gradient).sum() < 1e-14:
            break
        size = 1.0
        while size > 1e-8:
            tried = theta - size * step
            reached = objective(tried[:, :-1], tried[:, -1], codes, labels, penalty)
            if reached < value:
                theta, value = tried, reached
                break
            size /= 2
    return value.item()


def excess(codes, labels, n_classes, penalty):
    """How far the objective at the candidate's weights lies above its minimum."""
    weight, bias = (part.detach().double() for part in solution.fit_probe(codes, labels, n_classes, penalty))
    assert tuple(weight.shape) == (n_classes, codes.shape[1]), f"weight must be {(n_classes, codes.shape[1])}"
    assert tuple(bias.shape) == (n_classes,), f"bias must be {(n_classes,)}"
    reached = objective(weight, bias, codes.double(), labels, penalty).item()
    assert math.isfinite(reached), "weight or bias is not finite"
    return reached - minimum(codes.double(), labels, n_classes, penalty)


@pytest.mark.points(2)
def test_probe_has_the_right_shapes(seed):
    """weight is (n_classes, K), bias (n_classes,), both in the dtype of the codes"""
    for n_classes, dtype in [(2, torch.float32), (4, torch.float64)]:
        codes, labels = problem(seed, n_classes=n_classes)
        weight, bias = solution.fit_probe(codes.to(dtype), labels, n_classes, 0.1)
        assert tuple(weight.shape) == (n_classes, 4), f"weight must be (n_classes, K) = {(n_classes, 4)}"
        assert tuple(bias.shape) == (n_classes,), f"bias must be (n_classes,) = {(n_classes,)}"
        assert weight.dtype == bias.dtype == dtype, f"for codes in {dtype}, weight and bias must be in {dtype}"


@pytest.mark.points(5)
def test_probe_reaches_the_minimum(seed):
    """The penalised cross-entropy lies at most 0.001 above its minimum, for weak and strong penalties"""
    for n_classes, penalty in [(2, 0.1), (4, 0.01), (4, 1.0)]:
        codes, labels = problem(seed, n_classes=n_classes)
        above = excess(codes, labels, n_classes, penalty)
        assert above <= 1e-3, (
            f"with penalty {penalty} your objective is {above:.2g} above its minimum. It is the mean cross-entropy "
            "plus penalty / 2 times the sum of the squared weights, without the bias; and descend until it is flat"
        )


@pytest.mark.points(3)
def test_probe_copes_with_uneven_scales(seed):
    """The same for codes whose numbers differ in scale by a factor of 100"""
    codes, labels = problem(seed, scales=(0.1, 1.0, 3.0, 10.0))
    above = excess(codes, labels, 4, 0.01)
    assert above <= 1e-3, (
        f"your objective is {above:.2g} above its minimum: plain gradient descent crawls where the scales differ; "
        "Newton's method, L-BFGS or inner scaling do not"
    )


@pytest.mark.points(2)
def test_bias_is_free(seed):
    """Codes that all lie far from the origin cost nothing: the bias is not penalised"""
    codes, labels = problem(seed, n_classes=3)
    near, far = (solution.fit_probe(codes + shift, labels, 3, 1.0)[0].detach() for shift in (0.0, 4.0))
    near, far = (weight - weight.mean(0) for weight in (near, far))
    assert torch.allclose(near, far, atol=0.03), (
        f"after adding 4 to all codes the weights differ by up to {(near - far).abs().max().item():.2g}: such a shift "
        "is the bias's to take up"
    )


@pytest.mark.points(2)
def test_huge_codes_stay_finite(seed):
    """Codes in the tens of thousands give finite weights"""
    codes, labels = problem(seed)
    weight, bias = solution.fit_probe(1e4 * codes, labels, 4, 0.1)
    assert weight.isfinite().all(), "the weights are not finite: does a softmax by hand overflow?"
    assert bias.isfinite().all(), "the bias is not finite: does a softmax by hand overflow?"
    assert (weight != 0).any(), "the weights are all 0"
