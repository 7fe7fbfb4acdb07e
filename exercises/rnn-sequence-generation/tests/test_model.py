"""The recurrent model, whatever its cell: shapes, causality, state and gradients."""

import pytest
import solution
import torch

VOCABULARY = 11


def model_of(seed, hidden=7):
    """An untrained model of the candidate's, in float64, in evaluation mode."""
    torch.manual_seed(seed)
    model = solution.RNNLanguageModel(VOCABULARY, 5, hidden)
    model.to(torch.float64)
    model.eval()
    return model


def tokens_of(seed, rows=4, steps=6):
    """Tokens (B, T), none of them special; B and T differ, so that mixing them up shows."""
    return torch.randint(3, VOCABULARY, (rows, steps), generator=torch.Generator().manual_seed(seed))


def run(model, tokens, state=None):
    """Logits and state, after a look whether the logits are those of a model at all."""
    logits, state = model(tokens) if state is None else model(tokens, state)
    expected = (*tokens.shape, VOCABULARY)
    assert tuple(logits.shape) == expected, f"the logits must be (B, T, V) = {expected}, not {tuple(logits.shape)}"
    assert logits.std() > 0, "the logits are all the same"
    return logits, state


def differ(first, second):
    """How far apart two tensors are at most."""
    return (first - second).abs().max().item()


@pytest.mark.points(3)
def test_logits_have_the_right_shape():
    """The model returns logits (B, T, V), not probabilities, and grows with embedding_size and hidden_size"""
    for rows, steps, size, embedding, hidden in [(1, 1, 4, 3, 2), (2, 7, 9, 2, 6), (5, 3, 6, 8, 4)]:
        model = solution.RNNLanguageModel(size, embedding, hidden)
        logits, _ = model(torch.randint(0, size, (rows, steps)))
        assert tuple(logits.shape) == (rows, steps, size), (
            f"the logits are {tuple(logits.shape)}, expected (B, T, V) = {(rows, steps, size)}"
        )
        assert logits.dtype == torch.float32, "the logits are float32 in a model that was not moved"
        sums = logits.exp().sum(dim=-1)
        assert (sums - 1).abs().max() > 1e-4, "these are log-probabilities: return what comes before the softmax"
        assert (logits.sum(dim=-1) - 1).abs().max() > 1e-4, (
            "these are probabilities: return what comes before the softmax"
        )
    numbers = []
    for embedding, hidden in [(5, 7), (40, 7), (5, 30)]:
        model = solution.RNNLanguageModel(VOCABULARY, embedding, hidden)
        model(torch.randint(0, VOCABULARY, (1, 2)))
        numbers.append(sum(value.numel() for value in model.state_dict().values()))
    for which, number in zip(("embedding_size", "hidden_size"), numbers[1:], strict=True):
        assert number > numbers[0], (
            f"with a larger {which} the model has {number} numbers in its parameters, with a smaller one {numbers[0]}: "
            "make the layers in the sizes that the constructor is given"
        )


@pytest.mark.points(4)
def test_one_token_at_a_time_equals_one_pass(seed):
    """Fed in pieces, or token by token with the state handed on, the model gives the logits of one pass"""
    model, tokens = model_of(seed), tokens_of(seed)
    whole, _ = run(model, tokens)
    for sizes in ([1] * 6, [4, 2], [1, 3, 2]):
        state, pieces = None, []
        for piece in tokens.split(sizes, dim=1):
            logits, state = run(model, piece, state)
            pieces.append(logits)
        apart = differ(whole, torch.cat(pieces, dim=1))
        assert apart < 1e-8, (
            f"in pieces of {sizes} tokens the logits differ by up to {apart:.3g} from one pass: the state that comes "
            "with the tokens must be where the recurrence starts, and the returned one where it ended"
        )


@pytest.mark.points(3)
def test_history_counts_and_future_does_not(seed):
    """The logits of a step depend on all tokens up to it, on none after it"""
    model, tokens = model_of(seed, hidden=32), tokens_of(seed)  # of few units with a ReLU all may be off
    before, _ = run(model, tokens)
    for step in (0, 3, 5):
        changed = tokens.clone()
        changed[:, step] = 3 + (changed[:, step] - 2) % (VOCABULARY - 3)
        after, _ = run(model, changed)
        if step > 0:
            assert differ(before[:, :step], after[:, :step]) < 1e-9, (
                f"a change of token {step} changed logits before it: they know the tokens that they are to predict"
            )
        for later in range(step, 6):
            assert differ(before[:, later], after[:, later]) > 1e-12, (
                f"a change of token {step} left the logits of step {later} as they were: is there a recurrence?"
            )


@pytest.mark.points(3)
def test_calls_and_rows_do_not_mix(seed):
    """Without a state each call starts afresh, and each row of a batch gets what it gets alone"""
    model, tokens = model_of(seed), tokens_of(seed)
    first, _ = run(model, tokens)
    run(model, tokens_of(seed + 1))
    again, _ = run(model, tokens)
    assert differ(first, again) < 1e-9, (
        "the same tokens gave other logits after another call: a call without a state starts from none, not from where "
        "the last call ended"
    )
    for row in range(len(tokens)):
        alone, _ = run(model, tokens[row : row + 1])
        assert differ(first[row], alone[0]) < 1e-9, (
            "a row alone gets other logits than in the batch: the batch is dim 0, time is dim 1"
        )


def derivative(model, tokens, weights, cut, seed):
    """Of a weighted sum of the last logits in a random direction of the parameters: by backward, by differences."""
    values = {name: value.clone() for name, value in model.state_dict().items()}
    g = torch.Generator().manual_seed(seed)
    direction = {name: torch.randn(value.shape, generator=g, dtype=torch.float64) for name, value in values.items()}

    def score():
        state = None
        for piece in tokens.split(cut, dim=1):
            logits, state = run(model, piece, state)
        return (weights * logits[:, -1]).sum()

    names, parameters = zip(*model.named_parameters(), strict=True)
    grads = torch.autograd.grad(score(), list(parameters), allow_unused=True)
    by_backward = sum(
        (direction[name] * grad).sum().item() for name, grad in zip(names, grads, strict=True) if grad is not None
    )
    scores = []
    for sign in (1, -1):
        model.load_state_dict({name: value + sign * 1e-7 * direction[name] for name, value in values.items()})
        scores.append(score().item())
    model.load_state_dict(values)
    return by_backward, (scores[0] - scores[1]) / 2e-7


@pytest.mark.points(4)
def test_gradient_goes_through_time(seed):
    """The gradient of the last logits goes back through all steps, and through a state that was handed on"""
    model, tokens = model_of(seed), tokens_of(seed)
    g = torch.Generator().manual_seed(seed + 2)
    weights = torch.randn(len(tokens), VOCABULARY, generator=g, dtype=torch.float64)
    for cut in ([6], [3, 3]):
        # In one direction differences may step over the kink of a ReLU, in both they don't.
        pairs = [derivative(model, tokens, weights, cut, seed + direction) for direction in (0, 1)]
        found, expected = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
        assert any(first == pytest.approx(second, rel=1e-4, abs=1e-5) for first, second in pairs), (
            f"fed in pieces of {cut} tokens, the derivative by backward is {found:.5g}, by differences "
            f"{expected:.5g}: the state is detached on its way"
        )
