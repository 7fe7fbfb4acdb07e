"""An LSTM by hand that forecasts a series. README.md says what each part has to do."""

import torch
from torch import nn


class LSTMCell(nn.Module):
    """One step of an LSTM."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.zeros(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.zeros(4 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, state=None):
        """x: (B, I). state: the tuple (h, c), each (B, H), or None for zeros. Returns the next (h, c)."""
        zeros = x.new_zeros(len(x), self.hidden_size)
        return zeros, zeros


class LSTM(nn.Module):
    """Runs an `LSTMCell` over a sequence."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = LSTMCell(input_size, hidden_size)

    def forward(self, x, state=None):
        """x: (B, T, I). Returns the outputs (B, T, H) and the last state (h, c), each (B, H)."""
        zeros = x.new_zeros(x.shape[0], x.shape[1], self.cell.hidden_size)
        return zeros, (zeros[:, -1], zeros[:, -1])


class Scaler:
    """Shifts and scales to mean 0 and standard deviation 1."""

    mean, std = 0.0, 1.0

    def fit(self, values):
        """Learn `mean` and `std` of the values (N,). Returns itself."""
        return self

    def transform(self, values):
        """Scale values of any shape."""
        return values

    def inverse(self, values):
        """Undo `transform`."""
        return values


def make_windows(series, window, horizon):
    """series: (N,). Returns the inputs (M, window) and the targets (M, horizon)."""
    return torch.zeros(0, window), torch.zeros(0, horizon)


def split_and_scale(series, n_train, window, horizon):
    """series: (N,). Returns (scaler, (x_train, y_train), (x_test, y_test))."""
    empty = make_windows(series, window, horizon)
    return Scaler(), empty, empty


class Forecaster(nn.Module):
    """What `fit_forecaster` returns."""

    def __init__(self, window, horizon):
        super().__init__()
        self.horizon = horizon
        self.lstm = LSTM(1, 16)

    def predict(self, history):
        """history: (N,), N >= window. Returns the forecast (horizon,) of the values that follow."""
        return torch.zeros(self.horizon)


def fit_forecaster(series, window, horizon, seed):
    """Fit a forecaster to the whole of series (N,)."""
    torch.manual_seed(seed)
    return Forecaster(window, horizon)
