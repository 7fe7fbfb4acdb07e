"""Attention by itself: shapes, the distribution over time, the mask, the formula, stability and gradients."""

import math

import pytest
import solution
import torch


def batch(seed, rows=4, length=7, width=6, dtype=torch.float32):
    """A query (B, H), keys (B, T, H) and a mask (B, T): lengths from 2 to T, never all the same."""
    g = torch.Generator().manual_seed(seed)
    query = torch.randn(rows, width, generator=g, dtype=dtype)
    keys = torch.randn(rows, length, width, generator=g, dtype=dtype)
    lengths = torch.randint(2, length, (rows,), generator=g)
    lengths[0] = length
    return query, keys, torch.arange(length) < lengths.unsqueeze(1)


def attend(attention, query, keys, mask):
    """Call the candidate's attention and see to it that two tensors of the right shapes come back."""
    try:
        context, weights = attention(query, keys, mask)
    except Exception as error:
        pytest.fail(
            f"Attention.forward raised {type(error).__name__}: {str(error)[:200]}\n"
            f"It was called with query {tuple(query.shape)}, keys {tuple(keys.shape)}, mask {tuple(mask.shape)} bool. "
            "It must return the tuple (context, weights). The scores are one number per row and token, (B, T): if you "
            "keep them as (B, T, 1), softmax runs over dim 1, and torch.bmm needs the weights as (B, 1, T)."
        )
    assert tuple(weights.shape) == tuple(mask.shape), f"weights must be (B, T) = {tuple(mask.shape)}"
    assert tuple(context.shape) == tuple(query.shape), f"context must be (B, H) = {tuple(query.shape)}"
    assert (weights != 0).any(), "all weights are zero"
    assert (context != 0).any(), "the context is zero everywhere"
    return context, weights


def with_weights(seed, width, scale=1.0, dtype=torch.float64):
    """The candidate's attention with projection matrices that we draw, and these two matrices."""
    g = torch.Generator().manual_seed(seed + 1)
    names = ("query_proj.weight", "key_proj.weight")
    matrices = {name: scale * torch.randn(width, width, generator=g, dtype=dtype) for name in names}
    attention = solution.Attention(width)
    attention.to(dtype)
    try:
        attention.load_state_dict(matrices)
    except Exception as error:
        pytest.fail(
            f"The weights could not be loaded: {str(error)[:300]}\nAttention must have exactly two layers with "
            "weights, named query_proj and key_proj, each nn.Linear(hidden_size, hidden_size, bias=False)."
        )
    return attention, *matrices.values()


@pytest.mark.points(2)
def test_has_the_two_projections():
    """Attention has query_proj and key_proj, two square matrices without bias, and no other parameter"""
    shapes = {name: tuple(value.shape) for name, value in solution.Attention(5).state_dict().items()}
    assert shapes == {"query_proj.weight": (5, 5), "key_proj.weight": (5, 5)}, (
        "the statement fixes the parameters: query_proj and key_proj, each nn.Linear(H, H, bias=False)"
    )


@pytest.mark.points(3)
def test_shapes_and_dtypes(seed):
    """The context is (B, H), the weights are (B, T), both with the dtype of the keys"""
    g = torch.Generator().manual_seed(seed)
    cases = [(1, 1, 4, torch.float32), (3, 8, 2, torch.float64), (8, 3, 16, torch.float32)]
    for rows, length, width, dtype in cases:
        attention = solution.Attention(width)
        attention.to(dtype)
        query, keys = torch.randn(rows, width, generator=g), torch.randn(rows, length, width, generator=g)
        mask = torch.ones(rows, length, dtype=torch.bool)
        context, weights = attend(attention, query.to(dtype), keys.to(dtype), mask)
        assert context.dtype == weights.dtype == dtype, "a module that was moved to float64 must answer in float64"


