"""The untrained networks: what they return, and that the discriminator judges a pair."""

import pytest
import solution
import torch

DRAWS = 30


def images(seed, rows=3, height=12, width=12):
    """Images (N, 1, H, W) in [0, 1]."""
    return torch.rand(rows, 1, height, width, generator=torch.Generator().manual_seed(seed))


def with_weights(network, seed, scale=0.3):
    """The network in evaluation mode with weights that we draw: fresh ones may be zero in places, and hide mistakes."""
    g = torch.Generator().manual_seed(seed)
    weights = {name: scale * torch.randn(value.shape, generator=g) for name, value in network.named_parameters()}
    network.load_state_dict(weights, strict=False)
    network.eval()
    return network


def discriminators(seed, scale=0.3):
    """One discriminator with some draws of its weights, one after the other: with a single draw it may be dead."""
    network = solution.Discriminator()
    for k in range(DRAWS):
        yield with_weights(network, seed + k, scale)


def judge(discriminator, noisy, image):
    """Logits (N, anything) of the candidate's discriminator."""
    try:
        logits = discriminator(noisy, image)
    except Exception as error:
        pytest.fail(
            f"Discriminator.forward raised {type(error).__name__}: {str(error)[:300]}\nIt is called with two batches "
            f"of images, noisy and image, both {tuple(noisy.shape)}."
        )
    assert isinstance(logits, torch.Tensor), "the discriminator must return a tensor of logits"
    assert logits.ndim >= 1, "the logits have N rows: one score, or a map of scores, for each image"
    assert len(logits) == len(image), f"{len(image)} images gave logits of shape {tuple(logits.shape)}; N comes first"
    return logits


@pytest.mark.points(3)
def test_generator_keeps_the_shape(seed):
    """The generator returns images (N, 1, H, W) of the size that it got, for several sizes"""
    generator = with_weights(solution.Generator(), seed)
    for rows, height, width in [(1, 12, 12), (3, 16, 8), (2, 20, 24)]:
        noisy = images(seed, rows, height, width)
        denoised = generator(noisy)
        assert tuple(denoised.shape) == tuple(noisy.shape), (
            f"{tuple(noisy.shape)} became {tuple(denoised.shape)}: pad convolutions, undo strides"
        )
        assert denoised.dtype == torch.float32, "the images are float32"


@pytest.mark.points(2)
def test_generator_stays_in_range(seed):
    """The generator's images stay in [0, 1], whatever its weights"""
    for scale in (0.1, 1.0, 3.0):
        denoised = with_weights(solution.Generator(), seed, scale)(images(seed))
        low, high = denoised.min().item(), denoised.max().item()
        assert low >= 0, f"with some weights the output goes down to {low:.3g}; it has to stay in [0, 1]"
        assert high <= 1, f"with some weights the output goes up to {high:.3g}; it has to stay in [0, 1]"


@pytest.mark.points(3)
def test_discriminator_returns_raw_scores(seed):
    """The discriminator returns logits of either sign, not probabilities"""
    noisy, image = images(seed, rows=8), images(seed + 1, rows=8)
    scores = torch.cat([judge(network, noisy, image).flatten() for network in discriminators(seed, scale=1.0)])
    assert (scores < 0).any(), (
        f"for {DRAWS} draws of its weights all scores lie between {scores.min().item():.3g} and "
        f"{scores.max().item():.3g}, none below 0. The losses take logits, and a fake that is found out has a negative "
        "one: no sigmoid and no ReLU after the last layer"
    )


@pytest.mark.points(5)
def test_discriminator_sees_both_images(seed):
    """The scores change with the image, and with the noisy image that it is said to come from"""
    noisy, image, other = images(seed), images(seed + 1), images(seed + 2)
    of_image = of_noisy = 0.0
    for discriminator in discriminators(seed):
        before = judge(discriminator, noisy, image)
        of_image = max(of_image, (judge(discriminator, noisy, other) - before).abs().max().item())
        of_noisy = max(of_noisy, (judge(discriminator, other, image) - before).abs().max().item())
    assert of_image > 1e-5, "another image beside the same noisy one got the same scores"
    assert of_noisy > 1e-5, (
        "another noisy image got the same scores: the discriminator is not conditional. It could not tell a denoised "
        "image of the right scene from one of another scene"
    )


@pytest.mark.points(2)
def test_gradient_reaches_the_judged_image(seed):
    """The gradient of the scores reaches the judged image, which is how the generator learns"""
    noisy, total = images(seed), torch.zeros(3)
    for discriminator in discriminators(seed):
        image = images(seed + 1).requires_grad_()
        judge(discriminator, noisy, image).sum().backward()
        assert image.grad is not None, "the scores are cut off from the image: something is detached"
        assert image.grad.isfinite().all(), "the gradient of the image is not finite"
        total += image.grad.abs().sum((1, 2, 3))
    assert (total > 0).all(), f"for {DRAWS} draws of the discriminator's weights, some images get no gradient"
