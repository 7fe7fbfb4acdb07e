"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import solution
import torch


def test_example_of_the_statement():
    layer = solution.Conv2d(1, 1, 2)
    layer.load_state_dict({"weight": torch.tensor([[[[1.0, 0], [0, -2]]]]), "bias": torch.zeros(1)})
    out = layer(torch.arange(1.0, 10).view(1, 1, 3, 3))
    assert out.tolist() == [[[[-9, -10], [-12, -13]]]]


def test_stride_and_padding_give_the_size():
    assert solution.Conv2d(2, 5, 3, stride=2, padding=1)(torch.randn(4, 2, 7, 10)).shape == (4, 5, 4, 5)


def test_network_returns_logits():
    assert solution.CNN(3, (9, 12), 4)(torch.randint(256, (2, 3, 9, 12), dtype=torch.uint8)).shape == (2, 4)


def test_ten_samples_in_batches_of_four():
    pairs = list(solution.batches(torch.arange(10).view(10, 1, 1, 1), torch.arange(10), 4, seed=0))
    assert [len(x) for x, _ in pairs] == [4, 4, 2]
    assert sorted(int(label) for _, y in pairs for label in y) == list(range(10))
    assert all((x.flatten() == y).all() for x, y in pairs)


def pictures(count):
    """Pictures (N, 1, 10, 10) with a bar of four pixels, upright (class 1) or lying (class 0), somewhere in noise."""
    images, labels = 20 * torch.randn(count, 1, 10, 10), torch.randint(2, (count,))
    for image, label in zip(images, labels, strict=True):
        row, column = torch.randint(6, (2,)).tolist()
        image[0, row : row + (4 if label else 1), column : column + (1 if label else 4)] += 100
    return images, labels


def test_learns_which_way_a_bar_lies():
    torch.manual_seed(0)
    model = solution.train_classifier(*pictures(400), num_classes=2, seed=0)
    assert solution.evaluate(model, *pictures(150), batch_size=64) > 0.9
