"""Digits as the judge shows them: shifted on a larger canvas, turned, mirrored, in a unit of the grading's own."""

from pathlib import Path

import numpy as np
import torch

HEIGHT, WIDTH, CODE = 9, 11, 6
TRAIN = 1200
_DIGITS = np.load(Path(__file__).parent / "digits.npz")


def uniform(g, low, high, *shape):
    """Numbers between low and high."""
    return low + (high - low) * torch.rand(shape, generator=g)


def shifted(ink, g):
    """Images (N, HEIGHT, WIDTH) of digits (N, 8, 8), each shifted by up to a pixel from the middle, between pixels."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) - (HEIGHT - 1) / 2, torch.arange(WIDTH) - (WIDTH - 1) / 2, indexing="ij")
    dy, dx = uniform(g, -1, 1, 2, len(ink), 1, 1)
    grid = torch.stack([x - dx, y - dy], dim=3) / 4
    return torch.nn.functional.grid_sample(ink.unsqueeze(1), grid, align_corners=False)[:, 0]


def digits(seed):
    """(x_train, y_train, x_test, y_test): ink between 0 and 1, digits turned and mirrored alike by the seed."""
    g = torch.Generator().manual_seed(seed)
    ink = torch.from_numpy(_DIGITS["images"].astype(np.float32)) / 16
    labels = torch.from_numpy(_DIGITS["labels"].astype(np.int64))
    quarter, mirror = torch.randint(4, (2,), generator=g).tolist()
    ink = torch.rot90(ink, quarter, (1, 2))
    if mirror % 2:
        ink = ink.flip(2)
    order = torch.randperm(len(ink), generator=g)
    images, labels = shifted(ink[order], g), labels[order]
    return images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:]


class PCA:
    """Principal components: the best linear code of a given size."""

    def __init__(self, images, n_code):
        x = images.flatten(1).double()
        self.mean = x.mean(0)
        self.axes = torch.linalg.eigh((x - self.mean).T @ (x - self.mean)).eigenvectors[:, -n_code:]

    def encode(self, images):
        """The codes (B, n_code)."""
        return (images.flatten(1).double() - self.mean) @ self.axes

    def restore(self, images):
        """The images that the codes stand for."""
        return (self.encode(images) @ self.axes.T + self.mean).reshape(images.shape)


def mean_error(restored, images):
    """Mean squared error per pixel, in float64."""
    return (restored.double() - images.double()).square().mean().item()
