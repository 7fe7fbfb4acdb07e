"""Generation with a model of the judge's own, whose every answer tells what it was fed."""

import pytest
import solution
import torch
from scripted import EOS, PAD, Scripted

from grader.suite import in_guest, threshold

DRAWS, NEAR = 20_000, 0.03  # as in test_sampling: more than that is chance once in 10^8


@in_guest
def generator_of(number):
    """A generator on the candidate's side, where the drawing is done."""
    return torch.Generator().manual_seed(number)


def prompts_of(seed, rows=5, steps=4):
    """Prompts (B, P) of letters."""
    return torch.randint(3, 9, (rows, steps), generator=torch.Generator().manual_seed(seed))


def generate(scripted, prompts, max_new, *args, **settings):
    """generate, checked for its form."""
    tokens, state = solution.generate(scripted.model, prompts, max_new, *args, **settings)
    assert tokens.ndim == 2, f"generate must return tokens (B, N), not {tuple(tokens.shape)}"
    assert tokens.dtype == torch.int64, "the tokens must be int64"
    assert len(tokens) == len(prompts), f"{len(prompts)} prompts gave {len(tokens)} rows"
    assert tokens.shape[1] <= max_new, f"max_new = {max_new}, but {tokens.shape[1]} tokens were generated"
    return tokens, state


@pytest.mark.points(4)
def test_greedy_generation_follows_the_model(seed):
    """At temperature 0 each new token is the most likely one after the whole prompt and all tokens before it"""
    scripted, prompts = Scripted(seed, ends=0.0), prompts_of(seed)
    tokens, _ = generate(scripted, prompts, 12, 0.0)
    for prompt, found in zip(prompts.tolist(), tokens.tolist(), strict=True):
        expected = scripted.greedy(prompt, 12)
        right = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(found))
        assert found == expected, (
            f"after the prompt {prompt} the {len(found)} tokens {found} were generated, expected the 12 tokens "
            f"{expected}: {right} are right. Feed the whole prompt, take the logits of its last step, and hand the "
            "state on with each new token; return the new tokens only"
        )


@pytest.mark.points(3)
def test_each_token_is_fed_once(seed):
    """The model is fed the prompt once, then every new token once: the PAD of ended rows, never the whole text again"""
    scripted, prompts = Scripted(seed, ends=0.0), prompts_of(seed)
    tokens, _ = generate(scripted, prompts, 20, 0.0)
    assert tokens.shape[1] == 20, f"{tokens.shape[1]} of 20 tokens were generated, although no row ended"
    fed = sum(part.shape[1] for part in scripted.fed)
    assert 23 <= fed <= 24, (
        f"for a prompt of 4 tokens and 20 new ones, {fed} tokens per row were fed: the state knows what was read, so 4 "
        "and then 19, one by one, are enough"
    )
    assert scripted.states[0] is None, "generation without a state must start the model without one"
    scripted, prompts = Scripted(seed, ends=0.3), prompts_of(seed, rows=40)
    tokens, _ = generate(scripted, prompts, 8, 0.0)
    fed, returned = torch.cat(scripted.fed, dim=1), torch.cat([prompts, tokens], dim=1)
    assert fed.shape[0] == len(prompts), f"for 40 prompts the model was fed {fed.shape[0]} rows"
    assert returned.shape[1] - 1 <= fed.shape[1] <= returned.shape[1], (
        f"for a prompt of 4 tokens and {tokens.shape[1]} new ones, {fed.shape[1]} tokens per row were fed"
    )
    returned = returned[:, : fed.shape[1]]
    for found, expected in zip(fed.tolist(), returned.tolist(), strict=True):
        assert found == expected, (
            f"a row was fed {found}, but the prompt and what was returned for it are {expected}: what a row is fed is "
            "what is returned for it, so PAD once it has ended, and not what would be drawn there"
        )


