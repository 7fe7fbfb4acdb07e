"""The encoder block and the untrained classifier, held against ones that we build from torch's layers."""

import pytest
import solution
import torch
from networks import Classifier, torch_block

from grader.suite import in_guest

WIDTH, HEADS, HIDDEN, LAYERS = 12, 3, 20, 2
VOCABULARY, CLASSES = 15, 3


def drawn(module, seed):
    """The module with parameters that we draw; norms keep gains around 1."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values = 0.4 * torch.randn(parameter.shape, generator=g, dtype=parameter.dtype)
            parameter.copy_(1 + values if "norm" in name and name.endswith("weight") else values)
    return module


def load(mine, weights, what):
    """Give the candidate's module these weights, by name."""
    missing = set(weights) ^ {name for name, _ in mine.named_parameters()}
    assert not missing, f"{what} must have exactly the parameters that the statement names; look at {sorted(missing)}"
    try:
        mine.load_state_dict(weights, strict=False)
    except Exception as error:
        pytest.fail(f"The weights of {what} could not be loaded: {str(error)[:300]}")
    mine.eval()
    return mine


def block(weights, dropout=0.0):
    """The candidate's block in float64 with the given weights, in evaluation mode."""
    mine = solution.EncoderBlock(WIDTH, HEADS, HIDDEN, dropout)
    mine.to(torch.float64)
    return load(mine, weights, "EncoderBlock")


def encode(mine, x, mask):
    """Call the candidate's block and see to it that one tensor of the right shape comes back."""
    output = mine(x, mask)
    assert tuple(output.shape) == tuple(x.shape), f"the block must return (B, T, D) = {tuple(x.shape)}"
    return output


def vectors(seed, rows=4, length=7):
    """x (B, T, D) in float64 and a mask (B, T) that leaves each row a different number of tokens."""
    g = torch.Generator().manual_seed(seed + 1)
    x = torch.randn(rows, length, WIDTH, generator=g, dtype=torch.float64)
    return x, torch.arange(length) < torch.tensor([length, 3, 5, 1]).unsqueeze(1)


def drawn_block(seed):
    """torch's pre-norm block in float64, with weights that we draw."""
    return drawn(torch_block(WIDTH, HEADS, HIDDEN).double(), seed)


def classifier(seed, dropout=0.0):
    """The statement's classifier from torch's layers, and the candidate's with the same weights in evaluation mode."""
    other = drawn(Classifier(VOCABULARY, CLASSES, WIDTH, HEADS, HIDDEN, LAYERS), seed)
    mine = solution.TextClassifier(VOCABULARY, CLASSES, WIDTH, HEADS, HIDDEN, LAYERS, dropout)
    return other, load(mine, other.state_dict(), "TextClassifier")


def batch(seed, rows=6, length=9, scattered=False):
    """Tokens (B, T) with zeros at the padding, and their mask; lengths from 3 to T, or padding anywhere."""
    g = torch.Generator().manual_seed(seed + 2)
    tokens = torch.randint(1, VOCABULARY, (rows, length), generator=g)
    lengths = torch.randint(3, length, (rows,), generator=g)
    lengths[0] = length
    mask = torch.arange(length) < lengths.unsqueeze(1)
    if scattered:
        mask = torch.rand(rows, length, generator=g) < 0.6
        mask[:, 4] = True
        mask[0, :4] = mask[1, 2:4] = False
    return tokens * mask, mask


def classify(model, tokens, mask):
    """Call the candidate's classifier and see to it that logits of the right shape come back."""
    logits = model(tokens, mask)
    assert tuple(logits.shape) == (len(tokens), CLASSES), f"logits must be (B, C) = {(len(tokens), CLASSES)}"
    assert len(tokens) == 1 or not torch.equal(logits, logits[:1].expand_as(logits)), "all texts got the same logits"
    return logits


@pytest.mark.points(5)
def test_block_matches_torch(seed):
    """With the same weights the block gives real tokens the output of torch's pre-norm TransformerEncoderLayer"""
    other = drawn_block(seed)
    x, mask = vectors(seed)
    output = encode(block(other.state_dict()), x, mask)
    expected = other(x, src_key_padding_mask=~mask).detach()
    assert torch.allclose(output[mask], expected[mask], atol=1e-8), (
        f"the output differs from torch's by up to {(output - expected)[mask].abs().max().item():.3g}. Pre-norm: x + "
        "attention(norm1(x)), then x + linear2(relu(linear1(norm2(x)))); the norms run over the features of each token"
    )


