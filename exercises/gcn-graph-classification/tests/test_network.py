"""Batches of graphs, the pooling and the network, with weights that the judge draws."""

import graphs
import pytest
import solution
import torch

FEATURES, WIDTH, CLASSES = 3, 16, 4


def four(seed):
    """Four graphs of 5 to 8 nodes in float32; the last node of each has no edge, the third graph has no edge at all."""
    g = graphs.rng(seed)
    drawn = [graphs.random_graph(g, nodes=5 + i, edges=6 + i, features=FEATURES) for i in range(4)]
    drawn = [(x.float(), edge_index, w.float()) for x, edge_index, w in drawn]
    drawn[2] = drawn[2][0], drawn[2][1][:, :0], drawn[2][2][:0]
    return drawn


def network(seed, dropout=0.5, layers=2, classes=CLASSES):
    """The candidate's network with weights that we draw, in evaluation mode, and these. Few of its ReLUs are off."""
    g = graphs.rng(seed + 100)
    sizes = [FEATURES] + [WIDTH] * layers
    shapes = {"head.weight": (classes, WIDTH), "head.bias": (classes,)}
    for i in range(layers):
        shapes |= {f"layers.{i}.weight": (sizes[i], sizes[i + 1]), f"layers.{i}.bias": (WIDTH,)}
    weights = {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}
    for i in range(layers):
        weights[f"layers.{i}.weight"] *= (2 / sizes[i]) ** 0.5
        weights[f"layers.{i}.bias"] = 0.5 + 0.1 * weights[f"layers.{i}.bias"]
    model = solution.GCN(FEATURES, WIDTH, classes, num_layers=layers, dropout=dropout)
    try:
        model.load_state_dict(weights)
    except Exception as error:
        pytest.fail(
            f"the network's weights could not be set: {str(error)[:300]}\nGCN must keep its layers in the ModuleList "
            "`layers` and its last layer as `head`, and have no other parameters"
        )
    model.eval()
    return model, weights


def logits_of(model, x, edge_index, edge_weight, batch, count, classes=CLASSES):
    """The logits (G, C), after a look at their shape."""
    logits = model(x, edge_index, edge_weight, batch, count)
    assert tuple(logits.shape) == (count, classes), f"logits must be (G, C) = {(count, classes)}"
    return logits


@pytest.mark.points(5)
def test_collate_joins_graphs(seed):
    """collate puts the graphs one after another and shifts each edge list by the nodes before its graph"""
    drawn = four(seed)
    found = solution.collate(drawn)
    names = ("x", "edge_index", "edge_weight", "batch")
    for name, mine, expected in zip(names, found, graphs.join(drawn), strict=True):
        assert tuple(mine.shape) == tuple(expected.shape), f"{name} must be {tuple(expected.shape)}"
        assert mine.dtype == expected.dtype, f"{name} must be {expected.dtype}"
        assert torch.equal(mine, expected), (
            f"{name} is wrong. A graph has len(x) nodes, with or without edges; the node numbers of a graph grow by "
            "all nodes of the graphs before it"
        )


@pytest.mark.points(4)
def test_mean_of_each_graph(seed):
    """mean_pool takes the mean over the nodes of each graph, which may stand in any order"""
    g = graphs.rng(seed)
    x, batch = torch.randn(12, 5, generator=g), torch.randperm(12, generator=g).clamp(max=3)
    found = solution.mean_pool(x, batch, 4)
    expected = torch.stack([x[batch == i].mean(0) for i in range(4)])
    assert tuple(found.shape) == (4, 5), "mean_pool returns (G, F)"
    assert torch.allclose(found, expected, atol=1e-5), (
        f"batch = {batch.tolist()}: row g must be the mean of the rows of x whose entry in batch is g"
    )


@pytest.mark.points(3)
def test_graph_without_nodes_pools_to_zeros(seed):
    """A graph without nodes, in the middle or at the end, gets a row of zeros and leaves no NaN in the gradient"""
    x = torch.randn(4, 2, generator=graphs.rng(seed)).requires_grad_()
    found = solution.mean_pool(x, torch.tensor([0, 0, 2, 2]), 4)
    assert tuple(found.shape) == (4, 2), "num_graphs says how many rows there are: the last graphs may have no nodes"
    assert (found[[1, 3]] == 0).all(), f"the rows of empty graphs must be zeros, got {found[[1, 3]].tolist()}"
    assert torch.allclose(found[2], x[2:].mean(0), atol=1e-5), "the other rows are means as usual"
    found.sum().backward()
    assert torch.allclose(x.grad, torch.full((4, 2), 0.5)), "each of two nodes has half of its graph's mean"


@pytest.mark.points(3)
def test_network_has_the_named_parameters():
    """The network has layers.0, layers.1, … and head, of the sizes that its arguments say"""
    for layers in (1, 3):
        model = solution.GCN(FEATURES, WIDTH, CLASSES, num_layers=layers)
        found = {name: tuple(value.shape) for name, value in model.named_parameters()}
        expected = {"head.weight": (CLASSES, WIDTH), "head.bias": (CLASSES,)}
        for i in range(layers):
            expected |= {f"layers.{i}.weight": (WIDTH if i else FEATURES, WIDTH), f"layers.{i}.bias": (WIDTH,)}
        assert found == expected


@pytest.mark.points(7)
def test_network_matches_the_formula(seed):
    """With given weights the logits are those of layers with ReLU, mean and head, for one to three layers"""
    joined = graphs.join(four(seed))
    for layers in (1, 2, 3):
        model, weights = network(seed, layers=layers)
        found, expected = logits_of(model, *joined, 4), graphs.gcn(weights, *joined, 4)
        assert torch.allclose(found.double(), expected, atol=1e-4), (
            f"with {layers} layers the logits differ by up to {(found - expected).abs().max().item():.3g}: ReLU comes "
            "after every layer, then the mean over each graph, then the head; edge weights go to every layer"
        )


