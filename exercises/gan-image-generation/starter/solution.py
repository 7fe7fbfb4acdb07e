"""A GAN for small images. README.md says what each part has to do."""

import torch
from torch import nn


def discriminator_loss(real_logits, fake_logits):
    """real_logits: (B,). fake_logits: (C,). Returns a scalar tensor."""
    raise NotImplementedError


def generator_loss(fake_logits):
    """fake_logits: (C,). Returns a scalar tensor: the non-saturating loss."""
    raise NotImplementedError


def discriminator_step(generator, discriminator, optimizer, real, noise):
    """One update of the discriminator only. Returns the loss before it, a float."""
    return 0.0


def generator_step(generator, discriminator, optimizer, noise):
    """One update of the generator only. Returns the loss before it, a float."""
    return 0.0


class Generator(nn.Module):
    """What `fit_gan` returns."""

    noise_size = 16

    def forward(self, noise):
        """noise: (B, noise_size). Returns images (B, 8, 8) in [0, 1]."""
        raise NotImplementedError

    def sample(self, n, seed):
        """Returns n images (n, 8, 8) in [0, 1], drawn with this seed."""
        raise NotImplementedError


def fit_gan(images, steps, seed):
    """images: (N, 8, 8) in [0, 1]. Trains with `steps` updates of the generator and returns it in evaluation mode."""
    torch.manual_seed(seed)
    raise NotImplementedError
