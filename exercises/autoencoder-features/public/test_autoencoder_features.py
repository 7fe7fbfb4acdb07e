"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import solution
import torch

try:
    from grader.suite import in_guest  # the service runs these checks, too, from outside of your code's process
except ImportError:

    def in_guest(function):
        return function


def blobs(count, seed):
    """Bright spots on images (count, 9, 8); three numbers say all about one: where it is, and how wide."""
    g = torch.Generator().manual_seed(seed)
    row, column, width = (torch.rand(count, 1, 1, generator=g) for _ in range(3))
    y, x = torch.arange(9.0).view(1, 9, 1), torch.arange(8.0).view(1, 1, 8)
    distance = (y - 2 - 4 * row) ** 2 + (x - 2 - 3 * column) ** 2
    return 200 * torch.exp(-distance / (2 + 4 * width))


@in_guest
def corrupted(images, p):
    """The result of corrupt, and the images as they are afterwards."""
    return solution.corrupt(images, p, torch.Generator().manual_seed(0)), images


def test_corrupt_leaves_zeros_and_the_rest():
    found, images = corrupted(torch.full((50, 10, 10), 7.0), 0.3)
    assert set(found.flatten().tolist()) == {0.0, 7.0}
    assert 0.25 < (found == 0).float().mean() < 0.35
    assert (images == 7).all()


def test_tied_layer_example_of_the_statement():
    layer = solution.TiedLayer(2, 1)
    layer.load_state_dict(
        {
            "weight": torch.tensor([[1.0, 2.0]]),
            "code_bias": torch.tensor([0.5]),
            "output_bias": torch.tensor([0.0, 1.0]),
        }
    )
    x = torch.tensor([[0.5, -0.25]])
    assert torch.allclose(layer.encode(x), torch.tensor([[0.4621]]), atol=1e-4)
    assert torch.allclose(layer(x), torch.tensor([[0.4621, 1.9242]]), atol=1e-4)


def test_sizes():
    model = solution.Autoencoder(9, 8, 3)
    codes = model.encode(torch.rand(5, 9, 8))
    assert codes.shape == (5, 3)
    assert model.decode(codes).shape == (5, 9, 8)


def test_three_numbers_describe_a_blob():
    train, unseen = blobs(1200, seed=0), blobs(300, seed=1)
    model = solution.fit_autoencoder(train, 3, seed=0)
    with torch.no_grad():
        error = (model(unseen) - unseen).square().mean()
    mean = train.mean(0)
    axes = torch.linalg.svd((train - mean).flatten(1), full_matrices=False).Vh[:3]
    x = (unseen - mean).flatten(1)
    assert error < 0.5 * (x - x @ axes.T @ axes).square().mean()  # of three principal components


def test_probe_example_of_the_statement():
    codes, labels = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([0, 1, 1])
    weight, bias = solution.fit_probe(codes, labels, 2, 0.1)
    assert torch.allclose(weight, torch.tensor([[-1.0], [1.0]]) * 0.9318, atol=2e-3)
    assert abs((bias[1] - bias[0]).item() + 1.848) < 5e-3
