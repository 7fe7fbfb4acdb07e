"""Ten tests whose own work takes less than 50 ms together."""

import pytest
import torch
from solution import Scale, softmax


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_agrees_with_torch(dim):
    x = torch.randn(4, 5)
    torch.testing.assert_close(softmax(x, dim), torch.softmax(x, dim))


def test_sums_to_one():
    torch.testing.assert_close(softmax(torch.randn(8, 16), 1).sum(1), torch.ones(8))


def test_keeps_the_shape():
    assert softmax(torch.randn(2, 3, 4), 2).shape == (2, 3, 4)


def test_large_scores_do_not_overflow():
    assert torch.isfinite(softmax(torch.tensor([1e4, 0.0, -1e4]), 0)).all()


def test_a_constant_makes_no_difference():
    x = torch.randn(6)
    torch.testing.assert_close(softmax(x, 0), softmax(x + 3, 0))


def test_has_gradients():
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: softmax(v, 0), (x,))


def test_scale_has_one_parameter():
    assert [tuple(p.shape) for p in Scale(3).parameters()] == [(3,)]


def test_scale_multiplies():
    layer = Scale(3)
    layer.weight.data.copy_(torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(layer(torch.ones(2, 3)), torch.tensor([[1.0, 2.0, 3.0]] * 2))
