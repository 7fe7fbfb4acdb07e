"""A layer that uses one matrix twice, held against the formulas of the statement."""

import pytest
import solution
import torch

INPUTS, CODE = 5, 3


def weights(seed):
    """The three parameters by name, in float64, leaves of a graph on our side."""
    g = torch.Generator().manual_seed(seed)
    shapes = {"weight": (CODE, INPUTS), "code_bias": (CODE,), "output_bias": (INPUTS,)}
    return {
        name: torch.randn(shape, generator=g, dtype=torch.float64).requires_grad_() for name, shape in shapes.items()
    }


def layer(given):
    """The candidate's layer in float64 with the given weights."""
    mine = solution.TiedLayer(INPUTS, CODE)
    mine.to(torch.float64)
    try:
        mine.load_state_dict({name: value.detach() for name, value in given.items()})
    except Exception as error:
        pytest.fail(
            f"The weights could not be loaded: {str(error)[:300]}\nTiedLayer must have exactly the parameters weight "
            "(n_code, n_inputs), code_bias (n_code) and output_bias (n_inputs)."
        )
    return mine


def batch(seed, width, rows=4):
    """Random rows (rows, width) in float64."""
    g = torch.Generator().manual_seed(seed + 1)
    return torch.randn(rows, width, generator=g, dtype=torch.float64)


@pytest.mark.points(3)
def test_has_one_weight_and_two_biases():
    """The layer has weight (n_code, n_inputs), code_bias (n_code), output_bias (n_inputs), and no other parameter"""
    mine = solution.TiedLayer(7, 2)
    shapes = {name: tuple(value.shape) for name, value in mine.named_parameters()}
    assert shapes == {"weight": (2, 7), "code_bias": (2,), "output_bias": (7,)}, (
        f"the parameters are {shapes}: tied weights are one matrix, a transposed copy is a second one"
    )


@pytest.mark.points(4)
def test_code_matches_the_formula(seed):
    """encode is the tanh of the weighted inputs plus the code's bias"""
    given, x = weights(seed), batch(seed, INPUTS)
    expected = torch.tanh(x @ given["weight"].T + given["code_bias"])
    found = layer(given).encode(x)
    assert tuple(found.shape) == (4, CODE), f"the code must be (B, n_code) = (4, {CODE}), not {tuple(found.shape)}"
    assert torch.allclose(found, expected, atol=1e-9), "encode(x) must be tanh(x Wᵀ + code_bias)"


@pytest.mark.points(4)
def test_output_matches_the_formula(seed):
    """decode is the code times the same weights plus the output's bias, and forward is both in turn"""
    given, x, code = weights(seed), batch(seed, INPUTS), batch(seed, CODE)
    mine = layer(given)
    found = mine.decode(code)
    assert tuple(found.shape) == (4, INPUTS), f"decode must return (4, {INPUTS}), not {tuple(found.shape)}"
    assert torch.allclose(found, code @ given["weight"] + given["output_bias"], atol=1e-9), (
        "decode(code) must be code W + output_bias, with the weights that are loaded now"
    )
    both = torch.tanh(x @ given["weight"].T + given["code_bias"]) @ given["weight"] + given["output_bias"]
    assert torch.allclose(mine(x), both, atol=1e-9), "forward(x) must be decode(encode(x))"


@pytest.mark.points(5)
def test_gradient_comes_from_both_uses(seed):
    """The gradient of the weight is the sum of that through encode and that through decode"""
    given, x, target = weights(seed), batch(seed, INPUTS), batch(seed + 5, INPUTS)
    mine = layer(given)
    (mine(x) - target).square().sum().backward()
    code = torch.tanh(x @ given["weight"].T + given["code_bias"])
    (code @ given["weight"] + given["output_bias"] - target).square().sum().backward()
    found = {name: value.grad for name, value in mine.named_parameters()}
    for name in ("code_bias", "output_bias", "weight"):
        assert found[name] is not None, f"no gradient reaches {name}: something on the way is detached"
        assert torch.allclose(found[name], given[name].grad, atol=1e-8), (
            f"the gradient of {name} is not that of the formula. The weight stands in it twice, and neither use may "
            "be detached or work on a copy"
        )


@pytest.mark.points(3)
def test_stays_tied_after_a_step(seed):
    """After a step of an optimizer, encode and decode use the new weights"""
    mine, x = layer(weights(seed)), batch(seed, INPUTS)
    optimizer = torch.optim.SGD(mine.parameters(), lr=0.05)
    mine(x).square().sum().backward()
    optimizer.step()
    new = {name: value.detach() for name, value in mine.named_parameters()}
    assert torch.allclose(mine.decode(torch.eye(CODE, dtype=torch.float64)), new["weight"] + new["output_bias"]), (
        "decode still works with other weights than the ones that the optimizer changed"
    )
    expected = torch.tanh(x @ new["weight"].T + new["code_bias"])
    assert torch.allclose(mine.encode(x), expected, atol=1e-9), (
        "encode still works with other weights than the ones that the optimizer changed"
    )
