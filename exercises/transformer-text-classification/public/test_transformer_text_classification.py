"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import random

import solution
import torch


def test_texts_become_a_padded_batch():
    vocab = solution.build_vocab(["The sky", "the blue sky above"])
    assert vocab == {"the": 2, "sky": 3, "blue": 4, "above": 5}
    tokens, mask = solution.encode(["blue", "Red sky"], vocab)
    assert tokens.tolist() == [[4, 0], [1, 3]]
    assert mask.tolist() == [[True, False], [True, True]]


def test_positions_of_the_statement():
    expected = torch.tensor([[0, 1, 0, 1], [0.8415, 0.5403, 0.0100, 0.9999]])
    assert torch.allclose(solution.sinusoidal_positions(2, 4), expected, atol=1e-4)


def test_attention_example_of_the_statement():
    attention = solution.MultiHeadAttention(4, 2)
    eye, zeros = torch.eye(4), torch.zeros(4)
    attention.load_state_dict(
        {
            "in_proj_weight": eye.repeat(3, 1),
            "in_proj_bias": zeros.repeat(3),
            "out_proj.weight": eye,
            "out_proj.bias": zeros,
        }
    )
    x = torch.tensor([[[1.0, 1, 0, 2], [0, 0, 0, 1], [9, 9, 9, 9]]])
    output, weights = attention(x, torch.tensor([[True, True, False]]))
    assert output.shape == (1, 3, 4)
    assert torch.allclose(weights[0, :, 0], torch.tensor([[0.8044, 0.1956, 0], [0.8044, 0.1956, 0]]), atol=1e-4)
    assert torch.allclose(output[0, 0], torch.tensor([0.8044, 0.8044, 0, 1.8044]), atol=1e-4)


def test_block_and_classifier_have_the_right_shapes():
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert solution.EncoderBlock(8, 2, 16)(torch.randn(2, 3, 8), mask).shape == (2, 3, 8)
    model = solution.TextClassifier(vocab_size=9, num_classes=3, d_model=8, n_heads=2, d_ff=16, n_layers=2)
    assert model(torch.tensor([[2, 5, 8], [4, 0, 0]]), mask).shape == (2, 3)


def language(count, shortest, longest, alike):
    """Texts and labels: to which house does the first (or the second) name belong? `alike`: how often both to one."""
    texts, labels = [], []
    for _ in range(count):
        length = random.randint(shortest, longest)
        words = random.choices(["as", "it", "was", "and", "then", "so", "on", "to", "be", "in", "of", "at"], k=length)
        early = random.randrange(length - 3)
        late = random.randrange(early + 3, length)
        place = random.choice([i for i in range(length) if i not in (early, late)])
        first = random.randrange(2)
        second = first if random.random() < alike else 1 - first
        words[early], words[late] = (
            random.choice([["ada", "eve", "ian"], ["bob", "liz", "tom"]][i]) for i in (first, second)
        )
        asked = random.randrange(2)
        words[place] = ["who", "whom"][asked]
        texts.append(" ".join(words))
        labels.append((first, second)[asked])
    return texts, torch.tensor(labels)


def test_learns_who_came_first():
    random.seed(3)
    classifier = solution.fit_classifier(*language(2400, 6, 20, alike=1 / 3), seed=1)
    texts, labels = language(300, 6, 12, alike=0)
    assert (classifier.predict(texts) == labels).float().mean() > 0.8
