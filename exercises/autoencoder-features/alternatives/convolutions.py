"""Strided convolutions that are resized to the exact size, min-max scaling, a probe by Newton's method."""

import torch
from torch import nn
from torch.nn import functional


def corrupt(images, p, generator):
    gone = torch.bernoulli(torch.full(images.shape, float(p)), generator=generator).bool()
    return images.masked_fill(gone, 0)


class TiedLayer(nn.Module):
    def __init__(self, n_inputs, n_code):
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_code, n_inputs)))
        self.code_bias = nn.Parameter(torch.zeros(n_code))
        self.output_bias = nn.Parameter(torch.zeros(n_inputs))

    def encode(self, x):
        return functional.linear(x, self.weight, self.code_bias).tanh()

    def decode(self, code):
        return functional.linear(code, self.weight.t(), self.output_bias)

    def forward(self, x):
        return self.decode(self.encode(x))


class Autoencoder(nn.Module):
    def __init__(self, height, width, n_code, low=0.0, spread=1.0):
        super().__init__()
        self.height, self.width, self.low, self.spread = height, width, low, spread
        self.small = (height + 1) // 2, (width + 1) // 2
        area = self.small[0] * self.small[1]
        self.down = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.into = nn.Sequential(nn.Linear(8 * area, 96), nn.GELU(), nn.Linear(96, n_code))
        self.out_of = nn.Sequential(nn.Linear(n_code, 96), nn.GELU(), nn.Linear(96, 8 * area), nn.GELU())
        self.up = nn.Conv2d(8, 1, 3, padding=1)

    def encode(self, images):
        x = (images - self.low) / self.spread * 4 - 1
        return self.into(functional.relu(self.down(x[:, None])).flatten(1))

    def decode(self, codes):
        x = self.out_of(codes).reshape(-1, 8, *self.small)
        x = functional.interpolate(x, size=(self.height, self.width))
        return self.up(x)[:, 0] * self.spread + self.low

    def forward(self, images):
        return self.decode(self.encode(images))


def fit_autoencoder(images, n_code, seed, p=0.0):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    low, high = images.min().item(), images.max().item()
    model = Autoencoder(images.shape[1], images.shape[2], n_code, low, (high - low) or 1.0)
    steps = 150 + images.shape[0] // 2
    optimizer = torch.optim.NAdam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, cycle_momentum=False)
    for _ in range(steps):
        batch = images[torch.randint(images.shape[0], (64,))]
        optimizer.zero_grad()
        output = model(corrupt(batch, p, generator) if p else batch)
        functional.mse_loss(output / model.spread, batch / model.spread).backward()
        optimizer.step()
        schedule.step()
    model.eval()
    return model


def fit_probe(codes, labels, n_classes, penalty):
    scale = codes.double().abs().max().clamp_min(1.0)  # keeps the curvature within reach of a Cholesky factor
    x = torch.cat([codes.double() / scale, torch.ones(len(codes), 1).double()], dim=1)
    y = functional.one_hot(labels, n_classes).double()
    ridge = torch.full((n_classes, x.shape[1]), float(penalty), dtype=torch.float64) / scale**2
    ridge[:, -1] = 1e-7
    theta = torch.zeros_like(ridge)

    def loss(t):
        logits = x @ t.T
        return (logits.logsumexp(1) - (logits * y).sum(1)).mean() + (ridge * t * t).sum() / 2

    for _ in range(200):
        q = (x @ theta.T).softmax(1)
        gradient = (q - y).T @ x / len(x) + ridge * theta
        curvature = torch.einsum("na,ab,ni,nj->aibj", q, torch.eye(n_classes).double(), x, x)
        curvature = (curvature - torch.einsum("na,nb,ni,nj->aibj", q, q, x, x)) / len(x)
        curvature = curvature.reshape(theta.numel(), -1) + torch.diag(ridge.flatten())
        step = torch.linalg.solve(curvature, gradient.flatten()).view_as(theta)
        length = 1.0
        while length > 1e-6 and loss(theta - length * step) > loss(theta):
            length /= 2
        theta = theta - length * step
        if gradient.norm() < 1e-9:
            break
    return (theta[:, :-1] / scale).to(codes.dtype), theta[:, -1].to(codes.dtype)
