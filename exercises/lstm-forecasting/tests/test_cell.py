"""One step of the LSTM, held against torch's own and against what each gate is for."""

import pytest
import solution
import torch


def torch_cell(seed, inputs=3, hidden=4, scale=1.0):
    """torch's cell in float64 with weights that we draw."""
    g = torch.Generator().manual_seed(seed)
    cell = torch.nn.LSTMCell(inputs, hidden, dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=g, dtype=torch.float64))
    return cell


def candidates_cell(weights):
    """The candidate's cell in float64 with the given weights, by torch's names."""
    hidden = weights["weight_hh"].shape[1]
    cell = solution.LSTMCell(weights["weight_ih"].shape[1], hidden)
    cell.to(torch.float64)
    try:
        cell.load_state_dict(weights)
    except Exception as error:
        pytest.fail(
            f"The weights could not be loaded: {str(error)[:300]}\nLSTMCell must have exactly the parameters weight_ih "
            "(4H, I), weight_hh (4H, H), bias_ih (4H) and bias_hh (4H)."
        )
    return cell


def inputs(seed, rows=5, size=3, hidden=4):
    """x (B, I) and a state (h, c), in float64."""
    g = torch.Generator().manual_seed(seed + 1)
    return tuple(torch.randn(rows, width, generator=g, dtype=torch.float64) for width in (size, hidden, hidden))


def gates_only(hidden, i, f, g, o):
    """Weights of a cell with one input whose gates depend on nothing but these four biases."""
    weights = {"weight_ih": torch.zeros(4 * hidden, 1), "weight_hh": torch.zeros(4 * hidden, hidden)}
    weights["bias_ih"] = torch.tensor([i, f, g, o], dtype=torch.float64).repeat_interleave(hidden)
    weights["bias_hh"] = torch.zeros(4 * hidden)
    return {name: value.double() for name, value in weights.items()}


@pytest.mark.points(3)
def test_has_torchs_parameters():
    """The cell has weight_ih (4H, I), weight_hh (4H, H), bias_ih (4H) and bias_hh (4H), and no other parameter"""
    shapes = {name: tuple(value.shape) for name, value in solution.LSTMCell(3, 5).state_dict().items()}
    assert shapes == {"weight_ih": (20, 3), "weight_hh": (20, 5), "bias_ih": (20,), "bias_hh": (20,)}


@pytest.mark.points(3)
def test_a_step_has_the_right_shapes(seed):
    """A step returns (h, c), both (B, H), with the dtype of the input"""
    for rows, size, hidden, dtype in [(1, 1, 1, torch.float32), (4, 2, 6, torch.float32), (3, 5, 2, torch.float64)]:
        cell = solution.LSTMCell(size, hidden)
        cell.to(dtype)
        for values in cell(torch.randn(rows, size, dtype=dtype), torch.randn(2, rows, hidden, dtype=dtype).unbind()):
            assert tuple(values.shape) == (rows, hidden), f"h and c must be (B, H) = {(rows, hidden)}"
            assert (values != 0).any(), "h and c must not be zero everywhere"
            assert values.dtype == dtype, "a module that was moved to float64 must answer in float64"


@pytest.mark.points(3)
def test_no_state_means_zeros(seed):
    """Without a state the cell starts from h = 0 and c = 0"""
    x, h, _ = inputs(seed)
    cell = candidates_cell(torch_cell(seed).state_dict())
    zeros = torch.zeros_like(h)
    for found, expected, name in zip(cell(x), cell(x, (zeros, zeros)), "hc", strict=True):
        assert torch.allclose(found, expected, atol=1e-10), f"{name} without a state differs from that after zeros"


@pytest.mark.points(7)
def test_a_step_matches_torch(seed):
    """With the same weights a step gives the same (h, c) as torch.nn.LSTMCell"""
    x, h, c = inputs(seed)
    other = torch_cell(seed)
    found = candidates_cell(other.state_dict())(x, (h, c))
    with torch.no_grad():
        expected = other(x, (h, c))
    for mine, torchs, name in zip(found, expected, "hc", strict=True):
        assert torch.allclose(mine, torchs, atol=1e-8), (
            f"{name} differs from torch's by up to {(mine - torchs).abs().max().item():.3g}. Check, in this order: the "
            "gates i, f, g, o of the 4H rows; sigmoid for i, f, o and tanh for g; both biases; "
            "c' = f·c + i·g; h' = o·tanh(c')"
        )


@pytest.mark.points(4)
def test_gates_stand_in_the_order_i_f_g_o():
    """The first H rows are the input gate, then forget gate, candidate and output gate"""
    h = c = torch.full((1, 2), 0.5, dtype=torch.float64)
    x = torch.zeros(1, 1, dtype=torch.float64)
    gate = torch.sigmoid(torch.tensor([-1.0, 2.0, 0.5], dtype=torch.float64))
    _, found = candidates_cell(gates_only(2, i=-1.0, f=2.0, g=0.3, o=0.5))(x, (h, c))
    expected = gate[1] * 0.5 + gate[0] * torch.tanh(torch.tensor(0.3, dtype=torch.float64))
    assert found[0, 0].item() == pytest.approx(expected.item()), (
        "with biases -1, 2, 0.3, 0.5 in the four blocks of H rows and no other weights, c' must be "
        "sigmoid(2)·c + sigmoid(-1)·tanh(0.3)"
    )


@pytest.mark.points(4)
def test_open_forget_gate_keeps_the_cell(seed):
    """With the forget gate open and the input gate shut, the cell state lives through a hundred steps"""
    cell = candidates_cell(gates_only(4, i=-50.0, f=50.0, g=1.0, o=50.0))
    x, h, start = inputs(seed, size=1)
    c = start
    for _ in range(100):
        h, c = cell(x, (h, c))
    assert torch.allclose(c, start, atol=1e-6), "the cell state was lost on the way: c' = f·c + i·g with f = 1, i = 0"
    assert torch.allclose(h, torch.tanh(start), atol=1e-6), "with the output gate open, h must be tanh(c)"


@pytest.mark.points(3)
def test_saturated_gates_stay_finite(seed):
    """Inputs in the tens of thousands give finite states, and h stays between -1 and 1"""
    x, h, c = inputs(seed, rows=20)
    cell = candidates_cell(torch_cell(seed, scale=10.0).state_dict())
    h, c = cell(1e4 * x, (h, 5 * c))
    assert (c != 0).any(), "the new cell state is zero everywhere"
    assert h.isfinite().all(), "h is not finite: is a sigmoid written with an exp that overflows?"
    assert c.isfinite().all(), "c is not finite: is a sigmoid written with an exp that overflows?"
    assert (h.abs() <= 1).all(), "h = o·tanh(c) lies between -1 and 1"


@pytest.mark.points(3)
def test_gradients_match_numerical_ones(seed):
    """Backward through a step agrees with finite differences, for x, h and c"""
    values = [value.requires_grad_() for value in inputs(seed, rows=2, hidden=2)]
    cell = candidates_cell(torch_cell(seed, hidden=2).state_dict())
    try:
        torch.autograd.gradcheck(lambda x, h, c: tuple(cell(x, (h, c))), values)
    except (RuntimeError, ValueError) as error:
        pytest.fail(f"the gradient is not that of the formula; is a part of it detached? {str(error)[:300]}")
