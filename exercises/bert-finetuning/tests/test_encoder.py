"""The pretrained encoder, held against hidden states that were computed beforehand; and pooling."""

import pytest
import solution
import torch
from folder import model_folder
from test_encode import POOL, TEXTS, drawn, pieces

# The stored states have 16 bits: a right encoder is within 0.002, one without the mask off by more than 0.05.
TOLERANCE = 0.01


def batch(numbers, extra=0):
    """Ids and mask of texts of the pool, padded by us, with `extra` columns of padding more than needed."""
    rows = [pieces(number) for number in numbers]
    longest = max(map(len, rows)) + extra
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


@pytest.fixture(scope="module")
def encoder():
    return solution.load_encoder(model_folder())


def hidden_states(encoder, ids, mask):
    with torch.no_grad():
        hidden = encoder(ids, mask)
    assert isinstance(hidden, torch.Tensor), f"the encoder must return a tensor, not {type(hidden).__name__}"
    assert tuple(hidden.shape) == (*ids.shape, 384), f"hidden states must be (B, T, 384), not {tuple(hidden.shape)}"
    return hidden


@pytest.mark.points(3)
def test_encoder_has_dropout_off(encoder, seed):
    """The encoder returns (B, T, 384) in float32, and the same for the same input"""
    ids, mask = batch(drawn(seed, 3))
    first, again = hidden_states(encoder, ids, mask), hidden_states(encoder, ids, mask)
    assert first.dtype == torch.float32, f"hidden states must be float32, not {first.dtype}"
    assert torch.equal(first, again), "two passes differ: load_encoder returns the encoder in eval mode"


@pytest.mark.points(9)
def test_hidden_states_are_those_of_the_weights(encoder, seed):
    """First, middle and last hidden states agree with those of the pretrained model"""
    numbers = drawn(seed, 10)
    ids, mask = batch(numbers)
    hidden = hidden_states(encoder, ids, mask)
    for row, number in enumerate(numbers):
        length = len(pieces(number))
        for place, column in enumerate((0, length // 2, length - 1)):
            expected = torch.from_numpy(POOL["hidden"][number, place]).float()
            error = (hidden[row, column] - expected).abs().max().item()
            assert error < TOLERANCE, (
                f"{TEXTS[number]!r}, piece {column}: the hidden state is off by up to {error:.3g}. Pretrained weights? "
                "Attention mask? Positions, token types, LayerNorm (eps 1e-12), exact GELU?"
            )


@pytest.mark.points(6)
def test_padding_changes_nothing(encoder, seed):
    """More padding, and whatever stands in it, leaves the hidden states of the real pieces as they were"""
    numbers = drawn(seed, 4)
    ids, mask = batch(numbers)
    padded, longer = batch(numbers, extra=7)
    padded = torch.where(longer == 1, padded, torch.randint(1000, 20000, padded.shape))
    before, after = hidden_states(encoder, ids, mask), hidden_states(encoder, padded, longer)
    for row, number in enumerate(numbers):
        length = len(pieces(number))
        assert torch.allclose(before[row, :length], after[row, :length], atol=1e-4), (
            "padding changed the hidden states of real pieces: is the attention mask used?"
        )


@pytest.mark.points(4)
def test_encoder_can_be_trained(encoder, seed):
    """Gradients flow through the encoder: the hidden states require them"""
    ids, mask = batch(drawn(seed, 2))
    assert encoder(ids, mask).requires_grad, "the hidden states carry no gradient: is there a no_grad or a detach?"


@pytest.mark.points(6)
def test_mean_pool_leaves_padding_out(seed):
    """The mean over the pieces whose mask is 1, whatever stands in the padding"""
    hidden = torch.randn(5, 7, 3, dtype=torch.float64)
    mask = (torch.arange(7) < torch.tensor([[7], [1], [3], [5], [2]])).long()
    hidden = torch.where(mask.unsqueeze(-1) == 1, hidden, 1e3 * hidden)
    expected = torch.stack([row[real == 1].mean(0) for row, real in zip(hidden, mask, strict=True)])
    found = solution.mean_pool(hidden, mask)
    assert tuple(found.shape) == (5, 3), f"the mean is (B, H) = (5, 3), not {tuple(found.shape)}"
    assert torch.allclose(found, expected, atol=1e-6), (
        "the mean runs over dim 1, over the pieces whose mask is 1 only, and divides by their number"
    )


@pytest.mark.points(3)
def test_mean_pool_shares_the_gradient(seed):
    """Each of L real pieces gets 1/L of the gradient, padding none"""
    hidden = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    solution.mean_pool(hidden, mask).sum().backward()
    assert hidden.grad is not None, "mean_pool is cut off from its input"
    expected = (mask / mask.sum(1, keepdim=True)).unsqueeze(-1).expand(2, 4, 3)
    assert torch.allclose(hidden.grad, expected.double()), "each real piece has the weight 1 / (number of real pieces)"
