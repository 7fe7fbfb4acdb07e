"""What a fitted forecaster knows of a future that it was never given.

The judge keeps the tail of each series, hands out histories one step at a time, and measures here.
"""

import math
from pathlib import Path

import pytest
import solution
import torch

from grader.suite import threshold

WINDOW, HORIZON = 16, 3

# Errors as a share of the naive forecast's. margins.md says how far these stand from right and wrong; the best
# function of the last value alone reaches 0.82 and 0.60.
SUNSPOTS, RHYTHMS = 0.9, 0.45


def uniform(g, low, high):
    """One number between low and high."""
    return low + (high - low) * torch.rand((), generator=g).item()


def sunspots(g):
    """The yearly sunspots (309,) of 1700 to 2008, in a unit of the seed's own."""
    lines = (Path(__file__).parent / "sunspots.csv").read_text().splitlines()
    counts = torch.tensor([float(line.split(",")[1]) for line in lines if line[0].isdigit()])
    return uniform(g, 5, 50) * counts + uniform(g, 1000, 5000)


def two_rhythms(g, length=300):
    """Two waves (N,) whose periods, phases, unit and noise are the seed's own."""
    t = torch.arange(float(length))
    fast, slow = (torch.sin(2 * math.pi * (t / uniform(g, *p) + uniform(g, 0, 1))) for p in [(7, 9), (11, 15)])
    noise = torch.randn(length, generator=g)
    return uniform(g, 20, 60) * (fast + 0.6 * slow + 0.1 * noise) + uniform(g, 300, 900)


def fit(series, seed):
    """A forecaster that the candidate's code fitted to the series."""
    try:
        return solution.fit_forecaster(series, WINDOW, HORIZON, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit_forecaster raised {type(error).__name__}: {str(error)[:300]}")


def predict(forecaster, history):
    """The forecast (HORIZON,), checked for its shape."""
    values = forecaster.predict(history)
    assert tuple(values.shape) == (HORIZON,), f"predict must return a tensor (horizon,) = ({HORIZON},)"
    return values.detach()


def error_ratio(forecaster, series, n_train, every=1):
    """Root mean squared error of forecasts made after n_train, divided by that of repeating the last value."""
    ours, naive = [], []
    for now in range(n_train, len(series) - HORIZON + 1, every):
        future = series[now : now + HORIZON]
        ours.append((predict(forecaster, series[:now]) - future).square().mean())
        naive.append((series[now - 1] - future).square().mean())
    return (torch.stack(ours).mean() / torch.stack(naive).mean()).sqrt().item()


@pytest.fixture(scope="module")
def rhythms(seed):
    """A series of two waves."""
    return two_rhythms(torch.Generator().manual_seed(seed + 1))


@pytest.fixture(scope="module")
def forecaster(rhythms, seed):
    """A forecaster fitted to its first 220 values."""
    return fit(rhythms[:220], seed)


@pytest.mark.points(5)
def test_forecasts_sunspots(seed):
    """On the sunspots after the training part, the error is at most 90% of that of repeating the last value"""
    g = torch.Generator().manual_seed(seed)
    n_train = int(uniform(g, 220, 250))
    series = sunspots(g)
    ratio = error_ratio(fit(series[:n_train], seed), series, n_train)
    assert threshold("error on the sunspots, of the naive one", ratio, at_most=SUNSPOTS), (
        f"your error is {ratio:.0%} of that of repeating the last value, at most {SUNSPOTS:.0%} is needed. Is the "
        "series scaled, and the forecast scaled back? Does each target follow its window? Or was the short series "
        "learnt by heart?"
    )


@pytest.mark.points(5)
def test_forecasts_two_rhythms(rhythms, forecaster):
    """On a sum of two waves the error is at most 45% of that of repeating the last value"""
    ratio = error_ratio(forecaster, rhythms, 220)
    assert threshold("error on two rhythms, of the naive one", ratio, at_most=RHYTHMS), (
        f"your error is {ratio:.0%} of that of repeating the last value, at most {RHYTHMS:.0%} is needed"
    )


@pytest.mark.points(5)
def test_forecasts_come_from_the_lstm(rhythms, forecaster, seed):
    """With all weights of its lstm at zero, or random, the forecaster forecasts otherwise, and no longer well"""
    g = torch.Generator().manual_seed(seed)
    before = predict(forecaster, rhythms[:220])
    try:
        weights = {name: value.clone() for name, value in forecaster.lstm.cell.state_dict().items()}
    except AttributeError as error:
        pytest.fail(f"the forecaster must keep your LSTM as `lstm`, its cell as `cell`: {str(error)[:200]}")
    others = {
        "all weights of its lstm at zero": {name: torch.zeros_like(value) for name, value in weights.items()},
        "random weights in its lstm": {
            name: (torch.rand(value.shape, generator=g) - 0.5).to(value.dtype) for name, value in weights.items()
        },
    }
    for what, values in others.items():
        forecaster.lstm.cell.load_state_dict(values)
        try:
            after = predict(forecaster, rhythms[:220])
            ratio = error_ratio(forecaster, rhythms, 220, every=3)
        finally:
            forecaster.lstm.cell.load_state_dict(weights)
        assert not ratio <= RHYTHMS, (
            f"with {what} the error on two waves is still {ratio:.0%} of that of repeating the last value: something "
            "beside the lstm makes the forecast"
        )
        assert (before - after).abs().max() > 1e-3 * rhythms.std(), (
            f"with {what} the forecast stays as it was: it does not depend on the lstm"
        )


@pytest.mark.points(3)
def test_only_the_last_window_counts(rhythms, forecaster):
    """The forecast depends on the last `window` values, neither on older ones nor on earlier forecasts"""
    short = predict(forecaster, rhythms[220 - WINDOW : 220])
    predict(forecaster, rhythms[: WINDOW + 1])
    long = predict(forecaster, rhythms[:220])
    assert torch.allclose(short, long, atol=1e-3), (
        "a longer history with the same last values gave another forecast: scale with the statistics of the training "
        "series, not of the history, and start each forecast from an empty state"
    )


@pytest.mark.points(2)
def test_same_seed_same_forecast(rhythms, forecaster, seed):
    """Fitting twice with the same series and seed gives the same forecast"""
    first, second = (predict(model, rhythms[:220]) for model in (forecaster, fit(rhythms[:220], seed)))
    assert torch.allclose(first, second, atol=1e-3), (
        "seed everything random (torch.manual_seed) before making the model"
    )
