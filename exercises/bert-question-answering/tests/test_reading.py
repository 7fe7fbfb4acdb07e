"""What the tuned model answers, on contexts of names, places and things that were not in the examples."""

import pytest
import solution
import torch
from folder import model_folder
from people import World
from test_metrics import plain, words_f1
from test_spans import brute

from grader.suite import threshold

# margins.md says how far these stand from right and wrong.
EXACT, WORDS, PAIRS, NONE, LONG, END = 0.8, 0.85, 0.5, 0.8, 0.5, 0.5


def fitted(examples, seed):
    """The candidate's model, tuned on these examples."""
    try:
        return solution.fit(model_folder(), examples, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit raised {type(error).__name__}: {str(error)[:300]}")


def answered(model, question, context):
    """The candidate's answer, checked for its form."""
    found = model.answer(question, context)
    assert found is None or isinstance(found, str), f"answer returns a string or None, not {type(found).__name__}"
    return found


def logits(model, features):
    """The logits (W, T) of starts and ends, checked for their form."""
    found = model.logits(features)
    assert isinstance(found, (tuple, list)) and len(found) == 2, "logits returns the two tensors (start, end)"  # noqa: PT018
    for tensor in found:
        assert isinstance(tensor, torch.Tensor), f"logits returns tensors, not {type(tensor).__name__}"
        expected = tuple(features["input_ids"].shape)
        assert tuple(tensor.shape) == expected, f"logits are {tuple(tensor.shape)} for the pieces {expected}"
        assert tensor.isfinite().all(), "the logits are not finite"
    return [tensor.detach() for tensor in found]


def learnt_nothing(seed):
    """A model that was shown 6 questions without an answer does not know the answers of others, unless by rule."""
    world = World(seed + 2)
    untaught = fitted([(question, context, None) for question, context, _ in world.examples(6, world.known)], seed)
    pairs = [(context, *asked[0]) for context, asked in (world.facts(world.new) for _ in range(12))]
    right = sum(words(answered(untaught, question, context)) == words(answer) for context, question, answer in pairs)
    assert right <= 6, (
        f"a model that was tuned on 6 examples without an answer answered {right} of 12 other questions exactly: "
        "answers have to be learnt from the examples, not to come from rules about their sentences"
    )


@pytest.fixture(scope="module")
def judged(seed):
    """The world, a model tuned on 240 examples of it, and (question, context, answer, found) for 64 new ones."""
    world = World(seed)
    learnt_nothing(seed)
    model = fitted(world.examples(240, world.known), seed)
    new = [(q, c, c[slice(*span)] if span else None) for q, c, span in world.examples(64, world.new)]
    return world, model, [(q, c, answer, answered(model, q, c)) for q, c, answer in new]


def words(text):
    return plain(text or "")


@pytest.mark.points(5)
def test_exact_answers(judged):
    """At least 80% of the answers to new questions match exactly, 'no answer' included"""
    _, _, results = judged
    reached = sum(words(found) == words(answer) for _, _, answer, found in results) / len(results)
    assert threshold("exact match", reached, at_least=EXACT), (
        f"{reached:.0%} of the answers match exactly, {EXACT:.0%} are needed. The layers of the pretrained encoder "
        "have to be trained on question and context together; a span's end must be exact"
    )


@pytest.mark.points(3)
def test_f1_of_answers(judged):
    """The mean F1 of the answers to new questions is at least 85%"""
    _, _, results = judged
    reached = sum(words_f1(words(found), words(answer)) for _, _, answer, found in results) / len(results)
    assert threshold("F1", reached, at_least=WORDS), f"the mean F1 is {reached:.0%}, {WORDS:.0%} are needed"


@pytest.mark.points(5)
def test_the_question_decides(judged):
    """Of two questions about the same context, both are answered exactly, for at least half of 16 new contexts"""
    world, model, _ = judged
    right = 0
    for _ in range(16):
        context, asked = world.paragraph(world.new)
        pair = asked[:2]
        right += all(words(answered(model, question, context)) == words(answer) for question, answer in pair)
    assert threshold("both of two questions", right / 16, at_least=PAIRS), (
        f"for {right} of 16 contexts both of two questions are answered, {PAIRS:.0%} are needed: who does not read the "
        "question can only be right once"
    )


@pytest.mark.points(5)
def test_knows_when_there_is_no_answer(judged):
    """Questions with and without an answer are told apart: the mean of both rates is at least 80%"""
    _, _, results = judged
    without = [found is None for _, _, answer, found in results if answer is None]
    given = [found is not None for _, _, answer, found in results if answer is not None]
    reached = (sum(without) / len(without) + sum(given) / len(given)) / 2
    assert threshold("with and without an answer", reached, at_least=NONE), (
        f"{sum(without)} of {len(without)} questions without an answer got None, {sum(given)} of {len(given)} with an "
        f"answer got one: {reached:.0%} on average, {NONE:.0%} are needed"
    )


def right_among_asides(judged, places, asides):
    """The share of questions that are answered exactly, one for each place."""
    world, model, _ = judged
    right = 0
    for place in places:
        question, context, answer = world.among_asides(world.new, place, asides)
        right += words(answered(model, question, context)) == words(answer)
    return right / len(places)


@pytest.mark.points(4)
def test_reads_long_contexts(judged):
    """At least half of the questions about contexts of some 800 pieces are answered exactly, wherever the answer is"""
    reached = right_among_asides(judged, (0.15, 0.4, 0.7, 0.75, 0.8, 0.86, 0.92, 0.97), 160)
    assert threshold("long contexts", reached, at_least=LONG), (
        f"{reached:.0%} of the answers in long contexts are right, {LONG:.0%} are needed: windows over the whole "
        "context, the best span of all, the lowest [CLS] score of all"
    )


@pytest.mark.points(2)
def test_reads_to_the_end(judged):
    """At least half of the questions about the last words of a context of some 200 pieces are answered exactly"""
    reached = right_among_asides(judged, [1] * 12, 40)
    assert threshold("ends of contexts", reached, at_least=END), (
        f"{reached:.0%} of the answers at the very end of a context are right, {END:.0%} are needed: the last window "
        "is the one that reaches the end, even if only a piece or two are new in it"
    )


@pytest.mark.points(3)
def test_answers_come_from_the_logits(judged):
    """For a context in one window, the answer is the best span of the logits, letter by letter"""
    world, model, _ = judged
    for number in range(9):
        context, asked = world.facts(world.new)
        question, _ = asked[number % 3]
        features = solution.make_features(model_folder(), question, context, None, 64, 8)
        score, span, null = brute(*logits(model, features), features["offsets"], 8)
        expected = context[slice(*span)] if span and score > null else None
        found = answered(model, question, context)
        assert found == expected, (
            f"{question!r} in {context!r}: the answer is {found!r}, the logits say {expected!r} (best span "
            f"{score:.2f}, [CLS] {null:.2f})"
        )


def two_windows(judged):
    """Features of a new question whose context is read in several windows."""
    world, _, results = judged
    question, context, _, _ = results[0]
    return solution.make_features(model_folder(), question, f"{context} {world.aside(world.new)}", None, 40, 8)


@pytest.mark.points(2)
def test_logits_come_without_dropout(judged):
    """The same features get the same logits every time"""
    model, features = judged[1], two_windows(judged)
    first, again = logits(model, features), logits(model, features)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), (
        "the logits of the same features differ: put the model into eval mode"
    )


