"""Another right solution: the usual recipe and nothing else. Batch normalisation, Adam with beta1 = 0.5, the last
weights are the result."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def discriminator_loss(real_logits, fake_logits):
    loss = nn.BCEWithLogitsLoss()
    return loss(real_logits, torch.ones_like(real_logits)) + loss(fake_logits, torch.zeros_like(fake_logits))


def generator_loss(fake_logits):
    return functional.softplus(-fake_logits).mean()


def discriminator_step(generator, discriminator, optimizer, real, noise):
    discriminator.zero_grad()
    loss_real = functional.softplus(-discriminator(real)).mean()
    loss_real.backward()
    with torch.no_grad():
        fake = generator(noise)
    loss_fake = functional.softplus(discriminator(fake)).mean()
    loss_fake.backward()
    optimizer.step()
    return loss_real.item() + loss_fake.item()


def generator_step(generator, discriminator, optimizer, noise):
    generator.zero_grad()
    loss = generator_loss(discriminator(generator(noise)))
    loss.backward()
    optimizer.step()
    discriminator.zero_grad()
    return loss.item()


def block(n_in, n_out):
    return nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.LeakyReLU(0.2)


class DigitGenerator(nn.Module):
    noise_size = 32

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*block(32, 128), *block(128, 128), nn.Linear(128, 64))

    def forward(self, noise):
        return torch.sigmoid(self.body(noise)).reshape(len(noise), 8, 8)

    def sample(self, n, seed):
        noise = np.random.default_rng(seed).standard_normal((n, self.noise_size))
        with torch.no_grad():
            return self(torch.from_numpy(noise).float())


class DigitDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        layers = nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
        self.body = nn.Sequential(*layers)

    def forward(self, images):
        return self.body(images.reshape(len(images), 64))[:, 0]


def fit_gan(images, steps, seed):
    g = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    generator, discriminator = DigitGenerator(), DigitDiscriminator()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    for _ in range(steps):
        batch = images[torch.randperm(len(images), generator=g)[:64]]
        noise = torch.randn(64, 32, generator=g)
        discriminator_step(generator, discriminator, optimizer_d, batch, noise)
        generator_step(generator, discriminator, optimizer_g, torch.randn(64, 32, generator=g))
    generator.eval()
    return generator
