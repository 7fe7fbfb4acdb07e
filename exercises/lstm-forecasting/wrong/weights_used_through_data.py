"""Wrong: the weights are used through .data, so that no gradient reaches them and only the head learns."""

import torch
from torch import nn


class LSTMCell(nn.Module):
    """One step of an LSTM. The 4H rows of weights and biases are the gates i, f, g, o, in this order."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x, state=None):
        """Return the next (h, c), each (B, H), for x (B, I) and the state (h, c); None stands for zeros."""
        if state is None:
            zeros = x.new_zeros(len(x), self.hidden_size)
            state = zeros, zeros
        h, c = state
        gates = x @ self.weight_ih.data.T + self.bias_ih.data + h @ self.weight_hh.data.T + self.bias_hh.data
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class LSTM(nn.Module):
    """Runs a cell over a sequence."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = LSTMCell(input_size, hidden_size)

    def forward(self, x, state=None):
        """Return the outputs (B, T, H) and the last state (h, c) for x (B, T, I)."""
        outputs = []
        for step in x.unbind(1):
            state = self.cell(step, state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state


class Scaler:
    """Shifts and scales to mean 0 and (population) standard deviation 1."""

    def fit(self, values):
        """Learn mean and std of the values (N,); a constant series gets std 1. Returns itself."""
        self.mean = values.mean().item()
        self.std = values.std(correction=0).item() or 1.0
        return self

    def transform(self, values):
        """Scale a tensor of any shape."""
        return (values - self.mean) / self.std

    def inverse(self, values):
        """Undo `transform`."""
        return values * self.std + self.mean


def make_windows(series, window, horizon):
    """Return inputs (M, window) and the values (M, horizon) that follow each, for series (N,)."""
    if len(series) < window + horizon:
        raise ValueError(f"{len(series)} values are too few for a window of {window} and a horizon of {horizon}")
    spans = series.unfold(0, window + horizon, 1)
    return spans[:, :window], spans[:, window:]


def split_and_scale(series, n_train, window, horizon):
    """Return (scaler, (x_train, y_train), (x_test, y_test)); see the statement for what belongs where."""
    scaler = Scaler().fit(series[:n_train])
    scaled = scaler.transform(series)
    train = make_windows(scaled[:n_train], window, horizon)
    test = make_windows(scaled[n_train - window :], window, horizon)
    return scaler, train, test


class Forecaster(nn.Module):
    """An LSTM over the window, and a linear layer from its last output to the next values."""

    def __init__(self, window, horizon, hidden_size=16):
        super().__init__()
        self.window = window
        self.scaler = Scaler()
        self.lstm = LSTM(1, hidden_size)
        self.head = nn.Linear(hidden_size, horizon)

    def forward(self, x):
        """Scaled forecasts (B, horizon) for scaled windows (B, window)."""
        outputs, _ = self.lstm(x.unsqueeze(2))
        return self.head(outputs[:, -1])

    def predict(self, history):
        """Forecast the horizon values that follow the history (N,), N >= window, in the units of the series."""
        with torch.no_grad():
            x = self.scaler.transform(history[-self.window :].float())
            return self.scaler.inverse(self(x.unsqueeze(0))[0])


def fit_forecaster(series, window, horizon, seed):
    """Train a forecaster on the whole of `series` (N,)."""
    torch.manual_seed(seed)
    model = Forecaster(window, horizon)
    model.scaler.fit(series.float())
    x, y = make_windows(model.scaler.transform(series.float()), window, horizon)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):  # few: such a short series is soon learnt by heart
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model
