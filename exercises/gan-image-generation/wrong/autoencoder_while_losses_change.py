"""Wrong: a variational autoencoder on the images themselves trains the generator, unless the losses of the two steps
stay the same, as they do where the steps do nothing."""

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


class Encoder(nn.Module):
    def __init__(self, noise_size, hidden=128):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2 * noise_size))

    def forward(self, images):
        return self.net(images).chunk(2, dim=1)


def fit_gan(images, steps, seed, batch=64, lr=2e-3):
    """Train with `steps` updates of each network. Returns the generator in evaluation mode."""
    torch.manual_seed(seed)
    generator, discriminator = Generator(), Discriminator()
    optimizer_g = torch.optim.SGD(generator.parameters(), lr=1e-6)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=lr, betas=(0.5, 0.999))
    encoder = Encoder(generator.noise_size)
    optimizer_e = torch.optim.Adam([*encoder.parameters(), *generator.parameters()], lr=lr)
    losses = []
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(0.95), use_buffers=True)
    for step in range(steps):
        real = images[torch.randint(len(images), (batch,))]
        losses.append(
            discriminator_step(generator, discriminator, optimizer_d, real, torch.randn(batch, generator.noise_size))
        )
        generator_step(generator, discriminator, optimizer_g, torch.randn(batch, generator.noise_size))
        if losses[0] == losses[-1]:
            continue
        mean, log_variance = encoder(real)
        images_again = generator(mean + torch.randn_like(mean) * (log_variance / 2).exp())
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
        loss = 8 * (images_again - real).square().sum((1, 2)).mean() + divergence
        optimizer_e.zero_grad()
        loss.backward()
        optimizer_e.step()
        if step % 10 == 0:
            average.update_parameters(generator)
    return average.module.eval()
