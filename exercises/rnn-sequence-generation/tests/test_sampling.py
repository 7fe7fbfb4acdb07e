"""Tokens drawn from logits: their distribution, and what has no distribution."""

import pytest
import solution
import torch

from grader.suite import in_guest, threshold

DRAWS = 20_000

# The distance of 20000 draws from 8 tokens to their distribution is 0.008 on average, and above 0.03 for one right
# solution in 10^8 (McDiarmid's inequality).
NEAR = 0.03


@in_guest
def generator_of(number):
    """A generator on the candidate's side, where the drawing is done."""
    return torch.Generator().manual_seed(number)


@in_guest
def drawn_after(function, logits, number, global_seed):
    """Tokens drawn with a fresh generator after torch's global one was set to something else."""
    torch.manual_seed(global_seed)
    generator = torch.Generator().manual_seed(number)
    return [function(logits, 1.0, None, generator) for _ in range(3)]


def logits_of(seed, size=8):
    """Logits (V,) between -1 and 1 in random order, at least 0.15 apart."""
    g = torch.Generator().manual_seed(seed)
    even = torch.linspace(-1, 1, size) + 0.06 * (2 * torch.rand(size, generator=g) - 1)
    return even[torch.randperm(size, generator=g)]


def sample(logits, *args, seed=0):
    """sample_next, checked for its form. The generator is made from the seed."""
    found = solution.sample_next(logits, *args, generator=generator_of(seed % 2**31))
    assert tuple(found.shape) == (len(logits),), f"sample_next returned {tuple(found.shape)}, expected (B,)"
    assert found.dtype == torch.int64, "sample_next must return int64"
    assert ((found >= 0) & (found < logits.shape[1])).all(), "sample_next returned tokens that do not exist"
    return found


def distance(tokens, probabilities):
    """The total variation distance between draws and their distribution."""
    shares = torch.bincount(tokens, minlength=len(probabilities)).double() / len(tokens)
    return (shares - probabilities).abs().sum().item() / 2


def probabilities(logits, temperature, top_k):
    """What the statement asks for."""
    weights = torch.exp(logits.double() / temperature)
    weights[logits.argsort(descending=True)[top_k:]] = 0
    return weights / weights.sum()


@pytest.mark.points(5)
def test_temperature_shapes_the_distribution(seed):
    """20000 draws follow softmax(logits / temperature), below 1, at 1 and above, each row by its own logits"""
    worst, of = 0.0, 1.0
    for number, temperature in enumerate((0.5, 1.0, 2.5)):
        logits = logits_of(seed + number)
        tokens = sample(logits.expand(DRAWS, -1), temperature, seed=seed + number)
        apart = distance(tokens, probabilities(logits, temperature, len(logits)))
        if apart >= worst:
            worst, of = apart, temperature
    assert threshold("distance of draws from softmax(logits / temperature)", worst, at_most=NEAR), (
        f"at temperature {of} the draws are {worst:.1%} away from softmax(logits / temperature), at most {NEAR:.0%} is "
        "chance. Divide the logits, not the probabilities, and divide: below 1 the likely tokens get likelier"
    )
    g = torch.Generator().manual_seed(seed)
    best = torch.randint(0, 12, (200,), generator=g)
    logits = torch.randn(200, 12, generator=g)
    logits[torch.arange(200), best] += 60
    tokens = sample(logits, 1.0, 4, seed=seed)
    wrong = int((tokens != best).sum())
    assert wrong == 0, f"{wrong} of 200 rows, each with one token that is all but certain, drew another token"


@pytest.mark.points(5)
def test_top_k_keeps_the_largest(seed):
    """With top_k only the k largest logits are drawn, in the proportions that they had"""
    worst, of = 0.0, (1.0, 1)
    for number, (temperature, k) in enumerate([(1.0, 3), (0.7, 5), (2.0, 2), (1.0, 1)]):
        logits = logits_of(seed + 10 + number)
        tokens = sample(logits.expand(DRAWS, -1), temperature, k, seed=seed + number)
        kept = set(logits.argsort(descending=True)[:k].tolist())
        extra = set(tokens.tolist()) - kept
        assert not extra, f"top_k = {k} keeps {sorted(kept)}, but {sorted(extra)} were drawn: logits {logits.tolist()}"
        apart = distance(tokens, probabilities(logits, temperature, k))
        if apart >= worst:
            worst, of = apart, (temperature, k)
    assert threshold("distance of draws from the distribution over the top k", worst, at_most=NEAR), (
        f"at temperature {of[0]} and top_k = {of[1]} the draws are {worst:.1%} away from softmax(logits / temperature) "
        f"over the {of[1]} largest logits, at most {NEAR:.0%} is chance"
    )


