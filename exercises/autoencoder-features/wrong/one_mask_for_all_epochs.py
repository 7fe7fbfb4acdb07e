"""Wrong: the images are corrupted once, before the training."""

import torch
from torch import nn


def corrupt(images, p, generator):
    """Return a copy of the images in which each pixel is 0 with probability p, independently of all others."""
    return images * (torch.rand(images.shape, generator=generator) >= p).to(images.dtype)


class TiedLayer(nn.Module):
    """One layer of an autoencoder that uses the same weights forwards and backwards."""

    def __init__(self, n_inputs, n_code):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_code, n_inputs) * n_inputs**-0.5)
        self.code_bias = nn.Parameter(torch.zeros(n_code))
        self.output_bias = nn.Parameter(torch.zeros(n_inputs))

    def encode(self, x):
        """The code (B, n_code) of x (B, n_inputs)."""
        return torch.tanh(x @ self.weight.T + self.code_bias)

    def decode(self, code):
        """What the code (B, n_code) stands for, (B, n_inputs)."""
        return code @ self.weight + self.output_bias

    def forward(self, x):
        """Encode and decode x (B, n_inputs)."""
        return self.decode(self.encode(x))


class Autoencoder(nn.Module):
    """Images to n_code numbers and back. All scaling happens inside, with the numbers of the training images."""

    def __init__(self, height, width, n_code):
        super().__init__()
        self.size = height, width
        pixels = height * width
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("scale", torch.ones(()))
        self.encoder = nn.Sequential(
            nn.Linear(pixels, 128), nn.GELU(), nn.Linear(128, 64), nn.GELU(), nn.Linear(64, n_code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(n_code, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, pixels)
        )

    def fit_scale(self, images):
        """Learn the mean of each pixel and one spread for all, so that a constant pixel divides nothing by zero."""
        x = images.flatten(1)
        self.mean.copy_(x.mean(0))
        self.scale.fill_((x - self.mean).square().mean().sqrt().item() or 1.0)

    def encode(self, images):
        """The codes (B, n_code) of images (B, height, width)."""
        return self.encoder((images.flatten(1) - self.mean) / self.scale)

    def decode(self, codes):
        """The images (B, height, width) of codes (B, n_code)."""
        return (self.decoder(codes) * self.scale + self.mean).unflatten(1, self.size)

    def forward(self, images):
        """Encode and decode images (B, height, width)."""
        return self.decode(self.encode(images))


def fit_autoencoder(images, n_code, seed, p=0.0):
    """Train an autoencoder on images (N, height, width) to restore them, after masking noise p if there is any."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Autoencoder(images.shape[1], images.shape[2], n_code)
    model.fit_scale(images)
    corrupted = corrupt(images, p, generator) if p else images
    epochs, batch_size = 80, 128
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=generator).split(batch_size):
            clean = images[rows]
            restored = model(corrupted[rows])
            loss = ((restored - clean) / model.scale).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def fit_probe(codes, labels, n_classes, penalty):
    """Softmax regression: weight (n_classes, K) and bias (n_classes,) with the least penalised cross-entropy."""
    x = codes.detach().double()
    weight = torch.zeros(n_classes, x.shape[1], dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(n_classes, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def objective():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(x @ weight.T + bias, labels) + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    return weight.detach().to(codes.dtype), bias.detach().to(codes.dtype)