@pytest.mark.points(3)
def test_rows_stop_at_their_end_token(seed):
    """A row ends with its EOS, PAD follows, and generation stops when all rows have ended"""
    scripted = Scripted(seed, ends=0.2)
    ending = {tuple(prompt): scripted.greedy(prompt, 40) for prompt in prompts_of(seed, rows=100).tolist()}
    ending = {prompt: tokens for prompt, tokens in ending.items() if EOS in tokens}  # a few run in circles
    prompts, expected = torch.tensor(list(ending)[:12]), list(ending.values())[:12]
    longest = max(map(len, expected))
    tokens, _ = generate(scripted, prompts, 40, 0.0)
    assert tokens.shape[1] == longest, (
        f"the longest of 12 rows ends after {longest} tokens, max_new is 40, and {tokens.shape[1]} columns came back"
    )
    for found, wanted in zip(tokens.tolist(), expected, strict=True):
        full = wanted + [PAD] * (longest - len(wanted))
        assert found == full, (
            f"a row is {found}, expected {full}: EOS ({EOS}) belongs to the row, nothing but PAD ({PAD}) comes after "
            "it, and other rows go on"
        )


@pytest.mark.points(3)
def test_generation_can_be_continued(seed):
    """The returned state has seen all but the last new token: fed that token and the state, generation goes on"""
    prompts = prompts_of(seed)
    whole, _ = generate(Scripted(seed, ends=0.0), prompts, 12, 0.0)
    for first in (1, 5):
        scripted = Scripted(seed, ends=0.0)
        before, state = generate(scripted, prompts, first, 0.0)
        after, _ = generate(scripted, before[:, -1:], 12 - first, 0.0, state=state)
        assert torch.equal(torch.cat([before, after], dim=1), whole), (
            f"{first} tokens, then {12 - first} from the returned state and the last token, differ from 12 at once: is "
            "the state that is passed in used, and the one returned that of the last call of the model?"
        )
    scripted, generator = Scripted(seed, ends=0.0), generator_of(seed % 2**31)
    before, state = generate(scripted, prompts, 5, 1.5, generator=generator)
    after, _ = generate(scripted, before[:, -1:], 7, 1.5, generator=generator, state=state)
    at_once, _ = generate(scripted, prompts, 12, 1.5, generator=generator_of(seed % 2**31))
    assert torch.equal(torch.cat([before, after], dim=1), at_once), (
        "drawn with one generator, 5 tokens and then 7 differ from 12 at once"
    )


@pytest.mark.points(3)
def test_settings_reach_the_sampling(seed):
    """Tokens are drawn with the temperature, top_k and generator that generate was given"""
    scripted = Scripted(seed, ends=0.0)
    prompt = prompts_of(seed, rows=1, steps=2)
    logits = scripted.run(prompt)[0][0, -1]
    logits = 2 * (logits - logits[3:].mean()) / logits[3:].std()  # at temperature 2, a spread of 1
    scripted.table = scripted.table.new_zeros(scripted.table.shape) + logits
    tokens, _ = generate(scripted, prompt.expand(DRAWS, -1), 1, 2.0, 4, generator_of(seed % 2**31))
    weights = torch.exp(logits.double() / 2)
    weights[logits.argsort(descending=True)[4:]] = 0
    shares = torch.bincount(tokens.flatten(), minlength=9).double() / DRAWS
    apart = (shares - weights / weights.sum()).abs().sum().item() / 2
    assert threshold("distance of first generated tokens from their distribution", apart, at_most=NEAR), (
        f"20000 first tokens at temperature 2 with top_k = 4 are {apart:.1%} away from their distribution"
    )
    again, _ = generate(scripted, prompt.expand(DRAWS, -1), 1, 2.0, 4, generator_of(seed % 2**31))
    assert torch.equal(tokens, again), "equal generators gave different tokens: generate must pass its generator on"
    kept = set(logits.argsort(descending=True)[:4].tolist())
    tokens, _ = generate(scripted, prompt.expand(300, -1), 6, 2.0, 4, generator_of(seed % 2**31))
    for number, column in enumerate(tokens.unbind(1), start=1):
        extra = set(column.tolist()) - kept
        assert not extra, (
            f"with top_k = 4 only {sorted(kept)} can be drawn, but {sorted(extra)} were among the new tokens "
            f"at place {number}: temperature and top_k hold for every new token"
        )
