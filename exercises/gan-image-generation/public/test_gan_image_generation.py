"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

from pathlib import Path

import pytest
import solution
import torch
from torch import nn


def digits():
    """The 250 images (N, 8, 8) in [0, 1] of digits.txt, which also has their labels."""
    lines = (Path(__file__).parent / "digits.txt").read_text().splitlines()
    greys = [[int(grey, 17) for grey in line.split()[1]] for line in lines if not line.startswith("#")]
    return torch.tensor(greys).view(-1, 8, 8) / 16


def networks():
    """A small generator, a small discriminator, and an optimiser for each."""
    torch.manual_seed(1)
    generator = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid())
    discriminator = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.5) for network in (generator, discriminator)]
    return generator, discriminator, *optimizers


def test_example_of_the_statement():
    real, fake = torch.tensor([0.0, 2.0]), torch.tensor([-1.0])
    assert solution.discriminator_loss(real, fake).item() == pytest.approx(0.7233, abs=1e-4)
    assert solution.generator_loss(fake).item() == pytest.approx(1.3133, abs=1e-4)


def test_losses_stay_finite():
    sure = torch.full((3,), 200.0)
    assert solution.discriminator_loss(-sure, sure).item() == pytest.approx(400)
    assert solution.generator_loss(-sure).item() == pytest.approx(200)


def test_each_step_moves_one_network():
    generator, discriminator, optimizer_g, optimizer_d = networks()
    g, d = generator[0].weight.clone(), discriminator[0].weight.clone()
    real, noise = torch.rand(5, 4), torch.randn(6, 3)
    assert isinstance(solution.discriminator_step(generator, discriminator, optimizer_d, real, noise), float)
    assert torch.equal(generator[0].weight, g)
    assert not torch.equal(discriminator[0].weight, d)
    d = discriminator[0].weight.clone()
    assert isinstance(solution.generator_step(generator, discriminator, optimizer_g, noise), float)
    assert not torch.equal(generator[0].weight, g)
    assert torch.equal(discriminator[0].weight, d)


def test_training_makes_images():
    generator = solution.fit_gan(digits(), steps=200, seed=0)
    images = generator.sample(20, seed=1)
    assert images.shape == (20, 8, 8)
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.allclose(images, generator.sample(20, seed=1))
    assert generator(torch.randn(1, generator.noise_size)).shape == (1, 8, 8)
