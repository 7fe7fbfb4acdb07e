"""The loss, what the model is fed for it, and the perplexity, with logits that the judge knows."""

import math
import random

import pytest
import solution
import torch
from scripted import BOS, EOS, PAD, Scripted


def drawn(seed, rows=5, steps=7, size=9):
    """Random logits (B, T, V) and targets (B, T) whose rows end in PAD, in float64."""
    g = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, steps, size, generator=g, dtype=torch.float64)
    targets = torch.randint(1, size, (rows, steps), generator=g)
    for row, length in enumerate(torch.randperm(rows, generator=g).tolist()):
        targets[row, length + 2 :] = PAD
    return logits, targets


def surprise(logits, targets):
    """The sum of minus log p over the targets that are not PAD, one by one, and their number."""
    total, count = 0.0, 0
    for row, wanted in zip(logits.double().flatten(0, 1), targets.flatten().tolist(), strict=True):
        if wanted != PAD:
            total += (row.logsumexp(dim=0) - row[wanted]).item()
            count += 1
    return total, count


def sequences_of(seed, lengths):
    """Random sequences of ids of these lengths."""
    rng = random.Random(seed)
    return [[rng.randint(3, 8) for _ in range(length)] for length in lengths]


def truth(scripted, sequences):
    """The sum of minus log p of the sequences and their EOS under a scripted model, and the number of tokens."""
    total, count = 0.0, 0
    for sequence in sequences:
        logits, _ = scripted.run(torch.tensor([[BOS, *sequence]]))
        part, tokens = surprise(logits, torch.tensor([[*sequence, EOS]]))
        total, count = total + part, count + tokens
    return total, count


@pytest.mark.points(4)
def test_loss_is_the_mean_over_real_targets(seed):
    """sequence_loss is the mean cross-entropy over the targets that are not PAD, for huge logits, too"""
    logits, targets = drawn(seed)
    total, count = surprise(logits, targets)
    loss = solution.sequence_loss(logits, targets)
    assert tuple(loss.shape) == (), "the loss is a tensor with one number"
    assert loss.item() == pytest.approx(total / count, rel=1e-6), (
        f"the {count} real targets of {targets.numel()} have a mean cross-entropy of {total / count:.5f}, "
        f"sequence_loss gave {loss.item():.5f}: PAD counts neither in the sum nor in the number"
    )
    huge = (1e4 * logits).requires_grad_()
    total, count = surprise(huge.detach(), targets)
    loss = solution.sequence_loss(huge, targets)
    assert loss.item() == pytest.approx(total / count, rel=1e-6), (
        f"the loss of huge logits is {loss.item()}, expected {total / count:.1f}: take the logarithm of the softmax in "
        "one step, for the softmax alone underflows to 0"
    )
    loss.backward()
    assert huge.grad.isfinite().all(), "the gradient of the loss of huge logits is not finite"


@pytest.mark.points(3)
def test_padding_has_no_influence(seed):
    """Logits at PAD change nothing and get no gradient; at real targets the gradient is (softmax - one-hot) / count"""
    logits, targets = drawn(seed)
    real = targets != PAD
    logits.requires_grad_()
    solution.sequence_loss(logits, targets).backward()
    assert logits.grad is not None, "no gradient reaches the logits"
    assert (logits.grad[~real] == 0).all(), "a gradient reaches logits whose target is PAD"
    expected = torch.softmax(logits.detach(), dim=-1)[real]
    expected[torch.arange(len(expected)), targets[real]] -= 1
    assert torch.allclose(logits.grad[real], expected / len(expected), atol=1e-8), (
        "the gradient is not that of the mean"
    )
    other = logits.detach().clone()
    other[~real] += 100 * torch.randn_like(other[~real])
    assert torch.allclose(solution.sequence_loss(other, targets), solution.sequence_loss(logits.detach(), targets)), (
        "other logits at PAD gave another loss"
    )


@pytest.mark.points(4)
def test_model_is_fed_the_true_tokens(seed):
    """teacher_forced_loss feeds BOS and the true tokens, and returns their mean cross-entropy, EOS included"""
    scripted = Scripted(seed)
    sequences = sequences_of(seed, [4, 1, 7])
    total, count = truth(scripted, sequences)
    loss = float(solution.teacher_forced_loss(scripted.model, sequences))
    assert scripted.fed, "teacher_forced_loss did not call the model"
    if {len(tokens) for tokens in scripted.fed} == {3}:
        rows = torch.cat(scripted.fed, dim=1).tolist()  # at once or step by step
    else:
        rows = [row for tokens in scripted.fed for row in tokens.tolist()]  # one sequence after the other
    for sequence in sequences:
        wanted = [BOS, *sequence]
        assert wanted in [row[: len(wanted)] for row in rows], (
            f"for the sequences {sequences} the model was fed {rows}, in which {wanted} is missing: under teacher "
            "forcing the input of a step is the true token before it, whatever the model would have said"
        )
    assert loss == pytest.approx(total / count, rel=1e-4), (
        f"the loss is {loss:.5f}, expected {total / count:.5f}: the mean over the {count} tokens of the sequences and "
        "their EOS"
    )


@pytest.mark.points(4)
def test_perplexity_weighs_tokens_alike(seed):
    """perplexity is exp of the mean over all tokens, whatever the batch size, and starts each batch without a state"""
    lengths = [1, 2, 9, 3, 12, 1, 1]
    sequences = sequences_of(seed, lengths)
    for batch_size in (3, 1, 7, 50):
        scripted = Scripted(seed)
        total, count = truth(scripted, sequences)
        found = float(solution.perplexity(scripted.model, sequences, batch_size))
        assert all(len(tokens) <= batch_size for tokens in scripted.fed), "a batch had more than batch_size rows"
        assert found == pytest.approx(math.exp(total / count), rel=1e-4), (
            f"seven sequences of lengths {lengths} in batches of {batch_size}: perplexity {found:.4f}, expected "
            f"{math.exp(total / count):.4f}. Sum over all tokens and divide by their number: a mean of the batches' "
            "means gives the tokens of short sequences more weight. No state goes from one batch to the next"
        )
