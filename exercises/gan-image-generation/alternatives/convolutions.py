"""Another right solution: transposed convolutions against convolutions (Radford et al. 2016), the loss from torch's
cross-entropy, images in [-1, 1] between the networks, batches in shuffled epochs."""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits


def discriminator_loss(real_logits, fake_logits):
    real = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    return real + binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


def generator_loss(fake_logits):
    return binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


def discriminator_step(generator, discriminator, optimizer, real, noise):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(noise).detach()))
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_step(generator, discriminator, optimizer, noise):
    """The discriminator is frozen for the time of the step."""
    discriminator.requires_grad_(False)
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(noise)))
    loss.backward()
    optimizer.step()
    discriminator.requires_grad_(True)
    return loss.item()


class Net(nn.Module):
    """Images (B, 8, 8) in [-1, 1] from noise."""

    def __init__(self, noise_size, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(noise_size, 16 * width, bias=False),
            nn.BatchNorm1d(16 * width),
            nn.ReLU(),
            nn.Unflatten(1, (4 * width, 2, 2)),
            nn.ConvTranspose2d(4 * width, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),
            nn.Tanh(),
            nn.Flatten(1, 2),
        )

    def forward(self, noise):
        return self.layers(noise)


class Generator(nn.Module):
    """The trained net, its images scaled to [0, 1]."""

    def __init__(self, net, noise_size):
        super().__init__()
        self.net, self.noise_size = net, noise_size

    def forward(self, noise):
        return (self.net(noise) + 1) / 2

    def sample(self, n, seed):
        g = torch.Generator()
        g.manual_seed(seed)
        with torch.no_grad():
            return self(torch.randn((n, self.noise_size), generator=g))


def make_discriminator(width):
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(8 * width, 1),
        nn.Flatten(0),
    )


def fit_gan(images, steps, seed, noise_size=20, width=16, batch=32):
    torch.manual_seed(seed)
    net, discriminator = Net(noise_size, width), make_discriminator(width)
    adam = {"betas": (0.5, 0.999)}
    optimizer_g = torch.optim.Adam(net.parameters(), 2e-3, **adam)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), 1e-3, **adam)
    order = []
    for _ in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(images)).tolist()
        rows, order = order[:batch], order[batch:]
        noise = torch.randn(batch, noise_size)
        discriminator_step(net, discriminator, optimizer_d, 2 * images[rows] - 1, noise)
        generator_step(net, discriminator, optimizer_g, noise)
    return Generator(net, noise_size).eval()
