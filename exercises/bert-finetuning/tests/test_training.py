"""Schedule, parameter groups, and what fine-tuning reaches on words that were not in the training texts."""

import random

import pytest
import solution
import torch
from folder import model_folder
from language import Language

from grader.suite import in_guest, threshold

# margins.md says how far these stand from right and wrong.
ALL, PASSIVE = 0.75, 0.74


@pytest.mark.points(6)
def test_learning_rate_goes_up_and_down(seed):
    """The learning rate rises in a line to the peak at warmup_steps, then falls in a line to 0 at total_steps"""
    rng = random.Random(seed)
    for _ in range(4):
        warmup = rng.randrange(2, 20)
        total, peak = warmup + rng.randrange(5, 60), rng.uniform(1e-5, 1e-3)
        for step in [0, 1, warmup // 2, warmup, (warmup + total) // 2, total - 1, total]:
            expected = peak * min(step / warmup, (total - step) / (total - warmup))
            found = solution.learning_rate(step, total, warmup, peak)
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-12), (
                f"step {step} of {total}, {warmup} of them warm-up, peak {peak:.3g}: got {found:.4g}, "
                f"expected {expected:.4g}"
            )


@pytest.mark.points(3)
def test_learning_rate_at_the_edges():
    """Without warm-up it starts at the peak; from total_steps on it is 0"""
    assert solution.learning_rate(0, 10, 0, 0.5) == pytest.approx(0.5), "without warm-up, step 0 has the peak"
    for step in (10, 11, 25):
        found = solution.learning_rate(step, 10, 3, 0.5)
        assert found == pytest.approx(0, abs=1e-12), f"step {step} of 10 must have 0, not {found}"


@in_guest
def small_model():
    """Names as in BERT and otherwise; a frozen layer; two layers that share a weight."""
    from torch import nn

    model = nn.ModuleDict(
        {
            "word_embeddings": nn.Embedding(5, 4),
            "LayerNorm": nn.LayerNorm(4),
            "dense": nn.Linear(4, 3),
            "second_norm": nn.LayerNorm(3),
            "frozen": nn.Linear(3, 3).requires_grad_(False),
            "tied": nn.Linear(4, 5),
        }
    )
    model["tied"].weight = model["word_embeddings"].weight
    return model


# Each parameter of the small model is filled with a number of its own, so that it is known again in the groups.
DECAYS = {"word_embeddings.weight": 1.0, "dense.weight": 2.0}
PLAIN = {"LayerNorm.weight": 3.0, "LayerNorm.bias": 4.0, "dense.bias": 5.0, "second_norm.weight": 6.0}
PLAIN |= {"second_norm.bias": 7.0, "tied.bias": 8.0}
FROZEN = {"frozen.weight": 9.0, "frozen.bias": 10.0}
NUMBERS = DECAYS | PLAIN | FROZEN | {"tied.weight": 1.0}


def groups():
    """(number of a parameter, its weight decay) for all parameters in the candidate's groups."""
    model = small_model()
    model.load_state_dict({n: torch.full_like(v, NUMBERS[n]) for n, v in model.state_dict().items()})
    found = solution.parameter_groups(model, 0.3)
    assert isinstance(found, list), f"parameter_groups returns a list of dicts, not {type(found).__name__}"
    pairs = []
    for group in found:
        assert {"params", "weight_decay"} <= set(group), 'each group is a dict with "params" and "weight_decay"'
        pairs += [(parameter.flatten()[0].item(), group["weight_decay"]) for parameter in group["params"]]
    return pairs


@pytest.mark.points(6)
def test_biases_and_norms_do_not_decay():
    """Weight decay is for matrices: not for biases, nor for LayerNorm weights, whatever the layers are called"""
    decay = dict(groups())
    for name, number in (DECAYS | PLAIN).items():
        assert number in decay, f"{name} is in no group: it would never be trained"
        expected = 0.3 if name in DECAYS else 0.0
        assert decay[number] == expected, f"{name} has the weight decay {decay[number]}, expected {expected}"


@pytest.mark.points(4)
def test_every_trainable_parameter_is_there_once():
    """Each trainable parameter is in exactly one group, a shared one included; frozen ones are in none"""
    numbers = [number for number, _ in groups()]
    for name, number in (DECAYS | PLAIN).items():
        assert numbers.count(number) == 1, f"{name} is there {numbers.count(number)} times, expected once"
    for name, number in FROZEN.items():
        assert number not in numbers, f"{name} does not require a gradient, so it is in no group"


