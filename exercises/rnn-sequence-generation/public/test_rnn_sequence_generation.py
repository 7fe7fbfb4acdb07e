"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import solution
import torch


def test_examples_of_the_statement():
    assert solution.Vocabulary(["banana"]).encode("ban") == [4, 3, 5]
    inputs, targets = solution.make_batch([[4, 3], [5]])
    assert inputs.tolist() == [[1, 4, 3], [1, 5, 0]]
    assert targets.tolist() == [[4, 3, 2], [5, 2, 0]]


def test_state_carries_on():
    model = solution.RNNLanguageModel(6, 3, 4).to(torch.float64).eval()
    tokens = torch.tensor([[1, 3, 4, 5], [1, 5, 5, 3]])
    whole, _ = model(tokens)
    first, state = model(tokens[:, :2])
    second, _ = model(tokens[:, 2:], state)
    assert torch.allclose(whole, torch.cat([first, second], dim=1), atol=1e-5)


def test_likelier_tokens_are_drawn_more_often():
    tokens = solution.sample_next(torch.tensor([[0.0, 1.0, 2.0]]).expand(3000, -1), 1.0, 2)
    counts = torch.bincount(tokens, minlength=3)
    assert counts[0] == 0
    assert 650 < counts[1] < 970


def count_up(tokens, state=None):
    """A model that follows token n with n + 1, and 5 with EOS; its state counts the tokens that it read."""
    logits = torch.zeros(*tokens.shape, 6)
    logits.scatter_(2, torch.where(tokens == 5, 2, (tokens + 1).clamp(max=5)).unsqueeze(2), 9.0)
    return logits, (0 if state is None else state) + tokens.shape[1]


def test_generation_stops_at_eos():
    tokens, state = solution.generate(count_up, torch.tensor([[1, 3], [1, 4]]), 10, temperature=0)
    assert tokens.tolist() == [[4, 5, 2], [5, 2, 0]]
    assert state == 4


def test_learns_a_word():
    vocabulary, model = solution.fit(["abracadabra"] * 200, seed=0)
    assert solution.perplexity(model, [vocabulary.encode("abracadabra")], 1) < 1.3
