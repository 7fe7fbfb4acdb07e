"""One matrix product for all gates of all steps of the input, Python floats in the scaler, AdamW on small batches."""

import torch
from torch import nn
from torch.nn import functional


class LSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.randn(4 * hidden_size, input_size) * 0.2)
        self.weight_hh = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) * 0.2)
        self.bias_ih = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.zeros(4 * hidden_size))
        with torch.no_grad():
            self.bias_ih[hidden_size : 2 * hidden_size] = 1  # remember at first

    def forward(self, x, state=None):
        return self.step(functional.linear(x, self.weight_ih, self.bias_ih), state)

    def step(self, from_input, state):
        if state is None:
            state = (from_input.new_zeros(from_input.shape[0], self.hidden_size),) * 2
        gates = from_input + functional.linear(state[0], self.weight_hh, self.bias_hh)
        i, f, g, o = gates.view(-1, 4, self.hidden_size).unbind(1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = LSTMCell(input_size, hidden_size)

    def forward(self, x, state=None):
        from_input = functional.linear(x, self.cell.weight_ih, self.cell.bias_ih).transpose(0, 1)
        outputs = []
        for step in from_input:
            state = self.cell.step(step, state)
            outputs += [state[0]]
        return torch.stack(outputs).transpose(0, 1), state


class Scaler:
    def fit(self, values):
        numbers = values.tolist()
        self.mean = sum(numbers) / len(numbers)
        self.std = (sum((number - self.mean) ** 2 for number in numbers) / len(numbers)) ** 0.5
        if self.std == 0:
            self.std = 1.0
        return self

    def transform(self, values):
        return (values - self.mean) / self.std

    def inverse(self, values):
        return self.mean + self.std * values


def make_windows(series, window, horizon):
    count = series.shape[0] - window - horizon + 1
    if count < 1:
        raise ValueError("series too short")
    x = torch.stack([series[start : start + window] for start in range(count)])
    y = torch.stack([series[start + window : start + window + horizon] for start in range(count)])
    return x, y


def split_and_scale(series, n_train, window, horizon):
    scaler = Scaler().fit(series[:n_train])
    past, recent = series[:n_train], series[n_train - window :]
    return (
        scaler,
        make_windows(scaler.transform(past), window, horizon),
        make_windows(scaler.transform(recent), window, horizon),
    )


class Forecaster(nn.Module):
    def __init__(self, window, horizon, scaler):
        super().__init__()
        self.window, self.scaler = window, scaler
        self.lstm = LSTM(1, 24)
        self.out = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, horizon))

    def forward(self, x):
        _, (h, _) = self.lstm(x[:, :, None])
        return self.out(h)

    @torch.no_grad()
    def predict(self, history):
        recent = self.scaler.transform(history[-self.window :])
        return self.scaler.inverse(self(recent[None].to(torch.float32)))[0]


def fit_forecaster(series, window, horizon, seed):
    torch.manual_seed(seed)
    scaler = Scaler().fit(series)
    x, y = make_windows(scaler.transform(series).to(torch.float32), window, horizon)
    model = Forecaster(window, horizon, scaler)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    for _ in range(12):
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            functional.smooth_l1_loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model
