"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

from pathlib import Path

import pytest
import solution
import torch


def digits():
    """The 250 images (N, 8, 8) in [0, 1] of digits.txt, which also has their labels."""
    lines = (Path(__file__).parent / "digits.txt").read_text().splitlines()
    greys = [[int(grey, 17) for grey in line.split()[1]] for line in lines if not line.startswith("#")]
    return torch.tensor(greys).view(-1, 8, 8) / 16


def test_example_of_the_statement():
    real, fake = torch.tensor([0.0, 2.0]), torch.tensor([-1.0])
    assert solution.discriminator_loss(real, fake).item() == pytest.approx(0.7233, abs=1e-4)
    assert solution.generator_loss(fake).item() == pytest.approx(1.3133, abs=1e-4)


def test_losses_stay_finite():
    sure = torch.full((3,), 200.0)
    assert solution.discriminator_loss(-sure, sure).item() == pytest.approx(400)
    assert solution.generator_loss(-sure).item() == pytest.approx(200)


def test_gradients_of_the_losses():
    real, fake = torch.tensor([0.0, 1.0], requires_grad=True), torch.tensor([0.0], requires_grad=True)
    solution.discriminator_loss(real, fake).backward()
    assert real.grad.tolist() == pytest.approx([-0.25, -0.1345], abs=1e-4)
    assert fake.grad.item() == pytest.approx(0.5)
    fake = torch.tensor([0.0, -60.0], requires_grad=True)
    solution.generator_loss(fake).backward()
    assert fake.grad.tolist() == pytest.approx([-0.25, -0.5])


def test_training_makes_images():
    generator = solution.fit_gan(digits(), steps=200, seed=0)
    images = generator.sample(20, seed=1)
    assert images.shape == (20, 8, 8)
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.allclose(images, generator.sample(20, seed=1))
    assert generator(torch.randn(1, generator.noise_size)).shape == (1, 8, 8)
