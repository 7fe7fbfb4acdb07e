"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import math

import solution
import torch


def test_example_of_the_statement():
    cell = solution.LSTMCell(1, 1)
    one = torch.ones(4, 1)
    biases = torch.tensor([0.0, 1.0, 2.0, 0.0])
    cell.load_state_dict({"weight_ih": one, "weight_hh": one, "bias_ih": biases, "bias_hh": torch.zeros(4)})
    h, c = cell(torch.zeros(1, 1), (torch.zeros(1, 1), torch.ones(1, 1)))
    assert math.isclose(c.item(), 1.2131, abs_tol=1e-4)
    assert math.isclose(h.item(), 0.4188, abs_tol=1e-4)


def test_batch_comes_first():
    outputs, (h, c) = solution.LSTM(3, 4).to(torch.float64)(torch.randn(2, 5, 3, dtype=torch.float64))
    assert outputs.shape == (2, 5, 4)
    assert outputs.dtype == torch.float64
    assert h.shape == c.shape == (2, 4)
    assert torch.allclose(outputs[:, -1], h)


def test_windows():
    x, y = solution.make_windows(torch.arange(5.0), 3, 1)
    assert x.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert y.tolist() == [[3], [4]]


def test_forecasts_a_sine():
    series = 50 + 10 * torch.sin(torch.arange(250.0) / 2)
    forecaster = solution.fit_forecaster(series[:220], window=16, horizon=3, seed=0)
    for now in range(220, 248):
        assert (forecaster.predict(series[:now]) - series[now : now + 3]).abs().max() < 6
