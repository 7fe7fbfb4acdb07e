"""Self-attention with several heads, held against torch's own and against what a mask promises."""

import pytest
import solution
import torch

WIDTH, HEADS = 12, 3


def torch_attention(seed, width=WIDTH, heads=HEADS, scale=0.5):
    """torch's module in float64 with weights and biases that we draw."""
    g = torch.Generator().manual_seed(seed)
    other = torch.nn.MultiheadAttention(width, heads, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=g, dtype=torch.float64))
    return other


def candidates(weights, heads=HEADS):
    """The candidate's module in float64 with the given weights."""
    mine = solution.MultiHeadAttention(weights["out_proj.weight"].shape[0], heads)
    mine.to(torch.float64)
    try:
        mine.load_state_dict(weights)
    except Exception as error:
        pytest.fail(
            f"The weights could not be loaded: {str(error)[:300]}\nMultiHeadAttention must have exactly the parameters "
            "in_proj_weight (3D, D), in_proj_bias (3D), out_proj.weight (D, D) and out_proj.bias (D)."
        )
    return mine


def batch(seed, rows=4, length=7, width=WIDTH):
    """x (B, T, D) in float64 and a mask (B, T) with padding in the middle of some rows, too; no row without tokens."""
    g = torch.Generator().manual_seed(seed + 1)
    x = torch.randn(rows, length, width, generator=g, dtype=torch.float64)
    mask = torch.rand(rows, length, generator=g) < 0.6
    mask[:, 0] = mask[0] = True
    mask[1, 2], mask[1, 5] = False, True
    mask[2, 4:] = False
    return x, mask


def attend(attention, x, mask=None):
    """Call the candidate's attention and see to it that two tensors of the right shapes come back."""
    try:
        output, weights = attention(x) if mask is None else attention(x, mask)
    except Exception as error:
        pytest.fail(
            f"MultiHeadAttention.forward raised {type(error).__name__}: {str(error)[:200]}\nIt was called with x "
            f"{tuple(x.shape)}{'' if mask is None else f' and mask {tuple(mask.shape)} bool'} and must return the "
            "tuple (output, weights)."
        )
    rows, length, _ = x.shape
    assert tuple(output.shape) == tuple(x.shape), f"the output must be (B, T, D) = {tuple(x.shape)}"
    assert weights.dim() == 4, "weights must be (B, n_heads, T, T)"
    assert (weights.shape[0], *weights.shape[2:]) == (rows, length, length), "weights must be (B, n_heads, T, T)"
    assert (weights != 0).any(), "all weights are zero"
    assert (output != 0).any(), "the output is zero everywhere"
    return output, weights


@pytest.mark.points(3)
def test_has_torchs_parameters_and_shapes():
    """Parameters are torch's; the output is (B, T, D), the weights are (B, n_heads, T, T), in the dtype of x"""
    for rows, length, width, heads, dtype in [
        (1, 1, 4, 2, torch.float32),
        (3, 8, 6, 1, torch.float64),
        (5, 2, 6, 6, torch.float32),
    ]:
        attention = solution.MultiHeadAttention(width, heads)
        shapes = {name: tuple(value.shape) for name, value in attention.named_parameters()}
        assert shapes == {
            "in_proj_weight": (3 * width, width),
            "in_proj_bias": (3 * width,),
            "out_proj.weight": (width, width),
            "out_proj.bias": (width,),
        }, "the parameters are those of torch.nn.MultiheadAttention"
        attention.to(dtype)
        x = torch.randn(rows, length, width, dtype=dtype)
        output, weights = attend(attention, x, torch.ones(rows, length, dtype=torch.bool))
        assert weights.shape[1] == heads, f"weights must have one matrix for each of the {heads} heads"
        assert output.dtype == weights.dtype == dtype, "a module that was moved to float64 must answer in float64"


