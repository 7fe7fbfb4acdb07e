"""What the generator makes, judged against digits that it never saw, and against those that it did see.

The generator's images come from noise of the judge's; `sample` is judged by the same measures.
"""

from types import SimpleNamespace

import pytest
import solution
import torch
from digits import Digits
from torch import nn

from grader.suite import threshold

STEPS = 2000


@pytest.fixture(scope="module")
def trained(seed):
    """The digits, the generator after the whole training, its images (M, 8, 8) for our noise, and its samples."""
    digits = Digits(seed)
    try:
        generator = solution.fit_gan(digits.train, STEPS, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit_gan raised {type(error).__name__}: {str(error)[:400]}")
    g = torch.Generator().manual_seed(seed)
    made = images_of(generator, torch.randn(len(digits.held), generator.noise_size, generator=g))
    return SimpleNamespace(digits=digits, generator=generator, made=made, g=g)


def images_of(generator, noise):
    """The generator's images for this noise, checked for their form."""
    try:
        images = generator(noise).detach()
    except Exception as error:
        pytest.fail(
            f"the generator raised {type(error).__name__} for noise {tuple(noise.shape)}: {str(error)[:300]}\nIs it in "
            "evaluation mode?"
        )
    return checked(images, len(noise))


def checked(images, n):
    """The images, if they are n finite ones of float32."""
    assert isinstance(images, torch.Tensor), f"images must come as a tensor, not {type(images).__name__}"
    assert tuple(images.shape) == (n, 8, 8), f"expected {n} images, (n, 8, 8); got {tuple(images.shape)}"
    assert images.dtype == torch.float32, f"images must be float32, not {images.dtype}"
    assert images.isfinite().all(), "images hold NaN or inf"
    return images.detach()


def sampled(trained, n, seed):
    """n samples, checked for their form."""
    return checked(trained.generator.sample(n, seed), n)


def worse(measure, trained, seed, pick=min):
    """The measure of the images made from our noise or of as many samples, whichever is worse."""
    return pick(measure(trained.made), measure(sampled(trained, len(trained.made), seed % 1000 + 7)))


@pytest.mark.points(1)
def test_fit_gan_returns_a_module(trained):
    """fit_gan returns an nn.Module"""
    assert isinstance(trained.generator, nn.Module), (
        "fit_gan returned something that is no nn.Module: its parameters could be neither listed, nor saved, nor moved"
    )


@pytest.mark.points(2)
def test_images_lie_between_zero_and_one(trained, seed):
    """All pixels of images and samples lie in [0, 1], and most of that range is used"""
    for images in (trained.made, sampled(trained, 200, seed)):
        low, high = images.min().item(), images.max().item()
        assert low >= 0, f"the darkest pixel is {low:.3f}; tanh gives [-1, 1], which has to be scaled back"
        assert high <= 1, f"the brightest pixel is {high:.3f}; the images must lie in [0, 1]"
        assert high - low > 0.5, f"the pixels lie between {low:.2f} and {high:.2f} only; the images are from [0, 1]"


@pytest.mark.points(2)
def test_sample_obeys_its_arguments(trained):
    """sample(n, seed) gives n images; the same seed the same ones, another seed others"""
    for n in (1, 3, 50):
        first, again, other = (sampled(trained, n, number) for number in (5, 5, 6))
        assert torch.allclose(first, again, atol=1e-5), (
            f"sample({n}, seed=5) gave other images the second time: draw the noise with a generator made from seed"
        )
    assert not torch.allclose(first, other, atol=1e-3), f"sample({n}, seed=5) and sample({n}, seed=6) are the same"


@pytest.mark.points(3)
def test_images_do_not_depend_on_their_batch(trained):
    """A row of noise alone gives the same image as in a batch"""
    noise = torch.randn(9, trained.generator.noise_size, generator=trained.g)
    together = images_of(trained.generator, noise)
    for row in range(len(noise)):
        alone = images_of(trained.generator, noise[row : row + 1])
        assert torch.allclose(alone[0], together[row], atol=1e-4), (
            "an image depends on what else is in the batch: with batch normalisation in training mode it does. Return "
            "the generator after eval()"
        )


@pytest.mark.points(7)
def test_samples_look_like_digits(trained, seed):
    """At least 32% of the images are as near to a digit kept back as 95% of the training images are"""
    realism = worse(trained.digits.realism, trained, seed)
    assert threshold("realism", realism, at_least=0.32), (
        f"{realism:.0%} of the samples look like digits of this kind, at least 32% are needed"
    )


@pytest.mark.points(5)
def test_samples_cover_the_digits(trained, seed):
    """At least 37% of the digits kept back have an image that near to them, among as many images"""
    coverage = worse(trained.digits.coverage, trained, seed)
    assert threshold("coverage", coverage, at_least=0.37), (
        f"{coverage:.0%} of the digits kept back have a sample near to them, at least 37% are needed: the generator "
        "makes but a part of what the images show"
    )


@pytest.mark.points(5)
def test_every_class_occurs(trained, seed):
    """Each of the five classes has at least 25% of its due share of the images"""
    rarest = worse(trained.digits.rarest_class, trained, seed)
    assert threshold("share of the rarest class", rarest, at_least=0.25), (
        f"the rarest class has {rarest:.0%} of its due share (a fifth), at least 25% are needed: mode collapse"
    )


@pytest.mark.points(4)
def test_images_are_not_copies(trained, seed):
    """At most 25% of the images are nearly equal to a digit of the data"""
    copies = worse(trained.digits.copies, trained, seed, pick=max)
    assert threshold("copies", copies, at_most=0.25), (
        f"{copies:.0%} of the samples lie within half the usual distance of an image of the data, at most 25% may: "
        "these are copies, with some noise perhaps, not images that a generator made"
    )


@pytest.mark.points(3)
def test_images_are_not_all_the_same(trained, seed):
    """At most 30% of the images are nearly equal to another one"""
    duplicates = worse(trained.digits.duplicates, trained, seed, pick=max)
    assert threshold("duplicates", duplicates, at_most=0.3), (
        f"{duplicates:.0%} of the samples lie within half the usual distance of another sample, at most 30% may: the "
        "generator makes the same few images again and again"
    )


@pytest.mark.points(3)
def test_a_small_change_of_the_noise_is_a_small_change_of_the_image(trained):
    """From one noise to another in 100 steps, no step changes the image by more than 30% of what digits differ by"""
    ends = torch.randn(2, 8, 1, trained.generator.noise_size, generator=trained.g)
    weight = torch.linspace(0, 1, 101).unsqueeze(1)
    images = images_of(trained.generator, ((1 - weight) * ends[0] + weight * ends[1]).flatten(0, 1)).view(8, 101, 64)
    jump = (images[:, 1:] - images[:, :-1]).norm(dim=2).max() / trained.digits.spread
    assert threshold("largest jump", jump.item(), at_most=0.3), (
        f"a hundredth of the way changes the image by {jump.item():.0%} of what two digits differ by: the generator "
        "picks images instead of making them"
    )
