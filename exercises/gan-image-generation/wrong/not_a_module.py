"""Wrong: what comes back is an object that holds the generator, no nn.Module."""

import torch
from torch import nn
from torch.nn.functional import softplus
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def discriminator_loss(real_logits, fake_logits):
    """Mean of -log(sigmoid(real)) plus mean of -log(1 - sigmoid(fake)), a scalar."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_loss(fake_logits):
    """Mean of -log(sigmoid(fake)), a scalar."""
    return softplus(-fake_logits).mean()


def discriminator_step(generator, discriminator, optimizer, real, noise):
    """One update of the discriminator; the generator stays as it is. Returns the loss before it."""
    with torch.no_grad():
        fake = generator(noise)
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_step(generator, discriminator, optimizer, noise):
    """One update of the generator; the discriminator's parameters stay as they are. Returns the loss before it."""
    loss = generator_loss(discriminator(generator(noise)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class Generator(nn.Module):
    """Makes images (B, 8, 8) in [0, 1] from noise (B, Z)."""

    def __init__(self, noise_size=16, hidden=128):
        super().__init__()
        self.noise_size = noise_size
        self.net = nn.Sequential(
            nn.Linear(noise_size, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, 64),
            nn.Sigmoid(),
        )

    def forward(self, noise):
        return self.net(noise).view(-1, 8, 8)

    @torch.no_grad()
    def sample(self, n, seed):
        """n images that depend on the seed only."""
        return self(torch.randn(n, self.noise_size, generator=torch.Generator().manual_seed(seed)))


class Discriminator(nn.Module):
    """Gives images (B, 8, 8) logits (B,): how real they look."""

    def __init__(self, hidden=128):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, hidden),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Linear(hidden, 1),
        )

    def forward(self, images):
        return self.net(images).squeeze(1)


class Painter:
    def __init__(self, generator):
        self.generator, self.noise_size, self.sample = generator, generator.noise_size, generator.sample

    def __call__(self, noise):
        return self.generator(noise)


def fit_gan(images, steps, seed, batch=64, lr=2e-3):
    """Train with `steps` updates of each network. Returns the generator in evaluation mode."""
    torch.manual_seed(seed)
    generator, discriminator = Generator(), Discriminator()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=lr, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=lr, betas=(0.5, 0.999))
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(0.95), use_buffers=True)
    for step in range(steps):
        real = images[torch.randint(len(images), (batch,))]
        discriminator_step(generator, discriminator, optimizer_d, real, torch.randn(batch, generator.noise_size))
        generator_step(generator, discriminator, optimizer_g, torch.randn(batch, generator.noise_size))
        if step % 10 == 0:
            average.update_parameters(generator)
    return Painter(average.module.eval())