@pytest.mark.points(3)
def test_weights_are_a_distribution_over_real_keys(seed):
    """For each head and query the weights sum to 1 over the real keys, and are exactly 0 at padding"""
    x, mask = batch(seed)
    _, weights = attend(candidates(torch_attention(seed).state_dict()), x, mask)
    total = weights.sum(3)
    assert torch.allclose(total, torch.ones_like(total), atol=1e-8), (
        "over the keys, the last axis, the weights must sum to 1: softmax runs over the keys, and over the real ones "
        "only. Multiplying with the mask after a softmax over all keys leaves less than 1"
    )
    keys = mask[:, None, None, :].expand_as(weights)
    assert (weights[~keys] == 0).all(), (
        "padded keys (mask False) got weight: the mask belongs to the keys, which are the last axis of the scores"
    )
    assert (weights[keys] > 0).all(), "real keys (mask True) got no weight: is the mask the wrong way round?"


@pytest.mark.points(6)
def test_matches_torch_without_mask(seed):
    """With the same weights, output and weights are those of torch.nn.MultiheadAttention"""
    for width, heads in [(WIDTH, HEADS), (8, 1), (8, 4), (6, 6)]:
        other = torch_attention(seed, width, heads)
        x, _ = batch(seed, width=width)
        output, weights = attend(candidates(other.state_dict(), heads), x)
        expected, expected_weights = other(x, x, x, average_attn_weights=False)
        assert torch.allclose(weights, expected_weights, atol=1e-8), (
            f"d_model = {width}, n_heads = {heads}: the weights differ from torch's by up to "
            f"{(weights - expected_weights).abs().max().item():.3g}. Rows of in_proj_weight: all of q, all of k, all "
            "of v; head h has the features h * D / n_heads and following; scores divided by the root of the head size"
        )
        assert torch.allclose(output, expected, atol=1e-8), (
            f"d_model = {width}, n_heads = {heads}: the weights are right, the output is not: put the heads side by "
            "side again for each token (move the head axis behind the time axis before reshaping), then out_proj"
        )


@pytest.mark.points(5)
def test_matches_torch_with_mask(seed):
    """With padding at the end and in the middle, real tokens get torch's output with key_padding_mask"""
    other = torch_attention(seed)
    x, mask = batch(seed)
    output, weights = attend(candidates(other.state_dict()), x, mask)
    expected, expected_weights = other(x, x, x, key_padding_mask=~mask, average_attn_weights=False)
    real = mask[:, None, :, None].expand_as(weights)
    assert torch.allclose(weights[real], expected_weights[real], atol=1e-8), (
        "the weights differ from a softmax over the real keys alone: padded scores are -inf, or as good as, before it"
    )
    assert torch.allclose(output[mask], expected[mask], atol=1e-8), "the output differs from torch's with the same mask"


@pytest.mark.points(3)
def test_scores_are_divided_by_the_root_of_the_head_size():
    """The odds of two keys are exp of their scores' difference, divided by the square root of D / n_heads"""
    width, heads = 32, 8
    eye = torch.eye(width, dtype=torch.float64)
    zeros = torch.zeros(width, dtype=torch.float64)
    mine = candidates(
        {
            "in_proj_weight": eye.repeat(3, 1),
            "in_proj_bias": zeros.repeat(3),
            "out_proj.weight": eye,
            "out_proj.bias": zeros,
        },
        heads,
    )
    x = torch.stack([torch.ones_like(zeros), zeros]).unsqueeze(0)
    _, weights = attend(mine, x)
    odds = (weights[0, :, 0, 0] / weights[0, :, 0, 1]).log()
    assert torch.allclose(odds, torch.full_like(odds, 2.0)), (
        f"in a head of size 4 a dot product of 4 became a score of {odds[0].item():.4g}; divide by sqrt(4), so that it "
        "becomes 2: neither by 1, nor by 4, nor by the root of d_model = 32"
    )


