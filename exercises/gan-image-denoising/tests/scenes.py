"""Images of the judge's own: handwritten digits, each turned, scaled and shifted; noise; filters to compare with."""

import math
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import affine_grid, conv2d, grid_sample, pad, unfold

DIGITS = torch.from_numpy(np.load(Path(__file__).parent / "digits.npz")["images"]).float() / 16


def draw(g, count, size=12, zoom=1.0):
    """Digits (count, 1, size, size) in [0, 1], light on dark; zoom shrinks them."""
    which = torch.randint(len(DIGITS), (count,), generator=g)
    angle = (torch.rand(count, generator=g) - 0.5) * math.radians(60)
    scale = zoom * (1.3 + 0.4 * torch.rand(count, generator=g))
    shift = (torch.rand(count, 2, generator=g) - 0.5) * 0.6
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = torch.stack([cos, -sin, shift[:, 0]], dim=1), torch.stack([sin, cos, shift[:, 1]], dim=1)
    grid = affine_grid(torch.stack(rows, dim=1), (count, 1, size, size), align_corners=False)
    return grid_sample(DIGITS[which].unsqueeze(1), grid, align_corners=False).clamp(0, 1)


def add_noise(g, images, sigma=0.2, share=0.1):
    """Gaussian noise; then that share of the pixels becomes 0 or 1; all within [0, 1]."""
    noisy = images + sigma * torch.randn(images.shape, generator=g)
    chance = torch.rand(images.shape, generator=g)
    noisy[chance < share / 2] = 0
    noisy[chance > 1 - share / 2] = 1
    return noisy.clamp(0, 1)


class World:
    """How a seed sees the digits: turned by a multiple of 90 degrees, mirrored or not, inverted or not."""

    def __init__(self, seed):
        self.g = torch.Generator().manual_seed(seed)
        self.quarters, self.mirrored, self.negative = (
            int(torch.randint(n, (), generator=self.g).item()) for n in (4, 2, 2)
        )

    def clean(self, count, size=12, zoom=1.0):
        """Images (count, 1, size, size) that nobody has seen before."""
        images = torch.rot90(draw(self.g, count, size, zoom), self.quarters, (2, 3))
        images = images.flip(3) if self.mirrored else images
        return 1 - images if self.negative else images

    def noisy(self, images, **noise):
        """The images with noise."""
        return add_noise(self.g, images, **noise)


def decibels(images, targets):
    """The mean of the images' peak signal-to-noise ratios, for a peak of 1."""
    error = (images - targets).double().square().flatten(1).mean(1)
    return (-10 * torch.log10(error.clamp_min(1e-10))).mean().item()


def median(images):
    """Each pixel becomes the median of the 3x3 pixels around it."""
    around = unfold(pad(images, (1, 1, 1, 1), mode="replicate"), 3)
    return around.median(dim=1).values.view(images.shape)


def blur(images, width=0.5):
    """A Gaussian blur."""
    line = torch.exp(-torch.arange(-2.0, 3.0).square() / (2 * width**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    return conv2d(pad(images, (2, 2, 2, 2), mode="replicate"), kernel.view(1, 1, 5, 5))


def best_filter(noisy, clean):
    """What the best of some filters reaches, in dB."""
    filters = (median(noisy), blur(median(noisy)), blur(noisy, 0.7))
    return max(decibels(filtered, clean) for filtered in filters)


def variety(images):
    """How much the images differ from each other: the standard deviation of each pixel, a mean over the pixels."""
    return images.std(0).mean().item()


def sharpness(images):
    """The mean absolute difference between neighbouring pixels."""
    return (images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()).item()
