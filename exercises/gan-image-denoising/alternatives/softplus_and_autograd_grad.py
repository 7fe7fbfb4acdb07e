"""The losses as softplus, the gradients from torch.autograd.grad, the discriminator frozen while the generator learns;
dropout in the generator as in pix2pix, tanh instead of sigmoid, RMSprop for the discriminator, batches from numpy."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import leaky_relu, softplus


def psnr(images, targets, peak=1.0):
    difference = images.to(torch.float64) - targets.to(torch.float64)
    mse = torch.einsum("nchw,nchw->n", difference, difference) / images[0].numel()
    return 20 * np.log10(peak) - 10 * mse.log10()


class Generator(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.down = nn.Conv2d(1, width, 4, stride=2, padding=1)
        self.norm_1 = nn.BatchNorm2d(width)
        self.middle = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm_2 = nn.BatchNorm2d(2 * width)
        self.dropout = nn.Dropout2d(0.02)
        self.up = nn.Conv2d(2 * width, 4 * 12, 3, padding=1)
        self.norm_3 = nn.BatchNorm2d(12)
        self.last = nn.Conv2d(13, 1, 3, padding=1)

    def forward(self, noisy):
        hidden = leaky_relu(self.norm_1(self.down(noisy)), 0.1)
        hidden = self.dropout(leaky_relu(self.norm_2(self.middle(hidden)), 0.1))
        hidden = leaky_relu(self.norm_3(torch.pixel_shuffle(self.up(hidden), 2)), 0.1)
        return (torch.tanh(self.last(torch.cat([hidden, noisy], dim=1))) + 1) / 2


class Discriminator(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.of_image = nn.Conv2d(1, width, 4, stride=2, padding=1)
        self.of_noisy = nn.Conv2d(1, width, 4, stride=2, padding=1)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, noisy, image):
        hidden = leaky_relu(self.of_image(image) + self.of_noisy(noisy), 0.2)
        return self.head(leaky_relu(self.mix(hidden), 0.2)).flatten(1)


def discriminator_loss(real_logits, fake_logits):
    return (softplus(-real_logits).mean() + softplus(fake_logits).mean()) / 2


def generator_loss(fake_logits, fake, clean, l1_weight):
    return softplus(-fake_logits).mean() + l1_weight * torch.mean(torch.abs(fake - clean))


def descend(loss, module, optimizer):
    parameters = list(module.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


def train_step(generator, discriminator, g_optimizer, d_optimizer, noisy, clean, l1_weight):
    fake = generator(noisy)
    d_loss = discriminator_loss(discriminator(noisy, clean), discriminator(noisy, fake.detach()))
    d_value = descend(d_loss, discriminator, d_optimizer)
    discriminator.requires_grad_(False)
    g_loss = generator_loss(discriminator(noisy, fake), fake, clean, l1_weight)
    g_value = descend(g_loss, generator, g_optimizer)
    discriminator.requires_grad_(True)
    return d_value, g_value


class Denoiser:
    def __init__(self, generator, discriminator):
        self.generator = generator.eval()
        self.discriminator = discriminator.eval()

    def denoise(self, noisy):
        return self.generator(noisy).detach()


def fit_denoiser(noisy, clean, steps, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    generator, discriminator = Generator(), Discriminator()
    g_optimizer = torch.optim.AdamW(generator.parameters(), lr=4e-3)
    d_optimizer = torch.optim.RMSprop(discriminator.parameters(), lr=3e-4)
    for _ in range(steps):
        rows = torch.from_numpy(rng.choice(len(noisy), min(48, len(noisy)), replace=False))
        train_step(generator, discriminator, g_optimizer, d_optimizer, noisy[rows], clean[rows], 30.0)
    return Denoiser(generator, discriminator)