@pytest.mark.points(5)
def test_weights_are_a_distribution_over_time(seed):
    """The weights of each row are not negative and sum to one over the tokens"""
    query, keys, mask = batch(seed)
    _, weights = attend(solution.Attention(6), query, keys, mask)
    assert (weights >= 0).all(), "softmax weights are never negative"
    total = weights.sum(1)
    assert torch.allclose(total, torch.ones(4), atol=1e-5), (
        f"over time the weights sum to {[round(x, 3) for x in total.tolist()]} instead of 1 in each row. Softmax must "
        "run over the time axis of the masked scores: over an axis of size 1 each weight becomes 1, over the batch the "
        "columns sum to 1, and a mask that is multiplied in after a softmax over all tokens leaves less than 1."
    )


@pytest.mark.points(5)
def test_padding_gets_no_weight(seed):
    """A padded token has a weight of exactly zero, a real token a weight above zero"""
    query, keys, mask = batch(seed)
    _, weights = attend(solution.Attention(6), query, keys, mask)
    assert (weights[~mask] == 0).all(), (
        "padded tokens (mask False) got weight. Before softmax their scores must become so low that exp gives 0; a "
        "score of 0 is an ordinary score."
    )
    assert (weights[mask] > 0).all(), "real tokens (mask True) got no weight: is the mask the wrong way round?"


@pytest.mark.points(5)
def test_padded_keys_do_not_matter(seed):
    """What stands in the padded positions changes neither the context nor the weights"""
    query, keys, mask = batch(seed)
    attention = solution.Attention(6)
    context, weights = attend(attention, query, keys, mask)
    other = torch.where(mask.unsqueeze(2), keys, 50 * torch.ones_like(keys))
    context_2, weights_2 = attend(attention, query, other, mask)
    assert torch.allclose(weights, weights_2, atol=1e-6), "other vectors at the padded positions changed the weights"
    assert torch.allclose(context, context_2, atol=1e-5), "other vectors at the padded positions changed the context"


@pytest.mark.points(4)
def test_row_without_tokens_gives_zeros(seed):
    """A row whose mask is False everywhere gives zero weights and a zero context, not NaN"""
    query, keys, mask = batch(seed)
    mask[2] = False
    context, weights = attend(solution.Attention(6), query, keys, mask)
    assert not torch.isnan(weights).any(), "softmax over scores that are all -inf is 0/0 = NaN"
    assert (weights[2] == 0).all(), "a row without any real token must have weights of exactly 0"
    assert (context[2] == 0).all(), "a row without any real token must have a context of exactly 0"
    assert torch.allclose(weights[[0, 1, 3]].sum(1), torch.ones(3), atol=1e-5), "the other rows must stay as they are"


@pytest.mark.points(4)
def test_row_without_tokens_leaves_gradients_finite(seed):
    """One row without tokens does not turn the gradients of the batch into NaN"""
    query, keys, mask = batch(seed)
    mask[2] = False
    query.requires_grad_()
    keys.requires_grad_()
    context, _ = attend(solution.Attention(6), query, keys, mask)
    context.square().sum().backward()
    for name, gradient in [("query", query.grad), ("keys", keys.grad)]:
        assert gradient is None or gradient.isfinite().all(), (
            f"the gradient of {name} has NaN: replacing NaN after softmax repairs the way forward only; give the "
            "masked scores a large negative finite value, or keep such rows out of softmax"
        )


@pytest.mark.points(7)
def test_matches_the_formula(seed):
    """Context and weights agree with the statement's formula, for weights that we set"""
    query, keys, mask = batch(seed, rows=5, length=9, width=4, dtype=torch.float64)
    attention, w_query, w_key = with_weights(seed, 4)
    context, weights = attend(attention, query, keys, mask)
    scores = torch.einsum("bh,bth->bt", query @ w_query.T, keys @ w_key.T) / math.sqrt(4)
    expected = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=1)
    assert torch.allclose(weights, expected, atol=1e-8), (
        "the weights differ from softmax(q·k / sqrt(H)) over the real tokens, with q = query_proj(query) and "
        f"k = key_proj(keys); the largest difference is {(weights - expected).abs().max().item():.3g}"
    )
    pooled = torch.einsum("bt,bth->bh", expected, keys)
    assert torch.allclose(context, pooled, atol=1e-8), "the context is the weighted sum of the keys themselves"


