"""What a trained model knows of a language, measured on sentences and with rules that only the judge has.

The model is fed one token at a time, so that no token can be read before it is predicted.
"""

import pytest
import solution
import torch
from language import BOS, EOS, LONGEST, Language

from grader.suite import in_guest, threshold

TEXTS, UNSEEN, SAMPLES = 1500, 300, 300

# margins.md shows how far they stand from right and wrong solutions. A model that knows all about neighbours and
# nothing else is at 0.13 nats, 36% of the closing letters and 37% of valid texts.
EXCESS, CLOSED, VALID, FRESH = 0.11, 0.75, 0.55, 0.35
PLAUSIBLE = 0.02  # a closing letter has a probability of 1/6 at least
TRACE = 1e-4  # of a letter in log p; rounding leaves none


@in_guest
def generator_of(number):
    """A generator on the candidate's side, where the drawing is done."""
    return torch.Generator().manual_seed(number)


def fit(texts, seed):
    """What the candidate's fit made of the texts."""
    try:
        vocabulary, model = solution.fit(texts, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit raised {type(error).__name__}: {str(error)[:300]}")
    assert isinstance(model, solution.RNNLanguageModel), "fit must return the vocabulary and an RNNLanguageModel"
    model.eval()
    return vocabulary, model


def log_probabilities(model, rows):
    """log p (B, T, V) of the token after each of the tokens (B, T), which are fed one by one."""
    state, logits = None, []
    for column in rows.split(1, dim=1):
        step, state = model(column, state)
        logits.append(step.detach())
    return torch.log_softmax(torch.cat(logits, dim=1).double(), dim=-1)


def padded(language, sentences):
    """Inputs (B, T) for sentences, BOS first."""
    rows = torch.zeros(len(sentences), LONGEST + 3, dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        rows[row, : len(sentence) + 1] = torch.tensor([BOS, *language.encode(sentence)])
    return rows


@pytest.fixture(scope="module")
def language(seed):
    return Language(seed)


@pytest.fixture(scope="module")
def texts(language):
    return language.corpus(TEXTS)


@pytest.fixture(scope="module")
def unseen(language, texts):
    known = set(texts)
    return [sentence for sentence in language.sentences(UNSEEN) if sentence not in known]


@pytest.fixture(scope="module")
def model(texts, seed):
    return fit(texts, seed)[1]


@pytest.fixture(scope="module")
def predictions(model, language, unseen):
    return log_probabilities(model, padded(language, unseen))


@pytest.fixture(scope="module")
def samples(model, language, seed):
    """Texts that the candidate's generate drew from the model, None where a row is not a text of the letters."""
    start = torch.full((SAMPLES, 1), BOS)
    tokens, _ = solution.generate(model, start, 30, generator=generator_of(seed % 2**31))
    assert tokens.shape[0] == SAMPLES, f"{SAMPLES} prompts gave {tokens.shape[0]} rows"
    return [language.text(row) for row in tokens.tolist()]


@pytest.mark.points(4)
def test_cross_entropy_on_unseen_sentences(predictions, language, unseen):
    """On unseen sentences the cross-entropy is at most 0.11 nats per token above the language's own"""
    surprise, tokens = 0.0, 0
    for row, sentence in zip(predictions, unseen, strict=True):
        targets = torch.tensor([*language.encode(sentence), EOS])
        surprise -= row[torch.arange(len(targets)), targets].sum().item()
        tokens += len(targets)
    own = sum(map(language.surprise, unseen)) / tokens
    excess = surprise / tokens - own
    assert threshold("nats per token above the entropy of the source", excess, at_most=EXCESS), (
        f"fed token by token, the model needs {excess + own:.3f} nats per token on sentences that it has not seen; the "
        f"language itself needs {own:.3f}, and at most {EXCESS} more are allowed. Is the target the next token? Does "
        "the loss leave PAD out? Is the model trained long enough, but not until it knows the texts by heart?"
    )


@pytest.mark.points(4)
def test_remembers_how_the_sentence_began(predictions, language, unseen):
    """In 75% the right closing letter, which depends on the first, is the likeliest of the three, and likely at all"""
    ids = torch.tensor(language.encode(language.closings))
    right = 0
    for row, sentence in zip(predictions, unseen, strict=True):
        closing = row[len(sentence) - 1, ids].exp()
        likeliest = int(closing.argmax())
        right += likeliest == language.closings.index(sentence[-1]) and closing[likeliest].item() >= PLAUSIBLE
    share = right / len(unseen)
    assert threshold("share of closing letters foretold", share, at_least=CLOSED), (
        f"the first letter of a sentence tells which letter closes it; your model prefers the right one in {share:.0%} "
        f"of the sentences, at least {CLOSED:.0%} are needed (without memory: a third). Does the state live from BOS "
        "to the end, and does the gradient go back as far?"
    )


@pytest.mark.points(4)
def test_samples_obey_the_language(samples, language):
    """Of 300 texts generated at temperature 1, 55% are different sentences of the language, ended with EOS"""
    valid = sum(map(language.allows, {text for text in samples if text})) / len(samples)
    assert threshold("share of samples that are different sentences", valid, at_least=VALID), (
        f"{valid:.0%} of the generated texts are different sentences of the language, at least {VALID:.0%} are "
        "needed (a model without memory: a third). Rules for neighbours are soon learnt; does the first letter still "
        "count at the end?"
    )


@pytest.mark.points(2)
def test_samples_are_new_and_different(samples, texts):
    """Of 300 generated texts, 35% are different from each other and from all training texts"""
    fresh = len({text for text in samples if text is not None} - set(texts)) / len(samples)
    assert threshold("share of samples that are new", fresh, at_least=FRESH), (
        f"{fresh:.0%} of the generated texts are new and different, at least {FRESH:.0%} are needed (the language "
        "itself: about 65%). Always taking the likeliest token gives one text, learning by heart those of the "
        "training"
    )


@pytest.mark.points(3)
def test_knowledge_lies_in_the_parameters(language, seed):
    """What a fitted RNNLanguageModel knows lies in its own parameters, none added, and what it read in its state"""
    _, model = fit(language.corpus(60), seed)
    rows = padded(language, language.sentences(20))
    assert log_probabilities(model, rows).std(dim=(0, 1)).max() > 0.1, (
        "the trained model says the same after every token"
    )
    own, trained = set(solution.RNNLanguageModel(len(language.ids) + 3, 8, 8).state_dict()), set(model.state_dict())
    assert trained == own, (
        f"the trained model has {sorted(trained - own)[:5]} that an RNNLanguageModel(vocab_size, 8, 8) has not, and "
        f"lacks {sorted(own - trained)[:5]}: fit returns what RNNLanguageModel(vocabulary.size, …, …) made, no subclass"
    )
    inner = torch.tensor(language.encode(language.inner))
    read = torch.cat([rows[:5, :2], inner[torch.randint(0, len(inner), (5, 7))]], dim=1)
    other = read.clone()
    other[:, 3] = inner[((inner == read[:, 3:4]).int().argmax(dim=1) + 1) % len(inner)]
    trace = max(
        (log_probabilities(model, first) - log_probabilities(model, second))[0, 7].abs().max().item()
        for first, second in zip(read.split(1), other.split(1), strict=True)
    )
    assert trace > TRACE, (
        "another letter in the middle of five sentences left what the trained model says four letters later as it was: "
        "a recurrent network carries all that it read in its state, a table of the last letters does not"
    )
    model.load_state_dict({name: torch.zeros_like(value) for name, value in model.state_dict().items()})
    apart = log_probabilities(model, rows).std(dim=(0, 1)).max().item()
    assert apart < 1e-6, (
        "with all parameters at zero the model still tells tokens apart: what it knows must be in its parameters, "
        "learnt by gradients, not in a table beside them"
    )


@pytest.mark.points(1)
def test_same_seed_same_model(language, seed):
    """Two fits with the same texts and seed give models with the same logits"""
    texts, rows = language.corpus(60), padded(language, language.sentences(20))
    first, second = (log_probabilities(fit(texts, seed)[1], rows) for _ in range(2))
    apart = (first - second).abs().max().item()
    assert apart < 1e-3, (
        f"two fits with the same seed differ by up to {apart:.3g} in log p: make everything random (weights, order of "
        "the batches, dropout) depend on the seed"
    )
