"""Batches, one epoch of training step by step, and the accuracy."""

import pytest
import solution
import torch
import weights

from grader.suite import in_guest

CLASSES, SIZE = 4, (8, 9)


def samples(seed, count):
    """Images (N, 1, H, W) and labels (N,); pixel [0, 0, 0] of an image is its number."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 1, *SIZE, generator=g)
    images[:, 0, 0, 0] = torch.arange(float(count))
    return images, torch.randint(CLASSES, (count,), generator=g)


def batches(images, labels, batch_size, seed):
    """The candidate's batches as a list."""
    try:
        return [(x, y) for x, y in solution.batches(images, labels, batch_size, seed)]
    except Exception as error:
        pytest.fail(f"batches raised {type(error).__name__}: {str(error)[:300]}")


def numbers(pairs):
    """Which images came, in order."""
    return [int(number) for x, _ in pairs for number in x[:, 0, 0, 0]]


def network(seed):
    """A CNN with weights that we draw, the same ones for the same seed."""
    model = solution.CNN(1, SIZE, CLASSES, 0.0)
    model.load_state_dict(weights.drawn(model, seed), strict=False)
    return model


@in_guest
def sgd(model, rate):
    """An optimizer beside the candidate's code."""
    import torch

    return torch.optim.SGD(model.parameters(), lr=rate)


@pytest.mark.points(3)
def test_an_epoch_has_every_sample_once(seed):
    """Each image comes exactly once; all batches are full but the last, which is short where it has to be"""
    for count, size in [(10, 4), (9, 3), (5, 8), (7, 1)]:
        pairs = batches(*samples(seed, count), size, seed)
        assert sorted(numbers(pairs)) == list(range(count)), f"{count} images in batches of {size}: not each came once"
        sizes = [len(x) for x, _ in pairs]
        expected = [size] * (count // size) + [count % size] * (count % size > 0)
        assert sizes == expected, f"{count} images in batches of {size}: the sizes are {sizes}, not {expected}"


@pytest.mark.points(3)
def test_labels_stay_with_their_images(seed):
    """After shuffling each image still has its own label"""
    images, labels = samples(seed, 50)
    for x, y in batches(images, labels, 8, seed):
        rows = x[:, 0, 0, 0].long()
        assert torch.equal(x, images[rows]), "the images came back changed"
        assert torch.equal(y, labels[rows]), "images and labels were shuffled apart: use one order for both"


@pytest.mark.points(3)
def test_order_is_drawn_from_the_seed(seed):
    """The same seed gives the same order, other seeds give others, and none leaves the samples in order"""
    images, labels = samples(seed, 40)
    orders = [numbers(batches(images, labels, 7, s)) for s in (seed, seed, seed + 1, seed + 2)]
    assert orders[0] == orders[1], "the same seed gave two orders"
    assert orders[0] != orders[2] != orders[3], "another seed gave the same order"
    assert list(range(40)) not in orders, "the samples were not shuffled"


def compare_epochs(seed, count, batch_size, epochs):
    """The candidate's train_epoch against our own steps over the candidate's model and batches; both mean losses."""
    images, labels = samples(seed, count)
    images[:, 0, 0, 0] = 0
    theirs, ours = network(seed), network(seed)
    optimizer, own = sgd(theirs, 0.05), torch.optim.SGD(ours.parameters(), lr=0.05)
    theirs.eval()  # train_epoch has to switch to training mode itself
    ours.train()
    for epoch in range(epochs):
        order = batches(images, labels, batch_size, seed + epoch)
        try:
            loss = solution.train_epoch(theirs, optimizer, images, labels, batch_size, seed + epoch)
        except Exception as error:
            pytest.fail(f"train_epoch raised {type(error).__name__}: {str(error)[:300]}")
        total = 0.0
        for x, y in order:
            own.zero_grad()
            one = torch.nn.functional.cross_entropy(ours(x), y)
            one.backward()
            own.step()
            total += one.item() * len(y)
    start = dict(network(seed).named_parameters())
    mine = dict(theirs.named_parameters())
    far = max((mine[name] - value).abs().max().item() for name, value in ours.named_parameters())
    moved = max((value - start[name]).abs().max().item() for name, value in ours.named_parameters())
    return far / moved, loss, total / count


@in_guest
def modes_in_training(images, labels):
    """Whether a small model that comes in evaluation mode is in training mode each time train_epoch calls it."""
    import torch

    class Watching(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))
            self.noticed = []

        def forward(self, x):
            self.noticed.append(self.training)
            return self.scale * x[:, 0, 0, :4]

    model = Watching().eval()
    solution.train_epoch(model, torch.optim.SGD(model.parameters(), lr=0.01), images, labels, 5, 0)
    return model.noticed


