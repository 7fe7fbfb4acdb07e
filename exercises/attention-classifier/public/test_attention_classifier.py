"""A few checks to start with: `python -m pytest public` where your solution.py is. They are fewer than the ones that count."""

import torch

import solution


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


def test_training_finds_the_word_that_decides():
    torch.manual_seed(0)
    tokens = torch.randint(3, 10, (400, 6))
    labels = torch.randint(2, (400,))
    tokens[torch.arange(400), torch.randint(6, (400,))] = 1 + labels  # word 1 or 2 decides, all others say nothing
    model = solution.train_classifier(tokens[:300], labels[:300], 10, 2, 0, seed=1)
    logits, _ = model(tokens[300:])
    assert (logits.argmax(1) == labels[300:]).float().mean() > 0.9
