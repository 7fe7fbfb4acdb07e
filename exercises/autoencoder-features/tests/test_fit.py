"""What a training without labels is worth, measured on images that it never had.

Training images go to the candidate's code, and codes and restored images come back. Errors, principal components and
the probe that reads the classes off the codes are the judge's. Each grading turns and mirrors the digits and shows them
in a unit of its own.
"""

from types import SimpleNamespace

import pytest
import solution
import torch
from digits import CODE, HEIGHT, PCA, WIDTH, digits, mean_error, uniform
from torch.nn import functional

from grader.suite import in_guest, threshold

MASKED = 0.4


def fit(images, seed, p=0.0):
    """An autoencoder that the candidate's code fitted to the images."""
    try:
        if p:
            return solution.fit_autoencoder(images, CODE, seed % 1000, p)
        return solution.fit_autoencoder(images, CODE, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit_autoencoder raised {type(error).__name__}: {str(error)[:300]}")


def encode(model, images):
    """The codes, checked for their shape and cut off from the graph."""
    codes = model.encode(images)
    assert tuple(codes.shape) == (len(images), CODE), f"encode must return (B, n_code), not {tuple(codes.shape)}"
    return codes.detach()


def checked(images, rows):
    """Restored images, checked for their shape and cut off from the graph."""
    assert tuple(images.shape) == (rows, HEIGHT, WIDTH), (
        f"restored images are {tuple(images.shape)}, expected (B, H, W)"
    )
    return images.detach()


def small(seed, count=200):
    """Some training images and some unseen ones, in a unit."""
    x, _, unseen, _ = digits(seed)
    return 80 * x[:count] + 20, 80 * unseen[:50] + 20


def nearest_on_manifold(decode, images, codes, spread, steps=8):
    """Squared error (B, pixels) of the best images that decode can make, searched from the codes given.

    Levenberg's method with finite differences: only codes of ours go to decode, never the images.
    """
    damping = torch.full((len(images), 1, 1), 1e-2, dtype=torch.float64)
    moves = torch.diag(1e-2 * spread)
    gap = decode(codes) - images
    for _ in range(steps):
        moved = decode((codes.unsqueeze(1) + moves).flatten(0, 1)).unflatten(0, (len(codes), -1))
        slopes = (moved - (gap + images).unsqueeze(1)).double()
        square = slopes @ slopes.transpose(1, 2)
        scale = torch.diag_embed(square.diagonal(dim1=1, dim2=2) + 1e-12)
        step = torch.linalg.solve(square + damping * scale, slopes @ gap.double().unsqueeze(2)).squeeze(2)
        tried = codes - step.to(codes.dtype) @ moves
        new = decode(tried) - images
        better = new.square().sum(1, keepdim=True) < gap.square().sum(1, keepdim=True)
        codes, gap = torch.where(better, tried, codes), torch.where(better, new, gap)
        damping = torch.where(better.unsqueeze(2), damping / 5, damping * 8)
    return gap.square()


def accuracy_with_few_labels(codes, labels, unseen, answers, seed, per_class=10, draws=20):
    """Accuracy of a linear probe (ridge regression on standardised codes), a mean over draws of the labelled few."""
    g = torch.Generator().manual_seed(seed)
    correct = []
    for _ in range(draws):
        rows = torch.cat(
            [
                r[torch.randperm(len(r), generator=g)[:per_class]]
                for r in ((labels == c).nonzero()[:, 0] for c in range(10))
            ]
        )
        x = codes[rows].double()
        mean, std = x.mean(0), x.std(0) + 1e-9
        x, y = (x - mean) / std, functional.one_hot(labels[rows], 10).double()
        weight = torch.linalg.solve(x.T @ x / len(x) + 0.01 * torch.eye(x.shape[1]), x.T @ (y - 0.1) / len(x))
        correct.append(((((unseen.double() - mean) / std) @ weight).argmax(1) == answers).double().mean())
    return torch.stack(correct).mean().item()


@pytest.fixture(scope="module")
def learnt(seed):
    """What one fit to 1200 images knows of about 600 others; plain numbers, in units of the ink."""
    g = torch.Generator().manual_seed(seed + 1)
    x, y, unseen, answers = digits(seed)
    unit, offset = uniform(g, 20, 250).item(), uniform(g, -100, 100).item()
    model = fit(unit * x + offset, seed)
    codes, unseen_codes = encode(model, unit * x + offset), encode(model, unit * unseen + offset)
    pca = PCA(x, CODE)

    never_sent = unseen[:60].flatten(1)
    start = codes[torch.cdist(never_sent, x.flatten(1)).argmin(1)]
    shown = unseen[60:]

    def decode(some):
        return (checked(model.decode(some), len(some)).flatten(1) - offset) / unit

    restored = (checked(model(unit * shown + offset), len(shown)) - offset) / unit
    reachable = nearest_on_manifold(decode, never_sent, start, codes.std(0))
    return SimpleNamespace(
        error=mean_error(restored, shown) / mean_error(pca.restore(shown), shown),
        reachable=reachable.mean().item() / mean_error(pca.restore(unseen[:60]), unseen[:60]),
        accuracy=accuracy_with_few_labels(codes, y, unseen_codes, answers, seed)
        / accuracy_with_few_labels(pca.encode(x), y, pca.encode(unseen), answers, seed),
    )


@pytest.mark.points(8)
def test_restores_unseen_images(learnt):
    """On unseen images the squared error is at most 80% of that of as many principal components"""
    assert threshold("squared error on unseen images, as a share of PCA's", learnt.error, at_most=0.8), (
        f"your error is {learnt.error:.0%} of that of {CODE} principal components, at most 80% is needed. A linear "
        "network gets 100% at best. Are the images scaled, and scaled back? Can the output reach their values? Was it "
        "trained for long enough?"
    )


@pytest.mark.points(5)
def test_decoder_reaches_images_it_was_never_shown(learnt):
    """For each unseen image there is a code from which decode makes nearly that image"""
    assert threshold("squared error of the best codes, as a share of PCA's", learnt.reachable, at_most=0.8), (
        f"the best image that decode makes of any code differs from the unseen one by {learnt.reachable:.0%} of what "
        f"{CODE} principal components leave, at most 80% is allowed: decode must turn codes between those of the "
        "training images into images between them"
    )


@pytest.mark.points(5)
def test_codes_tell_the_classes_apart(learnt):
    """A linear probe with ten labels per class is at least 88% as accurate on the codes as on principal components"""
    assert threshold("accuracy on the codes, as a share of that on PCA's", learnt.accuracy, at_least=0.88), (
        f"the probe is {learnt.accuracy:.0%} as accurate on your codes as on {CODE} principal components, at least 88% "
        "is needed. Was the encoder trained, or only the decoder? Do some numbers of the code say nothing?"
    )


@pytest.mark.points(6)
def test_fills_in_masked_pixels(seed):
    """Trained with p = 0.4, the error on unseen images with masked pixels is at most 71% of that of PCA"""
    g = torch.Generator().manual_seed(seed + 2)
    x, _, unseen, _ = digits(seed + 10)
    unit = uniform(g, 20, 250).item()
    masked = unseen * (torch.rand(unseen.shape, generator=g) >= MASKED)
    restored = checked(fit(unit * x, seed, MASKED)(unit * masked), len(unseen)) / unit
    error = mean_error(restored, unseen) / mean_error(PCA(x, CODE).restore(masked), unseen)
    assert threshold("squared error after masking, as a share of PCA's", error, at_most=0.71), (
        f"your error is {error:.0%} of that of {CODE} principal components, at most 71% is needed. In training the "
        "input is corrupted anew in each step, and the output is compared with the clean image"
    )


@in_guest
def watched_fit(images, n_code, seed, p):
    """Fit, and note of each call of corrupt how many images it was given, their mean, and where zeros came out."""
    kept, calls = solution.corrupt, []

    def watched(images, p, generator):
        mean = images.double().mean().item()
        found = kept(images, p, generator)
        calls.append((len(images), mean, hash(tuple((found == 0).flatten().tolist()))))
        return found

    solution.corrupt = watched
    try:
        solution.fit_autoencoder(images, n_code, seed, p)
    finally:
        solution.corrupt = kept
    return calls


@pytest.fixture(scope="module")
def corruption(seed):
    """What fit_autoencoder gave to corrupt, for images that are all far from 0."""
    images = small(seed + 4)[0] + 180
    try:
        calls = watched_fit(images, CODE, seed % 1000, MASKED)
    except Exception as error:
        pytest.fail(f"fit_autoencoder raised {type(error).__name__}: {str(error)[:300]}")
    assert calls, f"with p = {MASKED}, fit_autoencoder never called corrupt by its name in your module"
    return SimpleNamespace(calls=calls, images=images, rows=sum(rows for rows, _, _ in calls))


@pytest.mark.points(2)
def test_masks_are_drawn_anew_in_each_step(corruption):
    """With p > 0, fit_autoencoder calls corrupt for the images of each step, and masks other pixels each time"""
    rows, count = corruption.rows, len(corruption.images)
    assert rows >= 3 * count, (
        f"corrupt was given {rows} images in the whole training on {count} images: masks that are drawn once are "
        "learnt by heart. Corrupt the images of each step"
    )
    masks = {mask for _, _, mask in corruption.calls}
    assert len(masks) > len(corruption.calls) / 2, (
        f"{len(corruption.calls)} calls of corrupt gave {len(masks)} different masks: is the generator made anew, with "
        "the same seed, for each of them?"
    )


@pytest.mark.points(2)
def test_images_are_masked_in_their_own_unit(corruption):
    """A masked pixel is 0 in the unit in which the images came, not after scaling"""
    found = sum(rows * mean for rows, mean, _ in corruption.calls) / corruption.rows
    expected = corruption.images.mean().item()
    assert abs(found - expected) < 30, (
        f"the images that corrupt was given have a mean of {found:.3g}, those of fit_autoencoder have {expected:.3g}. "
        "Corrupt first and scale then: 0 after scaling is another value, such as the smallest or the mean one"
    )


@pytest.mark.points(3)
def test_decode_needs_the_code_only(seed):
    """Codes give the same images in another order, in smaller batches, and after other images were encoded"""
    x, unseen = small(seed)
    model = fit(x, seed)
    expected = checked(model(unseen), len(unseen))
    codes = encode(model, unseen)
    encode(model, x[:7])
    try:
        shuffled = checked(model.decode(codes.flip(0)), len(codes)).flip(0)
        pieces = torch.cat([checked(model.decode(part), len(part)) for part in codes.split(17)])
    except Exception as error:
        pytest.fail(f"decode raised {type(error).__name__} for codes that encode had given: {str(error)[:300]}")
    for found, how in [(shuffled, "in another order"), (pieces, "in pieces")]:
        assert torch.allclose(found, expected, atol=0.05), (
            f"the same codes, decoded {how} after another encode, give other images: decode uses something that encode "
            "left behind in the model. A code has to be enough"
        )


@pytest.mark.points(2)
def test_each_image_is_encoded_for_itself(seed):
    """An image alone has the code and the restored image that it has in a batch, each time"""
    x, unseen = small(seed + 1)
    model = fit(x, seed)
    together, restored = encode(model, unseen[:6]), checked(model(unseen[:6]), 6)
    spread = together.std(0).clamp(min=1e-3 * together.abs().max())  # a number may be the same for all six
    for row in range(6):
        alone = encode(model, unseen[row : row + 1])[0]
        assert torch.allclose(alone / spread, together[row] / spread, atol=1e-2), (
            "an image alone has another code than in a batch: scale with the numbers of the training images, and "
            "return the model in eval mode"
        )
        assert torch.allclose(checked(model(unseen[row : row + 1]), 1)[0], restored[row], atol=0.5), (
            "an image alone is restored otherwise than in a batch"
        )


@pytest.mark.points(2)
def test_same_seed_same_model(seed):
    """The same images and seed give the same codes, another seed gives others"""
    x, unseen = small(seed + 2, count=150)
    first, again, other = (encode(fit(x, s), unseen) for s in (seed, seed, seed + 1))
    assert torch.allclose(first, again, atol=1e-3 * first.std().item()), (
        "two fits with the same seed gave different models: everything random must follow from seed"
    )
    assert not torch.allclose(first, other, atol=0.1 * first.std().item()), "another seed gave the same model"


@pytest.mark.points(2)
def test_constant_pixels_do_no_harm(seed):
    """Pixels that never vary in training give finite images, and restore well when they later vary a little"""
    x, unseen = small(seed + 3)
    x, unseen = x.clone(), unseen.clone()
    for images in (x, unseen):
        images[:, 0], images[:, :, -1] = 20.0, 60.0
    model = fit(x, seed)
    plain = checked(model(unseen), len(unseen))
    assert plain.isfinite().all(), "a pixel that is constant in training has no spread: do not divide by 0"
    varied = unseen.clone()
    varied[:, 0] += 0.4 * torch.randn(len(unseen), WIDTH)
    varied[:, :, -1] += 0.4 * torch.randn(len(unseen), HEIGHT)
    factor = mean_error(checked(model(varied), len(unseen)), unseen) / mean_error(plain, unseen)
    assert threshold("error after constant pixels varied by 0.5%, as a multiple", factor, at_most=1.5), (
        f"after the constant pixels varied by 0.5% of the range, the error is {factor:.3g} times as large, at most 1.5 "
        "times is allowed: dividing by a spread of almost 0 blows the smallest change up"
    )