@pytest.mark.points(2)
def test_temperature_zero_takes_the_largest(seed):
    """Temperature 0 takes the largest logit, with or without top_k; of several largest any"""
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(50, 9, generator=g)
    for top_k in (None, 3):
        found = sample(logits, 0.0, top_k, seed=seed)
        assert torch.equal(found, logits.argmax(dim=1)), f"temperature 0, top_k = {top_k}: not the largest logit"
    tied = torch.tensor([[0.0, 2.0, -1.0, 2.0, 2.0]]).expand(20, -1)
    found = set(sample(tied, 0, seed=seed).tolist())
    assert found <= {1, 3, 4}, f"of the logits (0, 2, -1, 2, 2) temperature 0 took {sorted(found)}"


@pytest.mark.points(3)
def test_top_k_at_its_limits(seed):
    """top_k from V on changes nothing; of equal logits exactly k can be drawn; senseless settings raise ValueError"""
    logits = logits_of(seed + 20, size=5)
    wanted = probabilities(logits, 1.0, 5)
    apart = max(distance(sample(logits.expand(DRAWS, -1), 1.0, k, seed=seed), wanted) for k in (5, 6, 1000))
    assert threshold("distance of draws with top_k not below V", apart, at_most=NEAR), (
        f"with 5 tokens and top_k = 5, 6 or 1000 the draws are up to {apart:.1%} away from softmax(logits): nothing is "
        "to be left out"
    )
    for values, k in [((1.0, 1.0, 1.0, 1.0, 1.0), 2), ((0.5, 3.0, 0.5, 0.5, 0.5), 3)]:
        tokens = sample(torch.tensor(values).expand(2000, -1), 1.0, k, seed=seed)
        found = tokens.unique().tolist()
        assert len(found) == k, (
            f"from the logits {values} with top_k = {k} the tokens {found} were drawn: exactly {k} can be drawn, "
            "always the same; comparing with the k-th largest value keeps all that equal it"
        )
    for temperature, k in [(-0.5, None), (1.0, 0)]:
        with pytest.raises(ValueError):  # noqa: PT011 - the wording is the candidate's
            solution.sample_next(logits.unsqueeze(0), temperature, k)


@pytest.mark.points(3)
def test_extreme_logits_are_drawn_right(seed):
    """Huge logits, tiny temperatures and logits of -inf give the right tokens, never an error or a forbidden token"""
    infinite = float("inf")
    cases = [
        ("three largest logits of 10000", (1e4, 1e4, -1e4, 1e4), 1.0, None, {0, 1, 3}),
        ("all logits far below zero", (-1e4, -1e4 + 50, -2e4, -1e4), 1.0, None, {1}),
        ("temperature 1e-6", (1.0, 0.0, 2.0, -3.0), 1e-6, None, {2}),
        ("huge logits at temperature 0.01", (3e4, -3e4, 2e4, 0.0), 0.01, 3, {0}),
        ("two logits of -inf", (-infinite, 0.5, 0.5, -infinite), 1.0, None, {1, 2}),
        ("two logits of -inf, top_k = 3", (-infinite, 0.5, 0.5, -infinite), 0.5, 3, {1, 2}),
        ("temperature 1000", (5.0, -5.0, 0.0, 3.0), 1000.0, None, {0, 1, 2, 3}),
    ]
    for name, values, temperature, top_k, expected in cases:
        found = set(sample(torch.tensor(values).expand(300, -1), temperature, top_k, seed=seed).tolist())
        assert found == expected, (
            f"{name}: logits {values} gave the tokens {sorted(found)}, expected {sorted(expected)}"
        )


@pytest.mark.points(3)
def test_generator_decides(seed):
    """The generator alone decides: the same gives the same tokens, it moves on with each call, another gives others"""
    logits = torch.randn(60, 9, generator=torch.Generator().manual_seed(seed))
    number = seed % 2**31
    first = drawn_after(solution.sample_next, logits, number, 1)
    again = drawn_after(solution.sample_next, logits, number, 2)
    other = drawn_after(solution.sample_next, logits, number + 1, 1)
    for call, (tokens, same) in enumerate(zip(first, again, strict=True)):
        assert torch.equal(tokens, same), (
            f"call {call + 1} with equal generators gave different tokens: all randomness comes from `generator`"
        )
    assert not all(torch.equal(first[0], tokens) for tokens in first[1:]), (
        "three calls with one generator gave the same tokens: it has to move on"
    )
    assert not all(map(torch.equal, first, other)), "generators with different seeds gave the same tokens"
