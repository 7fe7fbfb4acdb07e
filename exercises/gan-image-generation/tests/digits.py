"""The digits that the judge hands out, keeps back and measures with. Nothing of this crosses the wall but `train`."""

from pathlib import Path

import numpy as np
import torch

CLASSES, PER_CLASS = 5, 110


class Digits:
    """Five of the ten digits, turned or mirrored, their greys bent by a power, all drawn from the seed.

    `train` (550, 8, 8) is handed out. `held` (about 350, 8, 8) is kept back. Distances are Euclidean, over all pixels.
    """

    def __init__(self, seed):
        g = torch.Generator().manual_seed(seed)
        file = np.load(Path(__file__).parent / "digits.npz")
        images, labels = (torch.from_numpy(file[name].astype(np.float32)) for name in ("images", "labels"))
        turn, mirrored = torch.randint(4, (), generator=g).item(), torch.randint(2, (), generator=g).item()
        images = torch.rot90(images / 16, turn, (1, 2)) ** (0.7 + 0.7 * torch.rand((), generator=g))
        if mirrored:
            images = images.flip(2)
        train, held = [], []
        for digit in torch.randperm(10, generator=g)[:CLASSES].tolist():
            rows = (labels == digit).nonzero().flatten()
            rows = rows[torch.randperm(len(rows), generator=g)]
            train.append(images[rows[:PER_CLASS]])
            held.append(images[rows[PER_CLASS:]])
        # A class is its place in `classes`: which digit it is does not matter.
        self.classes = torch.cat([torch.full((len(x),), c) for part in (train, held) for c, x in enumerate(part)])
        self.train, self.held = torch.cat(train), torch.cat(held)
        self.all = torch.cat([self.train, self.held])
        self.train = self.train[torch.randperm(len(self.train), generator=g)]
        self.near = distances(self.train, self.held).amin(1).quantile(0.95)
        self.typical = distances(self.held, self.train).amin(1).median()
        self.spread = torch.pdist(self.held.flatten(1)).median()

    def realism(self, samples):
        """The share of the samples that are near to a digit kept back."""
        return share(distances(samples, self.held).amin(1) <= self.near)

    def coverage(self, samples):
        """The share of the digits kept back that have a sample near to them."""
        return share(distances(samples, self.held).amin(0) <= self.near)

    def rarest_class(self, samples):
        """How often the rarest class occurs, as a share of a fifth; five neighbours vote for a sample's class."""
        neighbours = distances(samples, self.all).topk(5, largest=False).indices
        votes = self.classes[neighbours].mode(1).values
        return torch.bincount(votes, minlength=CLASSES).min().item() / len(samples) * CLASSES

    def copies(self, samples):
        """The share of the samples that lie within half the usual distance of a digit, handed out or not."""
        return share(distances(samples, self.all).amin(1) < self.typical / 2)

    def duplicates(self, samples):
        """The share of the samples that lie within half the usual distance of another sample."""
        return share(distances(samples, samples).fill_diagonal_(torch.inf).amin(1) < self.typical / 2)


def distances(a, b):
    """All Euclidean distances (len(a), len(b)) between images."""
    return torch.cdist(a.flatten(1), b.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")


def share(mask):
    """The share of True."""
    return mask.float().mean().item()