@pytest.mark.points(3)
def test_each_head_has_its_own_features(seed):
    """Changing the query rows of head h changes the weights of head h and of no other"""
    state = torch_attention(seed).state_dict()
    x, mask = batch(seed)
    _, before = attend(candidates(state), x, mask)
    assert before.shape[1] == HEADS, "weights must be (B, n_heads, T, T)"
    size = WIDTH // HEADS
    for head in range(HEADS):
        changed = state["in_proj_weight"].clone()
        changed[head * size : (head + 1) * size] += 1
        _, after = attend(candidates({**state, "in_proj_weight": changed}), x, mask)
        moved = [h for h in range(HEADS) if not torch.allclose(before[:, h], after[:, h], atol=1e-6)]
        assert moved == [head], (
            f"the query rows of head {head} were changed and the weights of the heads {moved} moved. Head h has the "
            "features h * size to (h + 1) * size - 1 of each token: view as (B, T, n_heads, size), then transpose"
        )


@pytest.mark.points(3)
def test_row_without_tokens_is_finite(seed):
    """A row whose mask is False everywhere gets zero weights and out_proj.bias, and no gradient becomes NaN"""
    other = torch_attention(seed)
    x, mask = batch(seed)
    mask[3] = False
    mine = candidates(other.state_dict())
    x.requires_grad_()
    output, weights = attend(mine, x, mask)
    assert (weights[3] == 0).all(), "a row without any real token must have weights of exactly 0, not NaN and not 1 / T"
    bias = other.out_proj.bias.detach().expand_as(output[3])
    assert torch.allclose(output[3], bias, atol=1e-8), "with zero weights the output is out_proj of a zero vector"
    output.square().sum().backward()
    assert x.grad is None or x.grad.isfinite().all(), (
        "the gradient of x has NaN: replacing NaN after softmax repairs the way forward only; give the masked scores a "
        "large negative finite value, or keep such rows out of softmax"
    )


@pytest.mark.points(3)
def test_what_stands_at_padding_does_not_matter(seed):
    """Other vectors at the padded positions, or more padding behind, leave the real tokens' output as it was"""
    x, mask = batch(seed)
    mine = candidates(torch_attention(seed).state_dict())
    output, _ = attend(mine, x, mask)
    changed, _ = attend(mine, torch.where(mask.unsqueeze(2), x, 30 * torch.ones_like(x)), mask)
    assert torch.allclose(output[mask], changed[mask], atol=1e-8), "other vectors at padded positions changed the rest"
    longer = torch.nn.functional.pad(x, (0, 0, 0, 6), value=3.0)
    output_2, _ = attend(mine, longer, torch.nn.functional.pad(mask, (0, 6)))
    assert torch.allclose(output[mask], output_2[:, :7][mask], atol=1e-8), "more padding behind changed the rest"


@pytest.mark.points(2)
def test_huge_scores_stay_finite(seed):
    """Scores of many thousands give weights and an output without NaN, in float32"""
    x, mask = batch(seed)
    mine = candidates(torch_attention(seed, scale=20.0).state_dict())
    mine.to(torch.float32)
    output, weights = attend(mine, x.float() * 5, mask)
    assert weights.isfinite().all(), "exp overflowed: subtract the largest score first, or use torch.softmax"
    assert output.isfinite().all(), "the output has NaN or inf"


@pytest.mark.points(3)
def test_gradients_match_numerical_ones(seed):
    """The gradient with respect to x, through both output and weights, agrees with finite differences"""
    x = batch(seed, rows=3, width=4)[0][:, :3]
    mine = candidates(torch_attention(seed, 4, 2).state_dict(), 2)
    mask = torch.tensor([[True, True, True], [True, False, True], [True, True, False]])
    try:
        torch.autograd.gradcheck(lambda value: mine(value, mask), (x.requires_grad_(),))
    except Exception as error:
        pytest.fail(f"the gradient is not that of the formula; is q, k or the softmax detached? {str(error)[:300]}")