def tuned(texts, labels, n_classes, seed):
    """The candidate's model, fine-tuned on these texts."""
    try:
        return solution.fine_tune(model_folder(), texts, torch.tensor(labels), n_classes, seed % 1000)
    except Exception as error:
        pytest.fail(f"fine_tune raised {type(error).__name__}: {str(error)[:300]}")


def logits(model, texts, n_classes):
    """The logits (N, C) of texts, checked for their form."""
    found = model.logits(texts)
    assert isinstance(found, torch.Tensor), f"logits must return a tensor, not {type(found).__name__}"
    expected = (len(texts), n_classes)
    assert tuple(found.shape) == expected, f"the logits of {len(texts)} texts are {tuple(found.shape)}, not {expected}"
    assert found.isfinite().all(), "the logits are not finite"
    return found


@pytest.fixture(scope="module")
def judged(seed):
    """A model tuned on 192 sentences, and 200 sentences of other words."""
    language = Language(seed)
    texts, labels, _ = language.draw(192, language.known)
    model = tuned(texts, labels, 2, seed)
    return model, language.draw(200, language.new)


@pytest.fixture(scope="module")
def right(judged):
    """Whether each of the new sentences is classified correctly, (N,), and whether it is in the passive voice, (N,)."""
    model, (texts, labels, passive) = judged
    return (logits(model, texts, 2).argmax(1) == torch.tensor(labels)).float(), torch.tensor(passive)


@pytest.mark.points(10)
def test_learns_who_acts(right):
    """At least 75% of new sentences, made of words that were not in the training texts, are classified correctly"""
    reached = right[0].mean().item()
    assert threshold("accuracy on new words", reached, at_least=ALL), (
        f"{reached:.0%} of the new sentences are right, {ALL:.0%} are needed. Frozen or randomly initialised encoders "
        "stay near 50%: the layers of the pretrained encoder have to be trained, with a small learning rate"
    )


@pytest.mark.points(6)
def test_learns_the_passive_voice(right):
    """At least 74% of the new sentences in the passive voice are classified correctly"""
    of_all, passive = right
    reached = of_all[passive].mean().item()
    assert threshold("accuracy on new words, passive voice", reached, at_least=PASSIVE), (
        f"{reached:.0%} of the new sentences in the passive voice are right, {PASSIVE:.0%} are needed: who stands "
        "first is not always who acts"
    )


@pytest.mark.points(4)
def test_logits_come_without_dropout(judged):
    """The same texts get the same logits every time"""
    model, (texts, _, _) = judged
    assert torch.equal(logits(model, texts[:8], 2), logits(model, texts[:8], 2)), (
        "the logits of the same texts differ: put the model into eval mode"
    )


@pytest.mark.points(4)
def test_logits_do_not_depend_on_the_batch(judged):
    """A text gets the same logits alone, among others, and beside a much longer one"""
    model, (texts, _, _) = judged
    some = texts[:5]
    together = logits(model, [*some, " and ".join(texts[5:12])], 2)
    for row, text in enumerate(some):
        assert torch.allclose(logits(model, [text], 2)[0], together[row], atol=1e-3), (
            "a longer neighbour changed the logits of a text: padding counts somewhere"
        )


@pytest.mark.points(4)
def test_logits_keep_the_order(judged):
    """Row i belongs to text i, for any number of texts and in any order"""
    model, (texts, _, _) = judged
    some = [*sorted(texts[:40], key=len), " and ".join(texts[40:46])]
    order = [40, *torch.randperm(40).tolist()]
    straight, shuffled = logits(model, some, 2), logits(model, [some[i] for i in order], 2)
    assert torch.allclose(straight[order], shuffled, atol=1e-3), (
        "the same texts in another order get other logits: sorted by length and not put back, or does padding count?"
    )


@pytest.mark.points(3)
def test_same_seed_same_model(seed):
    """The same texts, labels and seed give the same logits; three classes give three"""
    language = Language(seed + 1, kinds=3)
    texts, labels, _ = language.draw(12, language.known)
    first, again = (logits(tuned(texts, labels, 3, seed), texts[:4], 3) for _ in range(2))
    assert torch.allclose(first, again, atol=1e-5), (
        "fine_tune must depend on nothing but its arguments: seed everything"
    )
