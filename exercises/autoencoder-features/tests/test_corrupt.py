"""Masking noise: what becomes of a pixel, how often, and where the randomness comes from."""

import pytest
import solution
import torch

from grader.suite import in_guest, threshold


@in_guest
def corrupted(images, p, seed, calls=1, global_seed=0):
    """What corrupt returns in successive calls with one generator, and the images as they are afterwards."""
    torch.manual_seed(global_seed)
    generator = torch.Generator().manual_seed(seed)
    return [solution.corrupt(images, p, generator) for _ in range(calls)], images


def masks(seed, p, rows, height, width):
    """Which pixels became 0, (rows, height, width), for images without a zero."""
    (found,), _ = corrupted(torch.ones(rows, height, width), p, seed)
    assert tuple(found.shape) == (rows, height, width), (
        f"corrupt returned {tuple(found.shape)} for images {(rows, height, width)}"
    )
    return found == 0


@pytest.mark.points(4)
def test_masked_pixels_are_zero_and_the_rest_stays(seed):
    """A pixel is 0 or as it was, in a new tensor of the same shape and dtype"""
    g = torch.Generator().manual_seed(seed)
    for shape, dtype in [((5, 4, 3), torch.float32), ((2, 6, 7), torch.float64), ((9, 12), torch.float32)]:
        images = (50 + 100 * torch.rand(shape, generator=g, dtype=torch.float64)).to(dtype)
        (found,), after = corrupted(images.clone(), 0.4, seed)
        assert torch.equal(after, images), "corrupt changed the images that it was given; it must return new ones"
        assert found.shape == images.shape, f"images of shape {shape} came back with shape {tuple(found.shape)}"
        assert found.dtype == dtype, f"images in {dtype} came back in {found.dtype}"
        kept = found != 0
        assert torch.equal(found[kept], images[kept]), (
            "a pixel that is not masked must stay as it was: nothing is scaled up to make good for the masked ones, "
            "as dropout does"
        )


@pytest.mark.points(3)
def test_share_of_masked_pixels_is_p(seed):
    """The share of masked pixels is p, for p from 0 to 1"""
    for p in (0.1, 0.4, 0.85):
        found = masks(seed, p, 1, 120, 100)
        errors = abs(found.double().mean().item() - p) / (p * (1 - p) / found.numel()) ** 0.5
        assert threshold("standard errors between the share of masked pixels and p", errors, at_most=5.5), (
            f"{found.double().mean().item():.1%} of the pixels were masked with p = {p}: p is the probability of 0"
        )
    assert not masks(seed, 0.0, 4, 5, 6).any(), "with p = 0 all pixels stay"
    assert masks(seed, 1.0, 4, 5, 6).all(), "with p = 1 all pixels are 0"


@pytest.mark.points(3)
def test_pixels_are_masked_independently(seed):
    """Each pixel of each image is masked for itself, so that the number of masked ones varies"""
    found = masks(seed, 0.5, 400, 6, 5)
    sign = found.double() * 2 - 1
    for dim, name in enumerate(["images", "rows", "columns"]):
        pairs = sign * sign.roll(1, dim)
        errors = abs(pairs.mean().item()) * pairs.numel() ** 0.5
        assert threshold("standard errors of the correlation of neighbours", errors, at_most=5.5), (
            f"neighbouring {name} are masked alike: draw one random number for every pixel of every image"
        )
    spread = found.flatten(1).double().sum(1).var().item() / (30 * 0.25)
    assert threshold("variance of the number of masked pixels, as a share of the binomial's", spread, at_least=0.5), (
        "each image has about the same number of masked pixels: draw each pixel for itself, not a fixed number of them"
    )


@pytest.mark.points(3)
def test_randomness_comes_from_the_generator(seed):
    """The generator alone decides: its state gives the mask, and the next call takes the next numbers"""
    images = torch.ones(6, 5, 5)
    (first, second), _ = corrupted(images, 0.5, seed, 2, 1)
    (again, _), _ = corrupted(images, 0.5, seed, 2, 2)
    (other, _), _ = corrupted(images, 0.5, seed + 1, 2, 1)
    assert torch.equal(first, again), "the same generator gave another mask: pass it to every random function"
    assert not torch.equal(first, second), "two calls with one generator must mask different pixels"
    assert not torch.equal(first, other), "another generator must mask other pixels"
