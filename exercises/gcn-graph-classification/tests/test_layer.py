"""The normalised adjacency and one layer, held against dense matrices on the judge's side."""

import graphs
import pytest
import solution
import torch


def dense(edge_index, edge_weight, nodes):
    """The candidate's entries as a matrix (N, N) in float64, entries at the same place added up."""
    try:
        index, values = solution.normalized_adjacency(edge_index, edge_weight, nodes)
    except Exception as error:
        pytest.fail(f"normalized_adjacency raised {type(error).__name__}: {str(error)[:300]}")
    assert index.dtype == torch.int64, "index must be int64"
    assert tuple(index.shape) == (2, len(values)), "normalized_adjacency returns index (2, M) and values (M,)"
    assert index.numel() == 0 or 0 <= index.min() <= index.max() < nodes, "index holds nodes that do not exist"
    matrix = torch.zeros(nodes, nodes, dtype=torch.float64)
    return matrix.index_put((index[0], index[1]), values.detach().double(), accumulate=True)


def edges(*pairs):
    """An edge list (2, E)."""
    return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T


def close(found, expected, message):
    assert torch.allclose(found, expected, atol=1e-6), f"{message}\ngot\n{found}\nexpected\n{expected}"


@pytest.mark.points(3)
def test_two_nodes_and_an_edge():
    """One edge of weight 1 between two nodes makes all four entries 1/2, whichever end is listed first"""
    for pair in [(0, 1), (1, 0)]:
        close(
            dense(edges(pair), torch.ones(1), 2),
            torch.full((2, 2), 0.5, dtype=torch.float64),
            "an edge is listed once and counts in both directions; each node is its own neighbour",
        )


@pytest.mark.points(3)
def test_nodes_without_edges():
    """A node without edges keeps exactly itself: its row is the identity's, and nothing is NaN or inf"""
    close(
        dense(edges((3, 1)), torch.tensor([3.0]), 4)[[0, 2]],
        torch.eye(4, dtype=torch.float64)[[0, 2]],
        "with its self-loop a node without edges has the degree 1, so its diagonal entry is 1",
    )
    close(
        dense(edges(), torch.ones(0), 3),
        torch.eye(3, dtype=torch.float64),
        "without any edge the matrix is the identity",
    )


@pytest.mark.points(4)
def test_weights_count(seed):
    """An edge's weight stands in the adjacency and in both degrees"""
    w = 0.5 + 4 * torch.rand(3, generator=graphs.rng(seed), dtype=torch.float64)
    star = edges((0, 1), (2, 0), (0, 3))
    close(
        dense(star, w, 4),
        graphs.normalized(star, w, 4),
        f"a star with the weights {w.tolist()}: the centre's degree is 1 plus their sum",
    )


@pytest.mark.points(3)
def test_a_pair_listed_twice_counts_twice(seed):
    """The weights of a pair that is listed more than once add up, in whichever order its ends stand"""
    w = 0.5 + torch.rand(3, generator=graphs.rng(seed), dtype=torch.float64)
    close(
        dense(edges((0, 1), (0, 1), (1, 0)), w, 3),
        graphs.normalized(edges((0, 1)), w.sum(0, keepdim=True), 3),
        "the same pair three times must equal one edge with the sum of the weights",
    )


@pytest.mark.points(3)
def test_an_edge_to_itself_counts_once(seed):
    """An edge from a node to itself adds its weight once to the diagonal, beside the self-loop of weight 1"""
    w = 0.5 + torch.rand(2, generator=graphs.rng(seed), dtype=torch.float64)
    loop = edges((0, 0), (0, 1))
    close(
        dense(loop, w, 2),
        graphs.normalized(loop, w, 2),
        f"A[0, 0] is {w[0].item():.4g} and (A + I)[0, 0] is 1 more; there is no second direction to add",
    )


@pytest.mark.points(6)
def test_matches_the_formula(seed):
    """On random graphs the matrix is D^-1/2 (A + I) D^-1/2"""
    for case in range(5):
        _, edge_index, w = graphs.random_graph(graphs.rng(seed + case), nodes=5 + case, edges=8)
        found, expected = dense(edge_index, w, 5 + case), graphs.normalized(edge_index, w, 5 + case)
        assert torch.allclose(found, expected, atol=1e-6), (
            f"differs by up to {(found - expected).abs().max().item():.3g}. The degree is the row sum of A + I; its "
            "inverse root stands on both sides"
        )