@pytest.mark.points(3)
def test_residual_paths_pass_the_input_on(seed):
    """If out_proj and linear2 are zero, the block returns its input unchanged, in training mode with dropout, too"""
    weights = dict(drawn_block(seed).state_dict())
    for name in ("self_attn.out_proj.weight", "self_attn.out_proj.bias", "linear2.weight", "linear2.bias"):
        weights[name] = torch.zeros_like(weights[name])
    x, mask = vectors(seed)
    mine = block(weights, dropout=0.5)
    output = encode(mine, x, mask)
    assert torch.allclose(output[mask], x[mask], atol=1e-10), (
        "in a pre-norm block nothing but the two sums touches the residual path: no norm after a sum, no sum left out"
    )
    mine.train()
    output = encode(mine, x, mask)
    assert torch.allclose(output[mask], x[mask], atol=1e-10), (
        "in training mode dropout acts on what is added, here zeros, and not on the sum: x must come out as it was"
    )


@pytest.mark.points(2)
def test_block_without_a_mask(seed):
    """Called without a mask, the block takes all tokens for real ones"""
    mine = block(drawn_block(seed).state_dict())
    x, _ = vectors(seed)
    try:
        output = mine(x)
    except Exception as error:
        pytest.fail(
            f"EncoderBlock.forward(x) raised {type(error).__name__}: {str(error)[:200]}; the mask may be left out"
        )
    expected = encode(mine, x, torch.ones(x.shape[:2], dtype=torch.bool))
    assert tuple(output.shape) == tuple(x.shape), f"the block must return (B, T, D) = {tuple(x.shape)}"
    assert torch.allclose(output, expected, atol=1e-8), "no mask must be as good as one that is True everywhere"


def only_a_bias(weights, biases):
    """The weights with out_proj and linear2 set to zero but for the biases with these endings, which become 1."""
    ends = "out_proj.weight", "out_proj.bias", "linear2.weight", "linear2.bias"
    return {
        name: torch.full_like(value, float(name.endswith(biases))) if name.endswith(ends) else value
        for name, value in weights.items()
    }


def check_dropout_of_ones(mine, x, mask, what):
    """In training mode, with dropout 0.5 and only ones to be added, each of them must become 0 or 2."""
    mine.train()
    added = (encode(mine, x, mask) - x)[mask]
    dropped, kept = added.abs() < 1e-4, (added - 2).abs() < 1e-4
    assert (dropped | kept).all(), (
        f"{what} must become 0 or, scaled by 1 / (1 - 0.5), 2; yours became {added[~(dropped | kept)][:5].tolist()}. "
        "Dropout acts on all that is added to the residual path, with the probability `dropout`"
    )
    assert dropped.any(), f"{what} were all kept, with dropout 0.5"
    assert kept.any(), f"{what} were all dropped, with dropout 0.5"


@pytest.mark.points(4)
def test_dropout_acts_in_training_only(seed):
    """Dropout acts on both things that are added, in training mode only; the classifier hands its own to its blocks"""
    weights = drawn_block(seed).state_dict()
    x, mask = vectors(seed)
    mine = block(weights, dropout=0.5)
    first, second = encode(mine, x, mask), encode(mine, x, mask)
    assert torch.equal(first[mask], second[mask]), (
        "in evaluation mode the same input gave two outputs: nn.functional.dropout needs training=self.training"
    )
    assert torch.allclose(first[mask], encode(block(weights), x, mask)[mask], atol=1e-10), (
        "eval() means no dropout at all"
    )
    mine.train()
    first, second = encode(mine, x, mask), encode(mine, x, mask)
    assert not torch.equal(first[mask], second[mask]), (
        "in training mode with dropout 0.5 two passes gave the same output"
    )
    for bias in ("out_proj.bias", "linear2.bias"):
        check_dropout_of_ones(block(only_a_bias(weights, bias), dropout=0.5), x, mask, f"the ones of {bias}")
    other, mine = classifier(seed, dropout=0.5)
    load(mine, only_a_bias(other.state_dict(), "linear2.bias"), "TextClassifier")
    for i in range(LAYERS):
        what = f"in a TextClassifier with dropout 0.5, the ones of blocks.{i}.linear2.bias"
        check_dropout_of_ones(mine.blocks[i], x.float(), mask, what)


