"""What train_classifier learns, measured on graphs that it has never seen.

The trained weights must be those of the statement's network: the judge computes the logits from them once more.
"""

import graphs
import pytest
import solution
import torch

from grader.suite import threshold


def train(world, seed, count=400, smallest=10, largest=16):
    """A model that the candidate's code trained on `count` graphs."""
    drawn, labels = world.draw(count, smallest, largest)
    try:
        return solution.train_classifier(drawn, labels, world.classes, seed % 1000)
    except Exception as error:
        pytest.fail(f"train_classifier raised {type(error).__name__}: {str(error)[:300]}")


def logits_of(model, drawn):
    """The logits (G, C) of the graphs, fifty at a time."""
    parts = [drawn[i : i + 50] for i in range(0, len(drawn), 50)]
    with torch.no_grad():
        logits = torch.cat([model(*graphs.join(part), len(part)) for part in parts])
    assert len(logits) == len(drawn), "one row of logits per graph"
    return logits


def accuracy(model, drawn, labels):
    """The share of graphs whose largest logit is the label's."""
    return (logits_of(model, drawn).argmax(1) == labels).float().mean().item()


@pytest.mark.points(7)
def test_learns_which_kinds_are_bonded(seed):
    """Of new graphs of the trained sizes, at least 80% are classified correctly; of graphs three times as large, too"""
    world = graphs.Bonds(seed)
    model = train(world, seed)
    new, large = (accuracy(model, *world.draw(*wanted)) for wanted in [(300, 10, 16), (100, 36, 48)])
    enough = threshold("accuracy on new graphs with bonds", new, at_least=0.8)
    enough_of_large = threshold("accuracy on larger graphs with bonds", large, at_least=0.8)
    assert enough, (
        f"{new:.1%} of new graphs are right, 80% are needed. Strong edges decide, weak ones mislead: do the weights "
        "reach the layers? Do the labels still belong to their graphs after shuffling? Is there a ReLU?"
    )
    assert enough_of_large, (
        f"{large:.1%} of graphs three times as large are right, 80% are needed: does the pooling take the mean?"
    )


@pytest.mark.points(5)
def test_learns_shapes_of_graphs(seed):
    """Where all nodes have the same features, the edges alone tell the class: at least 80% of new graphs are right"""
    world = graphs.Shapes(seed)
    model = train(world, seed, 300, 24, 40)
    new = accuracy(model, *world.draw(300, 24, 40))
    assert threshold("accuracy on shapes", new, at_least=0.8), (
        f"{new:.1%} of new graphs are right, 80% are needed. If rows sum to 1, nodes of equal features stay equal"
    )


@pytest.mark.points(3)
def test_trained_model_is_the_network(seed):
    """The returned model is in evaluation mode, and its weights in the network of part 3 give its logits"""
    world = graphs.Bonds(seed)
    model = train(world, seed, count=60)
    assert model.training is False, "the returned model is still in training mode: call eval() before returning it"
    drawn, _ = world.draw(30, 10, 16)
    found = logits_of(model, drawn)
    weights = dict(model.state_dict().items())
    try:
        expected = graphs.gcn(weights, *graphs.join(drawn), 30)
    except (KeyError, RuntimeError) as error:
        pytest.fail(f"the returned model is not a GCN with `layers` and `head`: {type(error).__name__} {error}")
    assert torch.allclose(found.double(), expected, atol=1e-3 * (1 + expected.abs().max().item())), (
        f"the logits differ from those of the network of part 3 by up to {(found - expected).abs().max().item():.3g}"
    )


@pytest.mark.points(3)
def test_the_seed_decides(seed):
    """The same data and seed give the same logits, another seed gives others"""
    drawn, labels = graphs.Bonds(seed).draw(60, 10, 16)
    first, again, other = (
        logits_of(solution.train_classifier(drawn, labels, 3, s), drawn) for s in (seed % 1000, seed % 1000, 1000)
    )
    assert torch.allclose(first, again, atol=1e-4), (
        "seed everything random (torch.manual_seed) before making the model, and return it in evaluation mode"
    )
    assert not torch.allclose(first, other, atol=1e-4), "another seed gave the same model"