@pytest.mark.points(4)
def test_scores_are_divided_by_the_root_of_the_width():
    """The odds of two tokens are exp of their scores' difference, divided by the square root of H"""
    width = 64
    eye = torch.eye(width, dtype=torch.float64)
    attention = solution.Attention(width)
    attention.to(torch.float64)
    attention.load_state_dict({"query_proj.weight": eye, "key_proj.weight": eye})
    query = torch.ones(1, width, dtype=torch.float64)
    keys = torch.stack([torch.zeros(width), torch.full((width,), 0.25)]).unsqueeze(0).double()
    _, weights = attend(attention, query, keys, torch.ones(1, 2, dtype=torch.bool))
    assert (weights > 0).all(), "both tokens are real and their scores are small, so both get weight"
    odds = math.log(weights[0, 1].item() / weights[0, 0].item())
    assert odds == pytest.approx(16 / math.sqrt(width)), (
        f"a dot product of 16 with H = {width} became a score of {odds:.4g}; divide by sqrt(H), so that it becomes 2"
    )


@pytest.mark.points(3)
def test_reordering_the_tokens_reorders_the_weights(seed):
    """Tokens in another order get the same weights in that order, and the context stays"""
    query, keys, _ = batch(seed)
    mask = torch.ones(4, 7, dtype=torch.bool)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(seed + 2))
    attention = solution.Attention(6)
    context, weights = attend(attention, query, keys, mask)
    context_2, weights_2 = attend(attention, query, keys[:, order], mask)
    assert torch.allclose(weights[:, order], weights_2, atol=1e-6), "a token's weight must not depend on its position"
    assert torch.allclose(context, context_2, atol=1e-5), "a weighted sum does not depend on the order of its terms"


@pytest.mark.points(3)
def test_rows_are_independent(seed):
    """A row alone gets the same weights and context as in a batch"""
    query, keys, mask = batch(seed)
    attention = solution.Attention(6)
    context, weights = attend(attention, query, keys, mask)
    for row in range(4):
        one = slice(row, row + 1)
        context_1, weights_1 = attend(attention, query[one], keys[one], mask[one])
        assert torch.allclose(weights[one], weights_1, atol=1e-6), "other rows of the batch changed this row's weights"
        assert torch.allclose(context[one], context_1, atol=1e-5), "other rows of the batch changed this row's context"


@pytest.mark.points(4)
def test_huge_scores_stay_finite(seed):
    """Scores in the tens of thousands give weights without NaN or inf"""
    query, keys, mask = batch(seed)
    attention, *_ = with_weights(seed, 6, scale=30.0, dtype=torch.float32)
    context, weights = attend(attention, 10 * query, 10 * keys, mask)
    assert weights.isfinite().all(), "exp overflows for large scores: subtract the row's maximum first (softmax does)"
    assert context.isfinite().all(), "the context has NaN or inf"


@pytest.mark.points(3)
def test_gradients_match_numerical_ones(seed):
    """Backward agrees with finite differences, for the query and for the keys"""
    query, keys, mask = batch(seed, rows=2, length=3, width=2, dtype=torch.float64)
    attention, *_ = with_weights(seed, 2)
    query.requires_grad_()
    keys.requires_grad_()
    try:
        torch.autograd.gradcheck(lambda q, k: attend(attention, q, k, mask), (query, keys))
    except RuntimeError as error:
        pytest.fail(f"the gradient is not that of the formula; is a part of it detached? {str(error)[:300]}")


@pytest.mark.points(3)
def test_no_gradient_at_padding(seed):
    """Padded keys get a gradient of exactly zero, real keys do not"""
    query, keys, mask = batch(seed)
    keys.requires_grad_()
    context, _ = attend(solution.Attention(6), query, keys, mask)
    context.square().sum().backward()
    size = keys.grad.abs().sum(2)
    assert (size[~mask] == 0).all(), "the context depends on padded keys"
    assert (size[mask] > 0).all(), "the context does not depend on some real keys"
