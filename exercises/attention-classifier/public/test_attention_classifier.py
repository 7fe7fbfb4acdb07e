"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import solution
import torch


def test_equal_keys_get_equal_weights():
    context, weights = solution.Attention(2)(torch.ones(1, 2), torch.ones(1, 4, 2), torch.ones(1, 4, dtype=torch.bool))
    assert torch.allclose(weights, torch.full((1, 4), 0.25))
    assert torch.allclose(context, torch.ones(1, 2))


def test_example_of_the_statement():
    attention = solution.Attention(4)
    eye = torch.eye(4)
    attention.load_state_dict({"query_proj.weight": eye, "key_proj.weight": eye})
    keys = torch.tensor([[[2.0, 0, 0, 0], [0, 0, 0, 0], [9, 9, 9, 9]]])
    context, weights = attention(torch.tensor([[1.0, 0, 0, 0]]), keys, torch.tensor([[True, True, False]]))
    assert torch.allclose(weights, torch.tensor([[0.7311, 0.2689, 0.0]]), atol=1e-4)
    assert torch.allclose(context, torch.tensor([[1.4621, 0, 0, 0]]), atol=1e-4)


def test_classifier_returns_logits_and_weights():
    model = solution.TextClassifier(vocab_size=11, hidden_size=8, num_classes=3, pad_id=0)
    logits, weights = model(torch.tensor([[4, 2, 9, 0], [3, 0, 0, 0]]))
    assert logits.shape == (2, 3)
    assert weights.shape == (2, 4)
    assert weights[1].tolist() == [1, 0, 0, 0]


def sentences(count, length):
    """Tokens (N, T) and labels (N,): word 1 or 2 is loud, 3 or 4 soft, the others say nothing; the loudest decides."""
    labels = torch.randint(2, (count,))
    loud = torch.rand(count) < 0.5
    soft_too = loud.unsqueeze(1) & (torch.rand(count, length) < 0.5)
    tokens = torch.where(soft_too, torch.randint(3, 5, (count, length)), torch.randint(5, 9, (count, length)))
    tokens[torch.arange(count), torch.randint(length, (count,))] = torch.where(loud, 1, 3) + labels
    return tokens, labels


def test_training_finds_the_loudest_word():
    torch.manual_seed(0)
    model = solution.train_classifier(*sentences(900, 8), vocab_size=9, num_classes=2, pad_id=0, seed=1)
    tokens, labels = sentences(200, 30)
    with torch.no_grad():
        logits, weights = model(tokens)
    assert (logits.argmax(1) == labels).float().mean() > 0.9
    assert weights[(tokens == 1) | (tokens == 2)].mean() > 0.3  # one word of 30
