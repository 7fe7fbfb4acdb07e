"""What fit_classifier learns of a made-up language, measured on texts that it has never seen.

The language: a text has two names, far apart among other words, each name belonging to one of two houses, and
somewhere one of two question words. One of them asks for the house of the name that comes first, the other for that of
the name that comes second. Which word is what is drawn from the seed. In a third of the training texts both names are
of one house; in the texts that are scored they never are. So a bag of words says nothing, nor does any
window that is shorter than the gap, nor any sum over the words of what each says at its place.
"""

import random
from types import SimpleNamespace

import pytest
import solution
import torch
from networks import Classifier

from grader.suite import in_guest, threshold

NAMES, OTHERS = 3, 15


class Language:
    """Words drawn from the seed and what each of them means."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        words = set()
        while len(words) < 2 * NAMES + 2 + OTHERS:
            syllables = self.random.randint(2, 3)
            words.add(
                "".join(self.random.choice("bdfgklmnprst") + self.random.choice("aeiou") for _ in range(syllables))
            )
        words = sorted(words)
        self.random.shuffle(words)
        self.houses = words[:NAMES], words[NAMES : 2 * NAMES]
        self.questions, self.others = words[2 * NAMES : 2 * NAMES + 2], words[2 * NAMES + 2 :]

    def text(self, length, gap, alike=0.0):
        """A text, its label, and the same text with the two names' places exchanged."""
        r = self.random
        words = r.choices(self.others, k=length)
        early = r.randrange(length - gap)
        late = r.randrange(early + gap, length)
        place = r.choice([i for i in range(length) if i not in (early, late)])
        first, asked = r.randrange(2), r.randrange(2)
        second = first if r.random() < alike else 1 - first
        words[early], words[late] = r.choice(self.houses[first]), r.choice(self.houses[second])
        words[place] = self.questions[asked]
        text = " ".join(words)
        words[early], words[late] = words[late], words[early]
        return text, (first, second)[asked], " ".join(words)

    def training(self, count):
        """Texts of 6 to 20 words and their labels."""
        texts = [self.text(self.random.randint(6, 20), gap=3, alike=1 / 3) for _ in range(count)]
        return [text for text, _, _ in texts], torch.tensor([label for _, label, _ in texts])

    def unseen(self, count, shortest, longest, gap):
        """Texts and labels; each comes with its twin, which has the same words and the other label."""
        texts, labels = [], []
        for _ in range(count // 2):
            text, label, twin = self.text(self.random.randint(shortest, longest), gap)
            texts += [text, twin]
            labels += [label, 1 - label]
        return texts, torch.tensor(labels)


def fit(texts, labels, seed):
    """What the candidate's fit_classifier returns."""
    try:
        return solution.fit_classifier(texts, labels, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit_classifier raised {type(error).__name__}: {str(error)[:300]}")


def answers(classifier, texts):
    """The predicted classes (N,), checked for shape and dtype."""
    found = classifier.predict(texts)
    assert tuple(found.shape) == (len(texts),), f"predict must return a tensor (N,) = {(len(texts),)}"
    assert found.dtype == torch.int64, "predict must return int64 classes"
    return found


def accuracy(classifier, texts, labels):
    """The share of the texts whose predicted class is the label."""
    return (answers(classifier, texts) == labels).double().mean().item()


@pytest.fixture(scope="module")
def fitted(seed):
    """A language, a classifier that was fitted to 2400 of its texts, and how often it is right on others."""
    language = Language(seed)
    classifier = fit(*language.training(2400), seed)
    usual, longer = language.unseen(400, 6, 12, gap=3), language.unseen(400, 14, 20, gap=8)
    return SimpleNamespace(classifier=classifier, usual=usual, longer=longer)


@pytest.mark.points(6)
def test_learns_from_order(fitted):
    """Of unseen texts of 6 to 12 words, at least 80% are classified correctly"""
    reached = accuracy(fitted.classifier, *fitted.usual)
    assert threshold("accuracy on unseen texts", reached, at_least=0.8), (
        f"{reached:.1%} of unseen texts are right, 80% are needed. Each comes with a twin of the same words in another "
        "order and with the other label: are the positions there, is attention right, was it trained long enough?"
    )


@pytest.mark.points(5)
def test_learns_over_long_distances(fitted):
    """Of unseen texts of 14 to 20 words, whose two names stand far apart, at least 75% are classified correctly"""
    reached = accuracy(fitted.classifier, *fitted.longer)
    assert threshold("accuracy on longer texts", reached, at_least=0.75), (
        f"{reached:.1%} of longer texts are right, 75% are needed. The two names stand at least 8 places "
        "apart: does the model see the texts whole, and can each token attend to all others, however far away?"
    )


@in_guest
def without_attention(classifier, texts):
    """What predict says while the attention of all blocks adds nothing; runs beside the candidate's code."""
    layers = [block.self_attn.out_proj for block in classifier.model.blocks]
    kept = [(p, p.detach().clone()) for layer in layers for p in layer.parameters()]
    with torch.no_grad():
        for p, _ in kept:
            p.zero_()
        found = classifier.predict(texts)
        for p, value in kept:
            p.copy_(value)
    return found


@pytest.mark.points(2)
def test_answers_come_through_attention(fitted):
    """With attention switched off (out_proj of all blocks zero), at most 75% are right"""
    texts, labels = fitted.usual
    try:
        found = without_attention(fitted.classifier, texts)
    except Exception as error:
        pytest.fail(f"the classifier must have your TextClassifier as `model`, and `vocab`: {str(error)[:300]}")
    rest = (found == labels).double().mean().item()
    assert threshold("accuracy without attention", rest, at_most=0.75), (
        f"with the attention of all blocks switched off, {rest:.1%} are still right: the answers come from elsewhere"
    )


def network(model):
    """The statement's network, built from torch's layers, with the sizes and the parameters of the fitted model."""
    weights = {name: value.detach() for name, value in model.named_parameters()}
    try:
        vocabulary, width = weights["embedding.weight"].shape
        classes, hidden = len(weights["head.bias"]), len(weights["blocks.0.linear1.bias"])
        layers = sum(name.endswith(".linear1.bias") for name in weights)
        heads = model.blocks[0].self_attn(torch.zeros(1, 2, width, dtype=weights["head.bias"].dtype))[1].shape[1]
        built = Classifier(vocabulary, classes, width, heads, hidden, layers).to(weights["head.bias"].dtype)
        built.load_state_dict(weights)
    except Exception as error:
        pytest.fail(
            "`model` must be the statement's TextClassifier, with its parameters and no others; these could not be "
            f"used: {type(error).__name__}: {str(error)[:300]}"
        )
    return built


@pytest.mark.points(3)
def test_predict_says_what_the_network_says(fitted):
    """predict says what the statement's network says with the parameters of `model`, for each text by itself"""
    texts = [text for text in fitted.usual[0] if len(text.split()) == 12]  # so there is no padding
    vocab = fitted.classifier.vocab
    tokens = torch.tensor([[vocab.get(word, 1) for word in text.split()] for text in texts])
    mask = torch.ones_like(tokens, dtype=torch.bool)
    with torch.no_grad():
        expected, said = network(fitted.classifier.model)(tokens, mask), fitted.classifier.model(tokens, mask)
    assert tuple(said.shape) == tuple(expected.shape), f"the logits must be (B, C) = {tuple(expected.shape)}"
    assert torch.allclose(said, expected, atol=1e-3, rtol=1e-3), (
        f"the logits of `model` differ by up to {(said - expected).abs().max().item():.3g} from what the statement's "
        "network makes of its parameters: another network learned the language, or `model` is in training mode"
    )
    found = answers(fitted.classifier, texts)
    first, second = expected.topk(2, dim=1).values.unbind(1)
    clear = first - second > 0.01
    assert (found == expected.argmax(1))[clear].all(), (
        "predict must return the class with the largest logit of `model`, in evaluation mode"
    )
    texts = fitted.usual[0][:12]
    together = answers(fitted.classifier, texts + fitted.longer[0][:5] + ["", "xyzzy unheard of"])
    assert set(together.tolist()) <= {0, 1}, "empty texts and unknown words must get one of the classes, too"
    for i, text in enumerate(texts):
        alone = answers(fitted.classifier, [text.upper()])
        assert alone[0] == together[i], "who shares the batch, or the case of the letters, changed a text's class"


@pytest.mark.points(2)
def test_same_seed_same_classifier(seed):
    """Fitting twice with the same texts and seed gives the same logits"""
    language = Language(seed + 1)
    texts, labels = language.training(96)
    unseen, _ = language.unseen(60, 6, 12, gap=3)
    first, second = (logits(fit(texts, labels, seed), unseen) for _ in range(2))
    assert first.std() > 0, "all logits are the same"
    assert torch.allclose(first, second, atol=1e-5), (
        "seed everything random (torch.manual_seed) before making the model, and keep nothing from call to call"
    )


@in_guest
def logits(classifier, texts):
    """The model's logits (N, C); runs beside the candidate's code."""
    with torch.no_grad():
        return classifier.model(*solution.encode(texts, classifier.vocab))