@pytest.mark.points(3)
def test_is_symmetric_with_eigenvalue_one(seed):
    """The matrix equals its transpose, and D^1/2 1 is its eigenvector with the eigenvalue 1"""
    _, edge_index, w = graphs.random_graph(graphs.rng(seed), nodes=9, edges=14)
    found = dense(edge_index, w, 9)
    close(found, found.T, "the edges are undirected: row i, column j must equal row j, column i")
    u, v = edge_index
    degree = torch.ones(9, dtype=torch.float64).index_add(0, u, w).index_add(0, v, torch.where(u == v, 0, w))
    root = degree.sqrt()
    close(found @ root, root, "D^-1/2 (A + I) D^-1/2 must map the roots of the degrees to themselves")


@pytest.mark.points(3)
def test_gradient_of_the_edge_weights(seed):
    """The layer's gradient agrees with finite differences, for the features and the edge weights, degrees included"""
    x, edge_index, w = graphs.random_graph(graphs.rng(seed), nodes=5, edges=6, features=2)
    layer = solution.GCNLayer(2, 2)
    layer.to(torch.float64)
    try:
        torch.autograd.gradcheck(
            lambda x, w: layer(x, edge_index, w), (x.requires_grad_(), w.requires_grad_()), atol=1e-4
        )
    except (RuntimeError, ValueError) as error:
        pytest.fail(f"the gradient is not that of the formula; is the degree detached? {str(error)[:300]}")


def layer_with_weights(seed, inputs, outputs):
    """The candidate's layer in float64 with weights that we draw, and these."""
    g = graphs.rng(seed + 100)
    weight, bias = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in [(inputs, outputs), (outputs,)])
    layer = solution.GCNLayer(inputs, outputs)
    layer.to(torch.float64)
    try:
        layer.load_state_dict({"weight": weight, "bias": bias})
    except Exception as error:
        pytest.fail(f"GCNLayer must have exactly weight (in, out) and bias (out,): {str(error)[:300]}")
    return layer, weight, bias


@pytest.mark.points(2)
def test_layer_has_weight_and_bias():
    """The layer's only parameters are weight (in_features, out_features) and bias (out_features,)"""
    shapes = {name: tuple(value.shape) for name, value in solution.GCNLayer(3, 5).named_parameters()}
    assert shapes == {"weight": (3, 5), "bias": (5,)}


@pytest.mark.points(8)
def test_layer_matches_the_formula(seed):
    """With given weights the layer computes Â X W + b and nothing after it"""
    for inputs, outputs in [(3, 4), (4, 4), (2, 1)]:
        layer, weight, bias = layer_with_weights(seed, inputs, outputs)
        x, edge_index, w = graphs.random_graph(graphs.rng(seed), features=inputs)
        found = layer(x, edge_index, w)
        assert tuple(found.shape) == (7, outputs), f"the layer returns (N, out) = (7, {outputs})"
        expected = graphs.normalized(edge_index, w, 7) @ x @ weight + bias
        assert torch.allclose(found, expected, atol=1e-6), (
            f"differs by up to {(found - expected).abs().max().item():.3g}. The bias comes after the sum over the "
            "neighbours, and the activation is the network's, not the layer's"
        )


@pytest.mark.points(3)
def test_no_weights_means_ones(seed):
    """Without edge weights every edge has the weight 1, in the dtype of x"""
    layer, _, _ = layer_with_weights(seed, 3, 2)
    x, edge_index, _ = graphs.random_graph(graphs.rng(seed))
    try:
        found = layer(x, edge_index)
    except Exception as error:
        pytest.fail(f"the layer without edge weights, in float64, raised {type(error).__name__}: {str(error)[:300]}")
    assert found.dtype == torch.float64, "x and the layer are in float64, the result is not"
    ones = torch.ones(edge_index.shape[1], dtype=torch.float64)
    assert torch.allclose(found, layer(x, edge_index, ones), rtol=0, atol=1e-10), (
        "the result differs from that with ones in float64"
    )
    assert found.std(0).min() > 0, "all nodes got the same result"


@pytest.mark.points(3)
def test_no_square_matrix():
    """A graph of 40000 nodes and 60000 edges passes through the layer: no matrix (N, N) is built"""
    g = graphs.rng(0)
    edge_index, x = graphs.below(g, 40_000, (2, 60_000)), torch.randn(40_000, 2, generator=g)
    try:
        found = solution.GCNLayer(2, 2)(x, edge_index)
    except Exception as error:
        pytest.fail(
            f"raised {type(error).__name__}: {str(error)[:200]}\nA matrix of 40000 x 40000 floats takes 6.4 GB; work "
            "on the list of the edges (index_add, a sparse matrix)"
        )
    assert tuple(found.shape) == (40_000, 2), "the layer returns (N, out)"
