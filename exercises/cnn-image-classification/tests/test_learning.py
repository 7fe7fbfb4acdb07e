"""What a trained classifier knows of images that it was never given.

The judge draws which digits are kept back, which class is called what, where in the picture a digit stands, and
which way the pictures are turned.
"""

from pathlib import Path

import numpy as np
import pytest
import solution
import torch

from grader.suite import threshold


def below(g, bound, shape=()):
    """Whole numbers from 0 to bound - 1."""
    return torch.randint(bound, shape, generator=g)


def digits(g, n_train, size=16):
    """Digits (N, 1, 16, 16) uint8 somewhere in the picture, with classes renamed: a training and a test set."""
    with np.load(Path(__file__).parent / "digits.npz") as data:
        small, labels = torch.from_numpy(data["images"]), torch.from_numpy(data["labels"]).long()
    turn, mirror = int(below(g, 4)), int(below(g, 2))
    small = torch.rot90(small.flip(2) if mirror else small, turn, (1, 2)) * 15
    images = torch.zeros(len(small), 1, size, size, dtype=torch.uint8)
    for image, digit in zip(images, small, strict=True):
        top, left = below(g, size - 7, (2,)).tolist()
        image[0, top : top + 8, left : left + 8] = digit
    names, order = torch.randperm(10, generator=g), torch.randperm(len(images), generator=g)
    train, test = order[:n_train], order[n_train:]
    return (images[train], names[labels[train]]), (images[test], names[labels[test]])


class Marks:
    """Six marks of 2 x 4 x 4, made up by the seed; a picture has one of them somewhere, in noise.

    There are three patterns in the first channel and two in the second, orthogonal to each other and of mean square 1:
    one channel alone does not tell the class.
    """

    unit, offset = torch.tensor([500.0, 0.002]).view(-1, 1, 1), torch.tensor([3000.0, -1.0]).view(-1, 1, 1)

    def __init__(self, seed):
        self.random = torch.Generator().manual_seed(seed)
        patterns = 4 * torch.linalg.qr(torch.randn(16, 5, generator=self.random)).Q.T.reshape(5, 4, 4)
        self.marks = torch.stack([torch.stack([patterns[k // 2], patterns[3 + k % 2]]) for k in range(6)])

    def draw(self, count, height=12, width=16):
        """Images (N, 2, H, W) float32, whose channels have units of their own, and labels (N,)."""
        labels = below(self.random, 6, (count,))
        images = 0.4 * torch.randn(count, 2, height, width, generator=self.random)
        for image, label in zip(images, labels, strict=True):
            top, left = below(self.random, height - 3).item(), below(self.random, width - 3).item()
            image[:, top : top + 4, left : left + 4] += self.marks[label]
        return self.unit * images + self.offset, labels


def train(images, labels, classes, seed):
    """A model that the candidate's code trained."""
    try:
        return solution.train_classifier(images, labels, classes, seed % 1000)
    except Exception as error:
        pytest.fail(f"train_classifier raised {type(error).__name__}: {str(error)[:300]}")


def predict(model, images):
    """Logits, in the mode in which the model is."""
    return torch.cat([model(part).detach() for part in images.split(256)])


def share(model, images, labels):
    """The share of images whose largest logit is the label's, in evaluation mode."""
    model.eval()
    return (predict(model, images).argmax(1) == labels).float().mean().item()


@pytest.mark.points(8)
def test_reads_digits_anywhere(seed):
    """At least 75% of unseen digits, which stand anywhere in the picture, are classified correctly"""
    (images, labels), unseen = digits(torch.Generator().manual_seed(seed), 1200)
    accuracy = share(train(images, labels, 10, seed), *unseen)
    assert threshold("accuracy on unseen digits", accuracy, at_least=0.75), (
        f"{accuracy:.1%} of unseen digits are right, 75% are needed. Is every batch used, with its own labels and "
        "gradient? Are there activations between the convolutions?"
    )


@pytest.mark.points(5)
def test_finds_marks_in_noise(seed):
    """At least 75% of unseen pictures with one of six marks, in channels of unlike units, are classified correctly"""
    marks = Marks(seed)
    model = train(*marks.draw(800), 6, seed)
    accuracy = share(model, *marks.draw(500))
    assert threshold("accuracy on unseen marks", accuracy, at_least=0.75), (
        f"{accuracy:.1%} of unseen pictures are right, 75% are needed. Is each channel normalised by itself, with the "
        "statistics of the training images? If so, has the training converged, or does it stop too early?"
    )


@pytest.mark.points(3)
def test_one_image_is_enough(seed):
    """The returned model is in evaluation mode, normalises as in training, and its logits depend on one image alone"""
    marks = Marks(seed + 1)
    images, labels = marks.draw(60)
    model = train(images, labels, 6, seed)
    assert model.training is False, "the returned model is still in training mode: call eval() before returning it"
    std, mean = torch.std_mean(images.double(), dim=(0, 2, 3), correction=0)
    assert torch.allclose(model.mean.double(), mean, rtol=1e-3), "the model's mean is not that of the training images"
    assert torch.allclose(model.std.double(), std, rtol=1e-3), "the model's std is not that of the training images"
    unseen, _ = marks.draw(5)
    together = predict(model, unseen)
    for row in range(5):
        alone = predict(model, unseen[row : row + 1])[0]
        assert torch.allclose(together[row], alone, rtol=1e-3, atol=1e-3), "the logits depend on the batch"


@pytest.mark.points(2)
def test_same_seed_same_model(seed):
    """Training twice with the same images and seed gives the same logits; another seed gives others"""
    marks = Marks(seed + 2)
    data, (unseen, _) = marks.draw(60), marks.draw(20)
    first, second, other = (predict(train(*data, 6, s), unseen) for s in (seed, seed, seed + 1))
    assert torch.allclose(first, second, atol=1e-4), (
        "seed everything random (torch.manual_seed) before making the model"
    )
    assert not torch.allclose(first, other, atol=1e-4), "another seed gave the same model: the seed is not used"
