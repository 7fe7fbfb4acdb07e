"""Windows, scaling, and a split that keeps the future out of the training part."""

import pytest
import solution
import torch


def series(seed, length=40):
    """A random walk (N,), so that its later part has another mean and spread than its earlier one."""
    g = torch.Generator().manual_seed(seed)
    return 20 + torch.randn(length, generator=g, dtype=torch.float64).cumsum(0)


@pytest.mark.points(3)
def test_windows_of_a_short_series():
    """The series 0…6 has four windows of two values, each followed by its two next values"""
    x, y = solution.make_windows(torch.arange(7.0), 2, 2)
    assert x.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]], (
        "the inputs are all windows that have `horizon` values after them"
    )
    assert y.tolist() == [[2, 3], [3, 4], [4, 5], [5, 6]], "the target starts with the value right after its window"


@pytest.mark.points(3)
def test_targets_follow_their_windows(seed):
    """Each target is the piece of the series that follows its window, to the last value, for several sizes"""
    values = series(seed)
    for window, horizon in [(1, 1), (5, 1), (4, 6), (39, 1), (10, 30)]:
        x, y = solution.make_windows(values, window, horizon)
        count = len(values) - window - horizon + 1
        assert tuple(x.shape) == (count, window), f"window {window}, horizon {horizon}: there are {count} windows"
        assert tuple(y.shape) == (count, horizon), f"window {window}, horizon {horizon}: there are {count} targets"
        for start in range(count):
            joined = torch.cat([x[start], y[start]])
            assert torch.equal(joined, values[start : start + window + horizon]), (
                f"window {start} and its target do not join"
            )


@pytest.mark.points(2)
def test_a_series_that_is_too_short_is_refused():
    """Fewer than window + horizon values raise ValueError"""
    with pytest.raises(ValueError):  # noqa: PT011 - the wording is the candidate's
        solution.make_windows(torch.arange(6.0), 4, 3)


@pytest.mark.points(3)
def test_scaler_centres_and_scales(seed):
    """What the scaler was fitted to gets mean 0 and population standard deviation 1"""
    values = series(seed, length=8)
    scaler = solution.Scaler().fit(values)
    assert float(scaler.mean) == pytest.approx(values.mean().item()), "mean is the mean of the fitted values"
    assert float(scaler.std) == pytest.approx(values.std(correction=0).item()), "std divides by N, not by N - 1"
    scaled = scaler.transform(values)
    assert scaled.mean().item() == pytest.approx(0, abs=1e-6), "the scaled values have mean 0"
    assert scaled.std(correction=0).item() == pytest.approx(1), "the scaled values have standard deviation 1"


@pytest.mark.points(3)
def test_scaler_can_be_undone(seed):
    """inverse undoes transform on new values of any shape, after a constant series too, whose std is 1"""
    other = series(seed + 1, length=12).reshape(3, 4)
    for fitted in (series(seed), torch.full((5,), 3.0, dtype=torch.float64)):
        scaler = solution.Scaler().fit(fitted)
        scaled = scaler.transform(other)
        assert scaled.isfinite().all(), "a constant series has no spread: take std = 1, not 0"
        assert torch.allclose(scaler.inverse(scaled), other, atol=1e-6), "inverse(transform(x)) must be x"
    assert float(scaler.std) == pytest.approx(1), (
        f"fitted to five times 3.0, std is {float(scaler.std):.3g}: for a constant series it is 1, or new values are "
        "blown up"
    )


@pytest.mark.points(4)
def test_future_stays_out_of_the_training_part(seed):
    """Whatever the series does after n_train, the scaler and the training windows stay the same"""
    values = series(seed)
    changed = values.clone()
    changed[30:] = 1000 - changed[30:]
    (scaler, (x, y), _), (scaler_2, (x_2, y_2), _) = (solution.split_and_scale(v, 30, 5, 2) for v in (values, changed))
    assert float(scaler.mean) == pytest.approx(values[:30].mean().item()), (
        "the scaler must see the first n_train values only"
    )
    assert float(scaler.std) == pytest.approx(float(scaler_2.std)), "the scaler must see the first n_train values only"
    assert x.shape == x_2.shape == (24, 5), "30 values have 24 windows of 5 with 2 values after them"
    assert torch.allclose(x, x_2, atol=1e-9), "a training input contains values from after n_train"
    assert torch.allclose(y, y_2, atol=1e-9), "a training target contains values from after n_train"


@pytest.mark.points(3)
def test_test_windows_cover_the_whole_future(seed):
    """The first test target starts right at n_train, the last one ends with the series, inputs reach back"""
    values = series(seed)
    scaler, _, (x, y) = solution.split_and_scale(values, 30, 5, 2)
    assert tuple(x.shape) == (9, 5), (
        "10 future values have 9 targets of 2, and each has the 5 values before it as input"
    )
    assert tuple(y.shape) == (9, 2), "10 future values have 9 targets of 2"
    expected = (values - float(scaler.mean)) / float(scaler.std)
    assert torch.allclose(x[0], expected[25:30], atol=1e-6), "the first test input is the last window before n_train"
    assert torch.allclose(y[0], expected[30:32], atol=1e-6), "the first test target starts at n_train"
    assert torch.allclose(y[-1], expected[38:], atol=1e-6), "the last test target ends with the series"
