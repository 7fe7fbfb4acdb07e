"""The LSTM over a sequence, batch first, held against torch's own and against what a recurrence promises."""

import pytest
import solution
import torch


def pair(seed, size=3, hidden=4):
    """torch's LSTM (batch first, float64) and the candidate's with the same weights."""
    g = torch.Generator().manual_seed(seed)
    other = torch.nn.LSTM(size, hidden, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g, dtype=torch.float64))
    mine = solution.LSTM(size, hidden)
    mine.to(torch.float64)
    try:
        mine.cell.load_state_dict({name.removesuffix("_l0"): value for name, value in other.state_dict().items()})
    except Exception as error:
        pytest.fail(f"LSTM must keep its LSTMCell as `cell`, whose weights we set: {str(error)[:300]}")
    return other, mine


def sequence(seed, rows=5, steps=7, size=3):
    """x (B, T, I) in float64; B and T differ, so that mixing them up shows."""
    g = torch.Generator().manual_seed(seed + 1)
    return torch.randn(rows, steps, size, generator=g, dtype=torch.float64)


def run(lstm, x, state=None):
    """The outputs and the last state, after a look whether the outputs change from step to step."""
    outputs, (h, c) = lstm(x) if state is None else lstm(x, state)
    assert not torch.equal(outputs[:, 1:], outputs[:, :-1]) or x.shape[1] == 1, "the outputs are the same at every step"
    return outputs, (h, c)


@pytest.mark.points(2)
def test_a_sequence_has_the_right_shapes():
    """The outputs are (B, T, H), the last h and c are (B, H)"""
    for rows, steps, size, hidden in [(1, 1, 1, 2), (2, 6, 3, 5), (6, 2, 1, 3)]:
        outputs, (h, c) = run(solution.LSTM(size, hidden), torch.randn(rows, steps, size))
        assert tuple(outputs.shape) == (rows, steps, hidden), f"outputs must be (B, T, H) = {(rows, steps, hidden)}"
        assert tuple(h.shape) == tuple(c.shape) == (rows, hidden), f"h and c must be (B, H) = {(rows, hidden)}"


@pytest.mark.points(6)
def test_a_sequence_matches_torch(seed):
    """With the same weights the outputs and the last state are those of torch.nn.LSTM(batch_first=True)"""
    other, mine = pair(seed)
    x = sequence(seed)
    outputs, (h, c) = run(mine, x)
    with torch.no_grad():
        expected, (h_n, c_n) = other(x)
    assert torch.allclose(outputs, expected, atol=1e-8), (
        f"the outputs differ from torch's by up to {(outputs - expected).abs().max().item():.3g}: the recurrence runs "
        "over dim 1 of x (B, T, I), from the first step to the last, and hands on both h and c"
    )
    assert torch.allclose(h, h_n[0], atol=1e-8), "the last h differs from torch's"
    assert torch.allclose(c, c_n[0], atol=1e-8), "the last c differs from torch's"


@pytest.mark.points(2)
def test_last_output_is_the_last_state(seed):
    """The output of the last step is the h of the returned state"""
    _, mine = pair(seed)
    outputs, (h, _) = run(mine, sequence(seed))
    assert torch.allclose(outputs[:, -1], h, atol=1e-10), (
        "outputs[:, -1] must equal h: the batch is dim 0, time is dim 1"
    )


