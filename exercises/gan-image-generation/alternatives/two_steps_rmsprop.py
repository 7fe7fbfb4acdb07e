"""Another right solution: two steps of the discriminator for each of the generator, RMSprop, no batch normalisation,
noisy images for the discriminator, gradients by torch.autograd.grad, a generator without Sequential."""

import torch
from torch import nn
from torch.nn.functional import dropout, leaky_relu, logsigmoid


def discriminator_loss(real_logits, fake_logits):
    return -logsigmoid(real_logits).mean() - logsigmoid(-fake_logits).mean()


def generator_loss(fake_logits):
    return -logsigmoid(fake_logits).mean()


def descend(loss, network, optimizer):
    """One step of `optimizer` along the gradient of the loss for this network alone."""
    parameters = list(network.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


def discriminator_step(generator, discriminator, optimizer, real, noise):
    fake = generator(noise).detach()
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    return descend(loss, discriminator, optimizer)


def generator_step(generator, discriminator, optimizer, noise):
    return descend(generator_loss(discriminator(generator(noise))), generator, optimizer)


class Painter(nn.Module):
    def __init__(self, noise_size=10, width=160):
        super().__init__()
        self.noise_size = noise_size
        self.first, self.second = nn.Linear(noise_size, width), nn.Linear(width, width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.last = nn.Linear(width, 64)

    def forward(self, noise):
        h = leaky_relu(self.norm_1(self.first(noise)), 0.1)
        h = leaky_relu(self.norm_2(self.second(h)), 0.1)
        return torch.sigmoid(self.last(h)).unflatten(1, (8, 8))

    def sample(self, n, seed):
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            return self.forward(torch.randn(n, self.noise_size, generator=random))


class Critic(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(64, width), nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, images):
        x = images.flatten(1)
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        h = dropout(leaky_relu(self.first(x), 0.2), 0.2, self.training)
        h = dropout(leaky_relu(self.second(h), 0.2), 0.2, self.training)
        return self.last(h).flatten()


def fit_gan(images, steps, seed):
    torch.manual_seed(seed)
    painter, critic = Painter(), Critic()
    optimizers = [torch.optim.RMSprop(network.parameters(), lr=1e-3) for network in (painter, critic)]
    for step in range(steps):
        for _ in range(2):
            real = images[torch.randint(len(images), (48,))]
            discriminator_step(painter, critic, optimizers[1], real, torch.randn(48, painter.noise_size))
        generator_step(painter, critic, optimizers[0], torch.randn(48, painter.noise_size))
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 1e-3 * min(1.0, 2 - 2 * step / steps)
    return painter.eval()
