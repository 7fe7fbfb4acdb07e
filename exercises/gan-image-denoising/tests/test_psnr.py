"""The measure: one number in decibels per image, held against the formula."""

import math

import pytest
import solution
import torch


def pictures(seed, rows=4, channels=2, height=5, width=6):
    """Targets (N, C, H, W) in [0, 1] and images whose errors differ much from image to image."""
    g = torch.Generator().manual_seed(seed)
    targets = torch.rand(rows, channels, height, width, generator=g)
    errors = torch.randn(targets.shape, generator=g) * torch.tensor([0.01, 0.03, 0.1, 0.3])[:rows, None, None, None]
    return targets + errors, targets


def expected(images, targets, peak):
    """The formula, image by image."""
    errors = (
        (image.double() - target.double()).square().mean().item() for image, target in zip(images, targets, strict=True)
    )
    return torch.tensor([10 * math.log10(peak**2 / error) if error else math.inf for error in errors])


def measure(images, targets, *peak):
    """What the candidate's psnr returns, as float32 (N,)."""
    found = solution.psnr(images, targets, *peak)
    assert isinstance(found, torch.Tensor), f"psnr must return a tensor (N,), not {type(found).__name__}"
    assert tuple(found.shape) == (len(images),), (
        f"psnr returned shape {tuple(found.shape)} for {len(images)} images: one number for each image is expected"
    )
    return found.float()


def shown(values):
    return [round(value, 2) for value in values.tolist()]


@pytest.mark.points(4)
def test_psnr_of_each_image(seed):
    """psnr gives 10 log10(1 / MSE) for each image of the batch"""
    images, targets = pictures(seed)
    found, right = measure(images, targets), expected(images, targets, 1.0)
    assert torch.allclose(found, right, atol=1e-3), (
        f"four images gave {shown(found)} dB, expected {shown(right)}: 10 times the logarithm to base 10 of peak^2 / "
        "MSE, with the mean over channels, rows and columns of each image by itself"
    )


@pytest.mark.points(2)
def test_psnr_knows_the_peak(seed):
    """Images in [0, 255] with peak 255 get the same psnr as in [0, 1] with peak 1"""
    images, targets = pictures(seed + 1)
    found, right = measure(255 * images, 255 * targets, 255.0), expected(images, targets, 1.0)
    assert torch.allclose(found, right, atol=1e-3), (
        f"with peak 255 four images gave {shown(found)} dB, expected {shown(right)}: the peak enters as its square"
    )


@pytest.mark.points(2)
def test_psnr_of_equal_images(seed):
    """An image that equals its target gets inf, and the others what they are due"""
    images, targets = pictures(seed + 2)
    images[1] = targets[1]
    found, right = measure(images, targets), expected(images, targets, 1.0)
    assert found[1].item() == math.inf, f"an image that equals its target got {found[1].item():.4g}, expected inf"
    others = [0, 2, 3]
    assert torch.allclose(found[others], right[others], atol=1e-3), "one equal image changed the others' psnr"


@pytest.mark.points(2)
def test_psnr_of_bytes(seed):
    """Images of dtype uint8 get the psnr of the same values as floats, for the peak that is given"""
    g = torch.Generator().manual_seed(seed + 3)
    images, targets = torch.randint(256, (2, 3, 1, 6, 6), generator=g, dtype=torch.uint8).unbind()
    for peak in (255.0, 100.0):
        found, right = measure(images, targets, peak), expected(images, targets, peak)
        assert torch.allclose(found, right, atol=1e-3), (
            f"three images of bytes and the peak {peak:g} gave {shown(found)} dB, expected {shown(right)}. In uint8, "
            "3 - 5 is 254, and squares wrap around: convert to float before subtracting. And the peak is the argument, "
            "whatever the dtype"
        )
