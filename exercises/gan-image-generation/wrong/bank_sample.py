"""The question bank's own answer (task 7), carried over from Keras and fitted to this exercise's names, its mistakes kept.

The mistakes: one optimiser over both networks and one summed loss, so the generator learns to help the discriminator and
has no step of its own; fakes are not detached; the labels that the two outputs are trained with were never made; the
discriminator's sigmoid comes before the log; the generator's output is not bounded, and its images (28x28, three
channels) do not fit the discriminator's (28x28, one); the noise is drawn once; nothing draws an image in the end.
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy


def discriminator_loss(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return binary_cross_entropy(real, y_train) + binary_cross_entropy(fake, z_train)  # noqa: F821


class Generator(nn.Module):
    noise_size = 100

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(100, 128 * 7 * 7)
        self.up_1 = nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1)
        self.up_2 = nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1)
        self.last = nn.Conv2d(128, 3, 3, padding=1)

    def forward(self, noise):
        x = torch.relu(self.first(noise)).view(-1, 128, 7, 7)
        return self.last(self.up_2(self.up_1(x)))


def discriminator_step(generator, discriminator, optimizer, real, noise):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(noise)))
    loss.backward()
    optimizer.step()
    return loss.item()


def fit_gan(images, steps, seed):
    generator = Generator()
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1))
    optimizer = torch.optim.Adam([*generator.parameters(), *discriminator.parameters()])
    noise = torch.randn(len(images), 100)
    for _ in range(steps):
        for rows in torch.arange(len(images)).split(32):
            discriminator_step(generator, discriminator, optimizer, images[rows], noise[rows])
    return generator
