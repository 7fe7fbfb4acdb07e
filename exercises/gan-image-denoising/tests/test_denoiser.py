"""What a fitted denoiser does to images that it was never given.

The judge draws the images and the noise, keeps the unseen ones, and measures here. Each seed sees the digits its own
way round, and one test asks for other tones on the clean side: what helps is what was learnt from the pairs.
"""

import pytest
import solution
import torch
from scenes import World, best_filter, decibels, median, sharpness, variety

from grader.suite import in_guest, threshold

PAIRS, STEPS, UNSEEN = 1000, 200, 300

# Decibels. Over many seeds a plain U-Net gains 7.3 to 8 over the noisy image, the best filter 4.6 to 5; margins.md has
# the worst of the correct and the best of the wrong solutions.
GAIN, OVER_FILTER, CLEAN, LIGHT, TONES = 5.5, 0.7, 20.7, 3.4, 1.0


def fit(noisy, clean, steps, seed):
    """A denoiser that the candidate's code fitted to the pairs."""
    try:
        return solution.fit_denoiser(noisy, clean, steps, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit_denoiser raised {type(error).__name__}: {str(error)[:300]}")


def denoise(model, noisy):
    """The denoised images, checked for their form."""
    images = model.denoise(noisy)
    assert isinstance(images, torch.Tensor), f"denoise must return a tensor, not {type(images).__name__}"
    assert tuple(images.shape) == tuple(noisy.shape), f"{tuple(noisy.shape)} became {tuple(images.shape)}"
    assert images.isfinite().all(), "denoise returned NaN or inf"
    return images.detach()


def hint(denoised, clean, otherwise):
    """What a low psnr may come from: all images became much the same, or something else."""
    share = variety(denoised) / variety(clean)
    if share > 0.2:
        return otherwise
    return (
        f"The denoised images differ from each other {share:.0%} as much as the clean ones: much the same image comes "
        "out, whatever goes in. Does the output depend on the input at all? Or did the training blow up, so that the "
        "last layer saturates? Then try a lower learning rate"
    )


class Trial:
    """One fit for many tests: what it made of unseen images, all of it plain tensors."""

    def __init__(self, seed):
        world = World(seed)
        pairs = world.clean(PAIRS)
        model = fit(world.noisy(pairs), pairs, STEPS, seed)
        self.clean = world.clean(UNSEEN)
        self.noisy = world.noisy(self.clean)
        self.light = world.noisy(self.clean, sigma=0.1, share=0.05)
        self.raw = model.denoise(self.noisy[:4])
        self.denoised = denoise(model, self.noisy)
        self.of_light, self.of_clean = denoise(model, self.light), denoise(model, self.clean)
        self.alone = torch.cat([denoise(model, image.unsqueeze(0)) for image in self.noisy[:5]])
        self.again = denoise(model, self.noisy)


@pytest.fixture(scope="module")
def trial(seed):
    return Trial(seed)


@pytest.mark.points(2)
def test_form_of_denoised_images(trial):
    """denoise returns float32 images of the same shape in [0, 1], without a graph"""
    assert trial.raw.dtype == torch.float32, f"denoise returned {trial.raw.dtype}"
    assert not trial.raw.requires_grad, "denoise keeps the graph of its computation: use torch.no_grad()"
    low, high = trial.denoised.min().item(), trial.denoised.max().item()
    assert low >= 0, f"pixels go down to {low:.3g}; all must be in [0, 1]"
    assert high <= 1, f"pixels go up to {high:.3g}; all must be in [0, 1]"


@pytest.mark.points(3)
def test_images_are_denoised_one_by_one(trial):
    """An image gets the same result alone and in a batch, and each time"""
    assert torch.allclose(trial.denoised, trial.again, atol=1e-5), (
        "the same images came out differently the second time: is dropout on, or do statistics still move? Use eval()"
    )
    assert torch.allclose(trial.denoised[:5], trial.alone, atol=1e-5), (
        "an image came out differently alone than in a batch: in training mode batch norm mixes the images; use eval()"
    )


@pytest.mark.points(6)
def test_gains_over_the_noisy_image(trial):
    """On unseen images the psnr is at least 5.5 dB higher than that of the noisy images"""
    gain = decibels(trial.denoised, trial.clean) - decibels(trial.noisy, trial.clean)
    assert threshold("gain over the noisy image in dB", gain, at_least=GAIN), (
        f"denoising changed the psnr of unseen images by {gain:.1f} dB, at least +{GAIN} are needed. "
        + hint(
            trial.denoised,
            trial.clean,
            "Does the L1 distance go to the clean image? Do noisy and clean rows stay paired? Is the weight of L1 high "
            "enough?",
        )
    )


@pytest.mark.points(6)
def test_beats_the_best_filter(trial):
    """On unseen images the psnr is at least 0.7 dB higher than that of the best median or Gaussian filter"""
    best = best_filter(trial.noisy, trial.clean)
    found = decibels(trial.denoised, trial.clean)
    assert threshold("lead over the best filter in dB", found - best, at_least=OVER_FILTER), (
        f"you reach {found:.1f} dB, a filter that learns nothing {best:.1f} dB; at least {OVER_FILTER} dB more are "
        "needed. " + hint(trial.denoised, trial.clean, "What a digit looks like has to be learnt from the clean images")
    )


@pytest.mark.points(4)
def test_spares_clean_images(trial):
    """An image without noise comes out with a psnr of at least 20.7 dB"""
    found = decibels(trial.of_clean, trial.clean)
    assert threshold("psnr of clean images in dB", found, at_least=CLEAN), (
        f"unseen images without any noise come out with {found:.1f} dB, at least {CLEAN} are needed (a median filter: "
        f"{decibels(median(trial.clean), trial.clean):.1f}). "
        + hint(trial.of_clean, trial.clean, "What is clean has to stay as it is: are the strokes smoothed away?")
    )


@pytest.mark.points(4)
def test_works_for_lighter_noise(trial):
    """With half of the noise, which it never saw, the psnr is at least 3.4 dB higher than that of the noisy images"""
    gain = decibels(trial.of_light, trial.clean) - decibels(trial.light, trial.clean)
    assert threshold("gain for lighter noise in dB", gain, at_least=LIGHT), (
        f"with half of the noise, denoising changed the psnr by {gain:.1f} dB, at least +{LIGHT} are needed. "
        + hint(trial.of_light, trial.clean, "Does the result follow its input, or the noise seen in training only?")
    )


@pytest.mark.points(3)
def test_neither_blurs_nor_leaves_noise(trial):
    """Neighbouring pixels differ on average between 70% and 140% as much as in the clean images"""
    share = sharpness(trial.denoised) / sharpness(trial.clean)
    assert threshold("sharpness, lower bound", share, at_least=0.7), (
        f"neighbouring pixels differ {share:.0%} as much as in the clean images, at least 70% are needed. "
        + hint(trial.denoised, trial.clean, "This is a blur")
    )
    assert threshold("sharpness, upper bound", share, at_most=1.4), (
        f"neighbouring pixels differ {share:.0%} as much as in the clean images, at most 140% may: noise is left"
    )


@pytest.mark.points(4)
def test_learns_the_tones_of_the_clean_side(seed):
    """Fitted to pairs whose clean side has other tones, it returns those tones"""
    world = World(seed + 1)
    draws = torch.rand(2, generator=world.g).tolist()
    low, contrast = 0.25 + 0.1 * draws[0], 0.4 + 0.1 * draws[1]
    pairs = world.clean(PAIRS)
    model = fit(world.noisy(pairs), low + contrast * pairs, STEPS, seed)
    clean = world.clean(UNSEEN)
    noisy, target = world.noisy(clean), low + contrast * clean
    denoised = denoise(model, noisy)
    lead = decibels(denoised, target) - decibels(low + contrast * noisy, target)
    assert threshold("lead over noisy images in the right tones in dB", lead, at_least=TONES), (
        f"fitted to pairs whose clean side is {low:.2f} + {contrast:.2f} * scene, it comes {lead:+.1f} dB closer to "
        f"that than the noisy image in these tones, at least +{TONES} are needed. "
        + hint(denoised, target, "What to return is learnt from the pairs, not known beforehand")
    )


@in_guest
def watched_fit(noisy, clean, steps, seed):
    """Fit and watch train_step: the number of calls, whether each network is the model's, whether each changed."""
    kept, calls = solution.train_step, []

    def values(network):
        return [parameter.detach().clone() for parameter in network.parameters()]

    def changed(before, network):
        return any(bool((one != other).any()) for one, other in zip(before, network.parameters(), strict=True))

    def watched(generator, discriminator, *args, **kwargs):
        if not calls:
            calls.append((generator, discriminator, values(generator), values(discriminator)))
        else:
            calls.append(None)
        return kept(generator, discriminator, *args, **kwargs)

    solution.train_step = watched
    try:
        model = solution.fit_denoiser(noisy, clean, steps, seed)
    finally:
        solution.train_step = kept
    if not calls:
        return 0, False, False, False, False
    generator, discriminator, g_before, d_before = calls[0]
    ours = model.generator is generator, model.discriminator is discriminator
    return len(calls), *ours, changed(g_before, generator), changed(d_before, discriminator)


@pytest.mark.points(3)
def test_fit_trains_with_train_step(seed):
    """fit_denoiser calls train_step exactly `steps` times, on the generator and discriminator that it returns"""
    world = World(seed + 2)
    pairs = world.clean(50)
    for steps in (3, 8):
        try:
            told = watched_fit(world.noisy(pairs), pairs, steps, seed % 1000)
        except Exception as error:
            pytest.fail(f"fit_denoiser raised {type(error).__name__}: {str(error)[:300]}")
        count, generator_is_ours, discriminator_is_ours, generator_learns, discriminator_learns = told
        assert count == steps, f"with steps = {steps} and 50 pairs, train_step was called {count} times"
        assert generator_is_ours, "the returned model's `generator` is not the one that was trained"
        assert discriminator_is_ours, "the returned model's `discriminator` is not the one that was trained"
        assert generator_learns, "the generator's weights are the same after the training"
        assert discriminator_learns, "the discriminator's weights are the same after the training"


@in_guest
def idle_fit(noisy, clean, steps, seed):
    """Fit with a train_step that does nothing but return losses; each parameter of both networks, as two numbers."""
    import random

    import torch

    torch.manual_seed(seed)
    kept = solution.train_step
    solution.train_step = lambda *args, **kwargs: (random.uniform(0.6, 0.8), random.uniform(4.0, 8.0))
    try:
        model = solution.fit_denoiser(noisy, clean, steps, seed)
    finally:
        solution.train_step = kept
    return [
        [(p.detach().double().sum().item(), p.detach().double().norm().item()) for p in network.parameters()]
        for network in (model.generator, model.discriminator)
    ]


@pytest.mark.points(3)
def test_learns_by_train_step_alone(seed):
    """If train_step does nothing, the networks' parameters are the same for other pairs"""
    world = World(seed + 4)
    pairs = world.clean(50)
    noisy = world.noisy(pairs)
    try:
        first, other = (idle_fit(*given, 20, seed % 1000) for given in [(noisy, pairs), (1 - noisy, 0.8 - 0.4 * pairs)])
    except Exception as error:
        pytest.fail(f"fit_denoiser raised {type(error).__name__}: {str(error)[:300]}")
    for name, one, two in zip(("generator", "discriminator"), first, other, strict=True):
        assert torch.tensor(one).shape == torch.tensor(two).shape, f"the {name} has other parameters for other pairs"
        assert torch.allclose(torch.tensor(one), torch.tensor(two), rtol=1e-4, atol=1e-4), (
            f"with a train_step that does nothing, the {name} has other parameters for other pairs: it learns from "
            "them outside of train_step, where nobody judges what it makes"
        )


@pytest.mark.points(2)
def test_same_seed_same_denoiser(seed):
    """Fitting twice with the same pairs and seed gives the same denoiser"""
    world = World(seed + 3)
    pairs = world.clean(64)
    noisy = world.noisy(pairs)
    first, second = (denoise(fit(noisy, pairs, 4, seed), noisy[:5]) for _ in range(2))
    assert torch.allclose(first, second, atol=1e-4), (
        "the same pairs and seed gave two denoisers: seed everything random before the networks are made"
    )
