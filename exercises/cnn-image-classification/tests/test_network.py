"""The untrained network: shapes, normalisation, modes, and that it is a network of convolutions."""

import pytest
import solution
import torch
import weights


def pictures(seed, rows=6, channels=2, height=9, width=12):
    """Raw images (B, C, H, W), float32, whose channels have very different units."""
    g = torch.Generator().manual_seed(seed)
    unit = torch.tensor([40.0, 0.01, 3.0])[:channels].view(-1, 1, 1)
    return unit * (torch.randn(rows, channels, height, width, generator=g) + 5)


def make(*arguments):
    """The candidate's CNN, or a failure that says how it was made."""
    try:
        return solution.CNN(*arguments)
    except Exception as error:
        pytest.fail(f"CNN{arguments} raised {type(error).__name__}: {str(error)[:300]}")


def network(seed, classes=5, dropout=0.5):
    """A CNN for 2 x 9 x 12 with weights that we draw, in evaluation mode. Fresh weights may be zero in places."""
    model = make(2, (9, 12), classes, dropout)
    model.load_state_dict(weights.drawn(model, seed + 1), strict=False)
    model.eval()
    return model


def normalized(seed, classes=5, dropout=0.5):
    """Such a network whose statistics are those of other images, and images for it."""
    model = network(seed, classes, dropout)
    model.fit_normalization(pictures(seed + 2, rows=20))
    return model, pictures(seed)


def classify(model, images):
    """Logits, or a failure that says what was called."""
    try:
        return model(images).detach()
    except Exception as error:
        pytest.fail(f"CNN.forward raised {type(error).__name__} for {tuple(images.shape)}: {str(error)[:300]}")


@pytest.mark.points(3)
def test_returns_logits_for_any_image_size():
    """The logits are (B, classes) float32 for any number of channels and any size from 8 x 8, odd and not square too"""
    for channels, size, classes, rows in [
        (1, (8, 8), 10, 3),
        (3, (9, 13), 4, 1),
        (2, (15, 8), 2, 5),
        (1, (20, 17), 7, 2),
    ]:
        model = make(channels, size, classes)
        model.eval()
        logits = classify(model, torch.randint(256, (rows, channels, *size), dtype=torch.uint8))
        assert tuple(logits.shape) == (rows, classes), (
            f"CNN({channels}, {size}, {classes}) on {rows} images must give logits {(rows, classes)}; pooling rounds "
            "odd sizes down, and the linear layer has to count with that"
        )
        assert logits.dtype == torch.float32, "images may be uint8, logits are float32"


@pytest.mark.points(2)
def test_is_built_of_its_own_convolutions():
    """At least two layers of the network are instances of Conv2d"""
    count = sum(isinstance(module, solution.Conv2d) for module in make(1, (8, 8), 10).modules())
    assert count >= 2, f"{count} of the network's layers are your Conv2d, at least two are needed (registered, no list)"


@pytest.mark.points(2)
def test_every_parameter_is_trained(seed):
    """Each parameter gets a gradient from the loss"""
    model, images = normalized(seed)
    logits = model(images)
    torch.nn.functional.cross_entropy(logits, torch.arange(6) % 5).backward()
    dead = [name for name, value in model.named_parameters() if value.grad is None or (value.grad == 0).all()]
    assert not dead, f"no gradient reaches {dead}: a layer is not used, or something is detached"


@pytest.mark.points(2)
def test_logits_are_raw_scores(seed):
    """The logits are scores before softmax and of both signs, as cross_entropy takes them"""
    logits = classify(*normalized(seed, classes=40))  # with so many some are negative, whatever the weights
    assert not torch.allclose(logits.sum(1), torch.ones(6), atol=1e-4), (
        "forward returns probabilities; cross_entropy applies log-softmax itself, and two of them squash the gradients"
    )
    assert not torch.allclose(logits.exp().sum(1), torch.ones(6), atol=1e-4), "forward returns log-probabilities"
    assert (logits < 0).any(), "no logit is negative: is there an activation after the last layer?"


