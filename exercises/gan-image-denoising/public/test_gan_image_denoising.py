"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import math

import solution
import torch


def test_psnr_of_the_statement():
    images = torch.full((2, 1, 4, 4), 0.5)
    targets = images.clone()
    targets[0] -= 0.1
    first, second = solution.psnr(images, targets).tolist()
    assert math.isclose(first, 20, abs_tol=1e-3)
    assert second == math.inf


def test_networks():
    noisy, image = torch.rand(2, 3, 1, 12, 12).unbind()
    assert solution.Generator()(noisy).shape == noisy.shape
    assert len(solution.Discriminator()(noisy, image)) == 3


def test_losses_of_the_statement():
    zero = torch.zeros(1, 1, 2, 2)
    assert math.isclose(solution.discriminator_loss(zero + 2, zero).item(), 0.4100, abs_tol=1e-4)
    fake, clean = torch.full((1, 1, 4, 4), 0.5), torch.full((1, 1, 4, 4), 0.4)
    assert math.isclose(solution.generator_loss(zero, fake, clean, 10.0).item(), 1.6931, abs_tol=1e-4)


def squares(count):
    """Bright squares (count, 1, 12, 12) anywhere on a dark ground, and the same with noise."""
    g = torch.Generator().manual_seed(1)
    clean = torch.zeros(count, 1, 12, 12)
    for image, (top, left) in zip(clean, torch.randint(7, (count, 2), generator=g).tolist(), strict=True):
        image[:, top : top + 5, left : left + 5] = 0.8
    return (clean + 0.3 * torch.randn(clean.shape, generator=g)).clamp(0, 1), clean


def test_takes_noise_off_squares():
    noisy, clean = squares(260)
    denoiser = solution.fit_denoiser(noisy[:200], clean[:200], steps=100, seed=0)
    before = solution.psnr(noisy[200:], clean[200:]).mean()
    after = solution.psnr(denoiser.denoise(noisy[200:]), clean[200:]).mean()
    assert after > before + 4
