"""Tied weights in both layers of the autoencoder, a code between -1 and 1, a sigmoid at the output, early stopping."""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


def corrupt(images, p, generator):
    keep = torch.empty(images.shape).uniform_(generator=generator) >= p
    return torch.where(keep, images, torch.zeros_like(images))


class TiedLayer(nn.Module):
    def __init__(self, n_inputs, n_code):
        super().__init__()
        bound = (6 / (n_inputs + n_code)) ** 0.5
        self.weight = nn.Parameter(torch.empty(n_code, n_inputs).uniform_(-bound, bound))
        self.code_bias = nn.Parameter(torch.zeros(n_code))
        self.output_bias = nn.Parameter(torch.zeros(n_inputs))

    def encode(self, x):
        return torch.tanh(torch.einsum("bi,ci->bc", x, self.weight) + self.code_bias)

    def decode(self, code):
        return torch.einsum("bc,ci->bi", code, self.weight) + self.output_bias

    def forward(self, x):
        return self.decode(self.encode(x))


class Autoencoder(nn.Module):
    """Two matrices, each used forwards and backwards."""

    def __init__(self, height, width, n_code):
        super().__init__()
        self.shape = (height, width)
        sizes = [height * width, 160, n_code]
        self.matrices = nn.ParameterList(nn.init.xavier_normal_(torch.empty(b, a)) for a, b in [sizes[:2], sizes[1:]])
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes)  # output, back to hidden, code
        self.hidden_bias = nn.Parameter(torch.zeros(160))
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("range", torch.tensor(1.0))

    def encode(self, images):
        x = (images.reshape(images.shape[0], -1) - self.low) / self.range
        hidden = F.elu(F.linear(x, self.matrices[0], self.hidden_bias))
        return torch.tanh(F.linear(hidden, self.matrices[1], self.biases[2]) / 2)

    def logits(self, codes):
        hidden = F.elu(F.linear(3 * codes, self.matrices[1].T, self.biases[1]))
        return F.linear(hidden, self.matrices[0].T, self.biases[0])

    def decode(self, codes):
        x = torch.sigmoid(self.logits(codes))
        return (x * self.range + self.low).reshape(codes.shape[0], *self.shape)

    def forward(self, images):
        return self.decode(self.encode(images))


def fit_autoencoder(images, n_code, seed, p=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _fit(images, n_code, p, torch.Generator().manual_seed(seed))


def _fit(images, n_code, p, generator):
    model = Autoencoder(images.shape[1], images.shape[2], n_code)
    model.low.fill_(images.min())
    model.range.fill_((images.max() - images.min()).clamp_min(1e-6))
    order = torch.randperm(images.shape[0])
    held, train = order[: len(order) // 12], order[len(order) // 12 :]
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=1e-4, fused=True)
    target = ((images - model.low) / model.range).flatten(1)
    best, best_error, epochs = None, float("inf"), 80
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 6e-3 * (1 - epoch / epochs) + 1e-4
        model.train()
        for rows in train[torch.randperm(len(train))].split(50):
            logits = model.logits(model.encode(corrupt(images[rows], p, generator)))
            loss = 4 * F.mse_loss(torch.sigmoid(logits), target[rows])
            model.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            model.eval()
            with torch.no_grad():
                error = F.mse_loss(model(corrupt(images[held], p, generator)), images[held]).item()
            if error < best_error:
                best, best_error = copy.deepcopy(model.state_dict()), error
    model.load_state_dict(best)
    return model.eval()


def fit_probe(codes, labels, n_classes, penalty):
    """Nesterov's method on scaled, centred codes: the penalty is scaled along, the bias takes up the centre."""
    x = codes.double()
    centre, scale = x.mean(0), x.std(0) + 1e-12
    z = (x - centre) / scale
    y = F.one_hot(labels, n_classes).double()
    weight = z.new_zeros(n_classes, z.shape[1])
    bias = z.new_zeros(n_classes)
    ridge = penalty / scale**2
    rate = 1 / (0.5 * (z.shape[1] + 1) + ridge.max())
    weight_before, bias_before = weight, bias
    for step in range(20000):
        momentum = step / (step + 3)
        ahead_w = weight + momentum * (weight - weight_before)
        ahead_b = bias + momentum * (bias - bias_before)
        error = (F.softmax(z @ ahead_w.T + ahead_b, dim=1) - y) / len(z)
        weight_before, bias_before = weight, bias
        grad_w, grad_b = error.T @ z + ridge * ahead_w, error.sum(0)
        weight, bias = ahead_w - rate * grad_w, ahead_b - rate * grad_b
        if max(grad_w.abs().max(), grad_b.abs().max()) < 1e-7:
            break
    weight = weight / scale
    return weight.to(codes.dtype), (bias - weight @ centre).to(codes.dtype)