@pytest.mark.points(2)
def test_logits_do_not_depend_on_padding(judged):
    """Further padding on the right does not change the logits of real pieces"""
    model, features = judged[1], two_windows(judged)
    wide = {name: torch.nn.functional.pad(features[name], (0, 9)) for name in ("input_ids", "token_type_ids")}
    wide |= {"attention_mask": torch.nn.functional.pad(features["attention_mask"], (0, 9))}
    wide |= {"offsets": torch.nn.functional.pad(features["offsets"], (0, 0, 0, 9))}
    wide |= {name: features[name] for name in ("starts", "ends")}
    real = features["attention_mask"] == 1
    for narrow, padded in zip(logits(model, features), logits(model, wide), strict=True):
        assert torch.allclose(narrow[real], padded[:, : real.shape[1]][real], atol=1e-3), (
            "padding changed the logits of real pieces: is the attention mask used?"
        )


@pytest.mark.points(1)
def test_same_seed_same_model(seed):
    """The same examples and seed give the same logits"""
    world = World(seed + 1)
    examples = world.examples(4, world.known)
    question, context, _ = examples[0]
    features = solution.make_features(model_folder(), question, context, None, 64, 8)
    first, again = (logits(fitted(examples, seed), features) for _ in range(2))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, again, strict=True)), (
        "fit must depend on nothing but its arguments: seed everything"
    )