@pytest.mark.points(4)
def test_one_step_is_a_step_down_the_cross_entropy(seed):
    """With all samples in one batch an epoch is one step on the mean cross-entropy, in training mode"""
    modes = modes_in_training(*samples(seed, 12))
    assert modes, "train_epoch did not call the model"
    assert all(modes), "the model came in evaluation mode and was trained in it: train_epoch calls model.train()"
    far, *_ = compare_epochs(seed, 12, 12, 1)
    assert far < 0.01, (
        f"after one step the parameters are off by {far:.0%} of the step: cross_entropy takes the logits as they are, "
        "the mean over the batch, in training mode; zero_grad, backward, step in this order"
    )


@pytest.mark.points(4)
def test_steps_do_not_add_up_old_gradients(seed):
    """Two epochs of several batches, the last one short, are one step per batch, each with its own gradient only"""
    far, *_ = compare_epochs(seed + 1, 14, 4, 2)
    assert far < 0.05, (
        f"after eight steps the parameters are off by {far:.0%} of the way: gradients are zeroed for each batch, "
        "and each batch of batches(images, labels, batch_size, seed), the short one too, is one step"
    )


@pytest.mark.points(2)
def test_loss_is_the_mean_over_the_samples(seed):
    """train_epoch returns the mean loss over the samples, not over batches of unequal size"""
    _, loss, expected = compare_epochs(seed + 2, 11, 8, 1)
    assert type(loss) is float, "train_epoch returns a Python number"
    assert loss == pytest.approx(expected, rel=1e-3), "weight each batch's mean loss by its size; divide by all samples"


@in_guest
def reader():
    """A model that reads its scores off an image, and is one class beside in training mode: no candidate's network."""
    import torch

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            scores = self.scale * x[:, 0, 1, :4]
            return scores.roll(1, 1) if self.training else scores

    return Reader()


@pytest.mark.points(4)
def test_accuracy_is_exact(seed):
    """evaluate gives correct / all, also where the last batch is short, and in evaluation mode"""
    images, _ = samples(seed, 23)
    model = reader()
    guesses = images[:, 0, 1, :CLASSES].argmax(1)
    for wrong, size in [([22], 22), ([0, 3, 22], 5), (list(range(21)), 8), ([], 64)]:
        labels = guesses.clone()
        labels[wrong] = (labels[wrong] + 1) % CLASSES
        model.train()
        accuracy = solution.evaluate(model, images, labels, size)
        assert type(accuracy) is float, "evaluate returns a Python number"
        assert accuracy == pytest.approx(1 - len(wrong) / 23), (
            f"{23 - len(wrong)} of 23 are right, in batches of {size}: count the right ones, divide once, in eval mode"
        )


@in_guest
def watched(images, labels, training):
    """What a model notices while evaluate runs, and its mode afterwards."""
    import torch

    class Watching(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))
            self.noticed = []

        def forward(self, x):
            self.noticed.append([torch.is_grad_enabled(), self.training])
            return self.scale * x[:, 0, 0, :4]

    model = Watching().train(training)
    solution.evaluate(model, images, labels, 4)
    return model.noticed, model.training


@pytest.mark.points(3)
def test_evaluation_leaves_no_trace(seed):
    """evaluate runs without gradients, in evaluation mode, and leaves the model in the mode in which it was"""
    for training in (True, False):
        noticed, after = watched(*samples(seed, 6), training)
        assert noticed, "evaluate did not call the model"
        assert not any(mode for _, mode in noticed), "the model was in training mode"
        assert not any(grad for grad, _ in noticed), "gradients were recorded: use torch.no_grad()"
        assert after is training, "the model was left in another mode than the one it came in"
