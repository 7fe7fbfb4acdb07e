"""Keeps the end of the series for validation and returns the weights that did best there; four matrices in a row."""

import copy

import torch
from torch import nn


class LSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        bound = hidden_size**-0.5
        for name, shape in {
            "weight_ih": (4 * hidden_size, input_size),
            "weight_hh": (4 * hidden_size, hidden_size),
            "bias_ih": (4 * hidden_size,),
            "bias_hh": (4 * hidden_size,),
        }.items():
            self.register_parameter(name, nn.Parameter(torch.rand(shape) * 2 * bound - bound))

    def forward(self, x, state=None):
        size = self.weight_hh.shape[1]
        h, c = state if state is not None else torch.zeros(2, len(x), size, dtype=x.dtype).unbind()

        def gate(number):
            rows = slice(number * size, (number + 1) * size)
            return (
                torch.einsum("bi,gi->bg", x, self.weight_ih[rows])
                + self.bias_ih[rows]
                + torch.einsum("bh,gh->bg", h, self.weight_hh[rows])
                + self.bias_hh[rows]
            )

        c = torch.sigmoid(gate(1)) * c + torch.sigmoid(gate(0)) * torch.tanh(gate(2))
        h = torch.sigmoid(gate(3)) * torch.tanh(c)
        return h, c


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = LSTMCell(input_size, hidden_size)

    def forward(self, x, state=None):
        h, c = self.cell(x[:, 0], state)
        outputs = [h]
        for t in range(1, x.shape[1]):
            h, c = self.cell(x[:, t], (h, c))
            outputs.append(h)
        return torch.cat([output.unsqueeze(1) for output in outputs], dim=1), (h, c)


class Scaler:
    def fit(self, values):
        self.mean = values.mean()
        spread = ((values - self.mean) ** 2).mean().sqrt()
        self.std = spread if spread > 0 else torch.ones_like(spread)
        return self

    def transform(self, values):
        return (values - self.mean) / self.std

    def inverse(self, values):
        return values * self.std + self.mean


def make_windows(series, window, horizon):
    starts = torch.arange(len(series) - window - horizon + 1) if len(series) >= window + horizon else None
    if starts is None:
        raise ValueError(f"need at least {window + horizon} values")
    pieces = series[starts[:, None] + torch.arange(window + horizon)]
    return pieces.split([window, horizon], dim=1)


def split_and_scale(series, n_train, window, horizon):
    scaler = Scaler().fit(series[:n_train])
    x, y = make_windows(scaler.transform(series), window, horizon)
    last = n_train - window - horizon + 1
    first = n_train - window
    return scaler, (x[:last], y[:last]), (x[first:], y[first:])


class Forecaster(nn.Module):
    def __init__(self, window, horizon):
        super().__init__()
        self.window = window
        self.lstm = LSTM(1, 12)
        self.out = nn.Linear(12, horizon)

    def forward(self, x):
        return self.out(self.lstm(x.unsqueeze(-1))[0][:, -1])

    def predict(self, history):
        scaled = self.scaler.transform(history[-self.window :]).float()
        return self.scaler.inverse(self(scaled.unsqueeze(0)).squeeze(0).detach())


def fit_forecaster(series, window, horizon, seed):
    torch.manual_seed(seed)
    model = Forecaster(window, horizon)
    model.scaler = Scaler().fit(series)
    x, y = make_windows(model.scaler.transform(series).float(), window, horizon)
    kept = len(x) // 6
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    best, best_loss = None, float("inf")
    for _ in range(80):
        optimizer.zero_grad()
        (model(x[:-kept]) - y[:-kept]).square().mean().backward()
        optimizer.step()
        with torch.no_grad():
            loss = (model(x[-kept:]) - y[-kept:]).square().mean().item()
        if loss < best_loss:
            best, best_loss = copy.deepcopy(model.state_dict()), loss
    model.load_state_dict(best)
    return model