@pytest.mark.points(2)
def test_rows_are_independent(seed):
    """A row alone gives the same outputs as in a batch"""
    _, mine = pair(seed)
    x = sequence(seed)
    together, _ = run(mine, x)
    for row in range(len(x)):
        alone, _ = run(mine, x[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-10), (
            "other rows of the batch changed this row's outputs: with time in dim 0, the rows become time steps"
        )


@pytest.mark.points(4)
def test_two_halves_equal_one_pass(seed):
    """Running the second half from the state after the first half gives the same as one pass"""
    _, mine = pair(seed)
    x = sequence(seed)
    whole, (h, c) = run(mine, x)
    first, state = run(mine, x[:, :3])
    second, (h_2, c_2) = run(mine, x[:, 3:], state)
    assert torch.allclose(whole, torch.cat([first, second], dim=1), atol=1e-10), (
        "the state that was passed in was not used"
    )
    assert torch.allclose(h, h_2, atol=1e-10), "the last h differs"
    assert torch.allclose(c, c_2, atol=1e-10), "the last c differs"


@pytest.mark.points(3)
def test_calls_do_not_remember_each_other(seed):
    """The same sequence gives the same outputs, whatever was run before"""
    _, mine = pair(seed)
    x = sequence(seed)
    first, _ = run(mine, x)
    mine(sequence(seed + 1))
    second, _ = run(mine, x)
    assert torch.allclose(first, second, atol=1e-10), (
        "a call without a state must start from zeros, not where one ended"
    )


@pytest.mark.points(3)
def test_outputs_ignore_the_future(seed):
    """Changing the last steps leaves the outputs before them as they were"""
    _, mine = pair(seed)
    x = sequence(seed)
    before, _ = run(mine, x)
    x[:, 4:] += 1
    after, _ = run(mine, x)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-10), "an output depends on steps that come after it"
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-3), "the outputs do not depend on their own steps"


@pytest.mark.points(4)
def test_gradient_goes_through_time(seed):
    """The last output's gradient reaches every input and a given state, and agrees with finite differences"""
    _, mine = pair(seed, size=2, hidden=2)
    x = sequence(seed, rows=2, steps=4, size=2).requires_grad_()
    mine(x)[0][:, -1].sum().backward()
    assert x.grad is not None, "the outputs are cut off from the input: something is detached"
    lost = [step for step in range(4) if (x.grad[:, step] == 0).all()]
    assert not lost, f"of the steps 0 to 3, no gradient reaches {lost}: the state is detached between steps"
    try:
        torch.autograd.gradcheck(lambda value: mine(value)[0][:, -1], (x,))
    except RuntimeError as error:
        pytest.fail(f"the gradient is not that of the recurrence; is h or c detached on the way? {str(error)[:300]}")
    state = tuple(sequence(seed + 1, rows=2, steps=2, size=2).unbind(1))
    for value in state:
        value.requires_grad_()
    last = mine(x.detach(), state)[0][:, -1]
    assert last.requires_grad, "no gradient reaches the outputs"
    last.sum().backward()
    for value, name in zip(state, "hc", strict=True):
        assert value.grad is not None, f"no gradient reaches the {name} of the state that was passed in: it is detached"
    try:
        torch.autograd.gradcheck(lambda h, c: mine(x.detach(), (h, c))[0][:, -1], state)
    except RuntimeError as error:
        pytest.fail(f"the gradient to the state that was passed in is not that of the recurrence: {str(error)[:300]}")


@pytest.mark.points(3)
def test_gradient_reaches_the_weights(seed):
    """Backward through a sequence gives each of the four parameters a gradient, as finite differences say"""
    _, mine = pair(seed)
    x, g = sequence(seed), torch.Generator().manual_seed(seed + 2)
    values = {name: value.detach().clone() for name, value in mine.cell.state_dict().items()}

    weights = torch.randn(5, 7, 4, generator=g, dtype=torch.float64)
    zeros = torch.zeros(5, 4, dtype=torch.float64)

    def score(changed=None):
        mine.cell.load_state_dict(values | (changed or {}))
        return (mine(x, (zeros, zeros))[0] * weights).sum()

    parameters = dict(mine.cell.named_parameters())
    total = score()
    assert total.requires_grad, "no gradient reaches the weights: are they used through .data, or detached?"
    grads = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    for name, grad in zip(parameters, grads, strict=True):
        assert grad is not None, (
            f"no gradient reaches {name}: it can't be learnt. Is it used through .data or detached?"
        )
        direction = torch.randn(values[name].shape, generator=g, dtype=torch.float64)
        found = (direction * grad).sum().item()
        ends = [score({name: values[name] + sign * 1e-6 * direction}).item() for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / 2e-6
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5), (
            f"the derivative along a direction of {name} is {found:.5g} by backward, {expected:.5g} by differences: a "
            "part of the recurrence is detached"
        )
