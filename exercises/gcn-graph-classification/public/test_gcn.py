"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import solution
import torch


def test_example_of_the_statement():
    edge_index, edge_weight = torch.tensor([[0, 2], [1, 1]]), torch.tensor([3.0, 5.0])
    (row, column), values = solution.normalized_adjacency(edge_index, edge_weight, 4)
    matrix = torch.zeros(4, 4).index_put((row, column), values, accumulate=True)
    expected = [[0.25, 0.5, 0, 0], [0.5, 1 / 9, 0.6804, 0], [0, 0.6804, 1 / 6, 0], [0, 0, 0, 1]]
    assert torch.allclose(matrix, torch.tensor(expected), atol=1e-4)


def test_layer_adds_its_bias_once():
    layer = solution.GCNLayer(1, 1)
    layer.load_state_dict({"weight": torch.ones(1, 1), "bias": torch.ones(1)})
    y = layer(torch.tensor([[2.0], [4.0], [6.0]]), torch.tensor([[0], [1]]))
    assert torch.allclose(y, torch.tensor([[4.0], [4.0], [7.0]]))


def test_collate_shifts_the_second_graph():
    first = torch.zeros(3, 1), torch.tensor([[0], [1]]), torch.ones(1)
    second = torch.ones(2, 1), torch.tensor([[1], [0]]), torch.ones(1)
    x, edge_index, edge_weight, batch = solution.collate([first, second])
    assert x.shape == (5, 1)
    assert edge_index.tolist() == [[0, 4], [1, 3]]
    assert edge_weight.tolist() == [1, 1]
    assert batch.tolist() == [0, 0, 0, 1, 1]


def test_mean_of_each_graph():
    pooled = solution.mean_pool(torch.tensor([[1.0], [5.0], [3.0]]), torch.tensor([0, 1, 0]), 3)
    assert pooled.tolist() == [[2], [5], [0]]


def test_tells_friends_from_strangers():
    """Label 1: edges join nodes of the same colour; label 0: of different colours."""
    graphs, labels = [], torch.arange(60) % 2
    for label in labels.tolist():
        colour = torch.arange(8) % 2
        start = torch.randint(8, (8,))
        edge_index = torch.stack([start, (start + 4 + (1 - label)) % 8])
        graphs.append((torch.eye(2)[colour], edge_index, torch.ones(8)))
    model = solution.train_classifier(graphs, labels, 2, seed=0)
    assert not model.training
    found = model(*solution.collate(graphs), len(graphs)).argmax(1)
    assert (found == labels).float().mean() > 0.9


def test_tells_rings_from_hubs():
    """All nodes look alike: only the edges differ."""
    graphs, labels = [], torch.arange(60) % 2
    for number, label in enumerate(labels.tolist()):
        node = torch.arange(12 + number % 10)
        other = torch.where(node == 0, 1, 0) if label else (node + 1) % len(node)
        graphs.append((torch.ones(len(node), 2), torch.stack([node, other]), torch.ones(len(node))))
    model = solution.train_classifier(graphs * 5, labels.repeat(5), 2, seed=0)
    found = model(*solution.collate(graphs), len(graphs)).argmax(1)
    assert (found == labels).float().mean() > 0.9