@pytest.mark.points(4)
def test_graphs_do_not_mix(seed):
    """Changing the features and edges of one graph leaves the logits of the others as they were"""
    model, _ = network(seed)
    drawn = four(seed)
    before = logits_of(model, *graphs.join(drawn), 4)
    x, edge_index, w = drawn[1]
    drawn[1] = x + 1, edge_index.flip(1)[:, 2:], w[2:] * 3
    after = logits_of(model, *graphs.join(drawn), 4)
    others = [0, 2, 3]
    assert torch.allclose(before[others], after[others], atol=1e-5), "a graph's logits depend on another graph"
    assert not torch.allclose(before[1], after[1], atol=1e-4), "the logits do not depend on the graph"


@pytest.mark.points(4)
def test_numbering_of_nodes_does_not_matter(seed):
    """Renumbering all nodes of a batch, so that its graphs interleave, leaves the logits as they were"""
    model, _ = network(seed)
    x, edge_index, w, batch = graphs.join(four(seed))
    order = torch.randperm(len(x), generator=graphs.rng(seed))
    place = order.argsort()
    shuffled = torch.randperm(len(w), generator=graphs.rng(seed + 1))
    before = logits_of(model, x, edge_index, w, batch, 4)
    after = logits_of(model, x[order], place[edge_index][:, shuffled].flip(0), w[shuffled], batch[order], 4)
    assert torch.allclose(before, after, atol=1e-4), (
        f"the logits moved by up to {(before - after).abs().max().item():.3g}: batch need not be sorted, an edge may "
        "stand either way round"
    )
    assert not torch.allclose(before[0], before[1], atol=1e-4), "different graphs got the same logits"


@pytest.mark.points(2)
def test_dropout_acts_in_training_only(seed):
    """With dropout 0.5, passes differ in training mode and agree in evaluation mode"""
    joined = graphs.join(four(seed))
    model, _ = network(seed)
    assert torch.equal(logits_of(model, *joined, 4), logits_of(model, *joined, 4)), (
        "in evaluation mode the same graphs gave two answers"
    )
    model.train()
    first, *others = [logits_of(model, *joined, 4) for _ in range(12)]
    assert any(not torch.equal(first, other) for other in others), (
        "in training mode with dropout 0.5 twelve passes gave the same logits"
    )


@pytest.mark.points(3)
def test_dropout_acts_on_the_pooled_values(seed):
    """In training mode the head gets each pooled value as 0 or divided by 1 - dropout; with dropout 0 as it was"""
    joined = graphs.join(four(seed))
    for dropout in (0.25, 0.0):
        model, weights = network(seed, dropout, classes=WIDTH)
        weights |= {"head.weight": torch.eye(WIDTH), "head.bias": torch.zeros(WIDTH)}
        model.load_state_dict(weights)
        pooled = logits_of(model, *joined, 4, WIDTH).detach()
        live = pooled > 1e-3
        model.train()
        passes = torch.stack([logits_of(model, *joined, 4, WIDTH).detach() for _ in range(8)])
        gone, kept = passes.abs() < 1e-6, torch.isclose(passes, pooled / (1 - dropout), rtol=1e-3, atol=1e-4)
        assert (gone | kept)[:, live].all(), (
            f"with dropout {dropout} and a head that passes on what it gets, a pooled value {pooled.max().item():.4g} "
            f"came as {sorted(set(passes[:, pooled == pooled.max()].flatten().tolist()))}: dropout stands behind "
            f"mean_pool only; a value is dropped with probability {dropout}, else multiplied by {1 / (1 - dropout):.4g}"
        )
        share = gone[:, live].float().mean().item()
        if dropout:
            assert 0 < share < 1, f"with dropout {dropout} the share of dropped values is {share:.0%}"
        else:
            assert share == 0, f"with dropout 0 a share of {share:.0%} was dropped: it is the probability of dropping"


@pytest.mark.points(3)
def test_gradient_reaches_features_and_weights(seed):
    """The network's gradient agrees with finite differences: features, edge weights, and each of its parameters"""
    x, edge_index, w, batch = graphs.join(four(seed))
    model, weights = network(seed)
    model.to(torch.float64)
    # All numbers in front of a ReLU are positive here, so that no finite difference has a kink in it.
    at = {name: value.double() if name.startswith("head") else value.double().abs() for name, value in weights.items()}
    at |= {"the features": x.double().abs(), "the edge weights": w.double()}

    def loss(at):
        x, w = at["the features"], at["the edge weights"]
        model.load_state_dict({name: at[name] for name in weights})
        return logits_of(model, x, edge_index, w, batch, 4).square().sum()

    given = {name: at[name].clone().requires_grad_() for name in ("the features", "the edge weights")}
    loss(at | given).backward()
    found = {name: value.grad for name, value in given.items()}
    found |= {name: value.grad for name, value in model.named_parameters()}
    g, step = graphs.rng(seed + 2), 1e-5
    for name, value in at.items():
        assert found[name] is not None, f"no gradient reaches {name}: something is detached"
        way = torch.randn(value.shape, generator=g, dtype=torch.float64)
        with torch.no_grad():
            rise = (loss(at | {name: value + step * way}) - loss(at | {name: value - step * way})).item() / (2 * step)
        slope = (found[name] * way).sum().item()
        assert abs(slope - rise) <= 1e-4 * max(1, abs(rise)), (
            f"along a random direction of {name} the gradient says {slope:.6g} and the loss rises by {rise:.6g} "
            "per unit: is something detached?"
        )