@pytest.mark.points(5)
def test_classifier_matches_one_of_torchs_layers(seed):
    """With weights that we set, the logits are those of the same classifier built from torch's layers"""
    other, mine = classifier(seed, dropout=0.3)
    for scattered, where in [(False, "at the end"), (True, "in front of the words and between them, too")]:
        tokens, mask = batch(seed, scattered=scattered)
        logits = classify(mine, tokens, mask)
        expected = other(tokens, mask).detach()
        assert torch.allclose(logits, expected, atol=1e-4), (
            f"with padding {where}, the logits differ by up to {(logits - expected).abs().max().item():.3g} from "
            "head(mean over real tokens of norm(blocks(embedding + positions))). They are raw scores, before any "
            "softmax, and the mask alone says which tokens are real"
        )


@pytest.mark.points(4)
def test_padding_changes_nothing(seed):
    """More padding, and other tokens at the padding, leave the logits as they were"""
    _, mine = classifier(seed)
    tokens, mask = batch(seed)
    logits = classify(mine, tokens, mask)
    other = classify(mine, torch.where(mask, tokens, 3), mask)
    assert torch.allclose(logits, other, atol=1e-5), "the mask says what is padding: tokens there must not matter"
    pad = torch.nn.functional.pad
    longer = classify(mine, pad(tokens, (0, 11)), pad(mask, (0, 11)))
    assert torch.allclose(logits, longer, atol=1e-5), (
        f"more padding moved the logits by up to {(logits - longer).abs().max().item():.3g}: neither attention nor the "
        "mean may count padded positions"
    )


@pytest.mark.points(3)
def test_order_matters(seed):
    """The same words in the opposite order get other logits"""
    _, mine = classifier(seed)
    tokens, _ = batch(seed)
    tokens, mask = tokens[:1], torch.ones(1, 9, dtype=torch.bool)
    tokens[0] = torch.arange(1, 10)
    difference = (classify(mine, tokens, mask) - classify(mine, tokens.flip(1), mask)).abs().max().item()
    assert difference > 1e-3, "without positions in front of the blocks the model is a bag of words"


@pytest.mark.points(3)
def test_text_without_words_is_finite(seed):
    """A row of padding only gets head.bias for its logits, and the other rows stay as they were"""
    other, mine = classifier(seed)
    tokens, mask = batch(seed)
    logits = classify(mine, tokens, mask)
    mask[2] = False
    emptied = classify(mine, tokens * mask, mask)
    assert torch.allclose(emptied[2], other.head.bias.detach(), atol=1e-5), (
        f"the mean over no token is zero, so the logits are head.bias; yours are {emptied[2].tolist()}"
    )
    rest = [0, 1, 3, 4, 5]
    assert torch.allclose(emptied[rest], logits[rest], atol=1e-5), "an empty text changed the logits of the others"


@in_guest
def gradients(model, tokens, mask):
    """The largest gradient of each parameter and that of each word's embedding; runs beside the candidate's code."""
    model(tokens, mask).square().sum().backward()
    lost = float("nan")
    sizes = {n: lost if p.grad is None else p.grad.abs().max().item() for n, p in model.named_parameters()}
    return sizes, model.embedding.weight.grad.abs().sum(1)


@pytest.mark.points(3)
def test_gradient_reaches_everything(seed):
    """Training moves each parameter and each word that occurs, but nothing for the padding, and gives no NaN"""
    _, mine = classifier(seed)
    tokens, mask = batch(seed)
    mask[2] = False
    tokens *= mask
    try:
        sizes, words = gradients(mine, tokens, mask)
    except Exception as error:
        pytest.fail(f"backward through the classifier raised {type(error).__name__}: {str(error)[:200]}")
    dead = [name for name, size in sizes.items() if not 0 < size < float("inf")]
    assert not dead, f"no gradient, or NaN, reaches {dead}; an empty text in the batch must not spoil it"
    used = torch.tensor(sorted(set(tokens[mask].tolist())))
    assert (words[used] > 0).all(), "some words that occur get no gradient"
    assert words[0].item() == 0, "the embedding of the padding gets a gradient, so padding takes part in the logits"


@pytest.mark.points(2)
def test_long_texts_work(seed):
    """A text of 700 words, longer than any table that one would make, is classified as by torch's layers"""
    other, mine = classifier(seed)
    tokens = torch.randint(1, VOCABULARY, (2, 700), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(tokens, dtype=torch.bool)
    try:
        logits = classify(mine, tokens, mask)
    except Exception as error:
        pytest.fail(f"a text of 700 words raised {type(error).__name__}: {str(error)[:200]}")
    assert torch.allclose(logits, other(tokens, mask).detach(), atol=1e-3), "each position has an encoding of its own"