@pytest.mark.points(2)
def test_is_not_linear(seed):
    """The logits of a sum of images are not the sum of theirs, not even where pooling has nothing to choose"""

    def parts(model, a, b):
        """Logits of the images a, and what is missing for those of a + b to be the sum of those of a and b."""
        logits = classify(model, a)
        rest = logits + classify(model, b) - classify(model, a + b) - classify(model, torch.zeros_like(a))
        return logits, rest.abs().max().item()

    model = network(seed)
    g = torch.Generator().manual_seed(seed + 3)
    logits, rest = parts(model, *torch.randn(2, 6, 2, 9, 12, generator=g).unbind(0))
    assert rest > 0.01 * logits.std().item(), "the network is one linear map: activations are missing"
    model.load_state_dict(weights.centred(weights.drawn(model, seed + 1)), strict=False)
    colours = 3 * torch.randn(2, 16, 2, 1, 1, generator=g)
    logits, rest = parts(model, *colours.expand(2, 16, 2, 9, 12).contiguous().unbind(0))
    spread = logits.std(0).max().item()  # 0 where each image is normalised by itself: then this says nothing
    assert not (spread > 1e-3 * logits.std().item() and rest <= 0.01 * spread), (
        "on images of one colour each, where pooling has nothing to choose, the network is one linear map: pooling is "
        "no activation; put one (ReLU, say) between the convolutions"
    )


@pytest.mark.points(3)
def test_network_keeps_images_apart(seed):
    """In evaluation mode an image alone gets the same logits as in a batch"""
    model, images = normalized(seed)
    together = classify(model, images)
    assert not torch.allclose(together, together[:1].expand_as(together), atol=1e-5), "all images got the same logits"
    for row in range(6):
        alone = classify(model, images[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-4), (
            "the logits depend on the other images of the batch: batch norm must use running statistics in evaluation "
            "mode, normalisation those of the training images, and flattening starts at dim 1"
        )


@pytest.mark.points(3)
def test_dropout_acts_in_training_only(seed):
    """With dropout 0.5 two passes differ in training mode only; with 0 they agree, and nothing is dropped"""
    model, images = normalized(seed)
    assert torch.equal(classify(model, images), classify(model, images)), "in evaluation mode nothing may be random"
    model.train()
    assert not torch.allclose(classify(model, images), classify(model, images)), (
        "in training mode with dropout 0.5 two passes gave the same logits"
    )
    model, images = normalized(seed, dropout=0.0)
    model.train()
    logits = classify(model, images)
    assert torch.allclose(logits, classify(model, images), atol=1e-4), (
        "with dropout 0 two passes in training mode must agree: pass the argument on"
    )
    assert not torch.allclose(logits, logits[:1].expand_as(logits), rtol=0, atol=1e-6), (
        "with dropout 0, in training mode, all images got the same logits: `dropout` is the probability with which a "
        "value is dropped, as in nn.Dropout, not the one with which it is kept"
    )


@pytest.mark.points(3)
def test_statistics_are_per_channel():
    """fit_normalization sets each channel's mean and population std (C,), uint8 too; a constant channel gets std 1"""
    images = torch.randint(256, (7, 3, 8, 10), dtype=torch.uint8)
    images[:, 1] = 9
    model = make(3, (8, 10), 4)
    model.fit_normalization(images)
    std, mean = torch.std_mean(images.double(), dim=(0, 2, 3), correction=0)
    std[1] = 1
    for name, mine, expected in [("mean", model.mean, mean), ("std", model.std, std)]:
        assert tuple(mine.shape) == (3,), f"{name} must be (C,) = (3,)"
        assert torch.allclose(mine.double(), expected, rtol=1e-4), (
            f"{name} is {mine.tolist()}, not {expected.tolist()}: over images, rows and columns, per channel"
        )


@pytest.mark.points(3)
def test_forward_normalizes(seed):
    """A fresh model on normalised images agrees with a fitted one on raw images"""
    fitted, images = normalized(seed)
    std, mean = torch.std_mean(pictures(seed + 2, rows=20).double(), dim=(0, 2, 3), correction=0)
    scaled = (images - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    assert torch.allclose(classify(fitted, images), classify(network(seed), scaled.float()), rtol=1e-3, atol=1e-3), (
        "forward takes raw images and applies (images - mean) / std, with the mean 0 and the std 1 of a fresh model"
    )


@pytest.mark.points(3)
def test_statistics_are_saved_with_the_weights(seed):
    """A fresh model that loads the state_dict of a fitted one gives the same logits"""
    fitted, images = normalized(seed)
    other = make(2, (9, 12), 5, 0.5)
    other.load_state_dict(fitted.state_dict())
    other.eval()
    assert torch.allclose(classify(fitted, images), classify(other, images), atol=1e-5), (
        "the statistics got lost on the way: register mean and std as buffers, so that they travel with the weights"
    )
