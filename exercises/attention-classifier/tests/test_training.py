"""What train_classifier learns, measured on sentences that it has never seen.

The task: a word has a class and a loudness; the loudest word of a sentence occurs once and decides its class. Which
word means what is drawn from the seed. A model that weighs all words alike cannot do it in long sentences.
"""

import pytest
import solution
import torch

from grader.suite import threshold

CLASSES, LEVELS, FILLERS = 3, 3, 9
VOCABULARY = 1 + CLASSES * LEVELS + FILLERS

# margins.md says how far these stand from right and wrong.
NEW, LONGER, FOCUS = 0.85, 0.93, 0.3


class Language:
    """Which word is the padding, which are loud how much and for which class, and which say nothing."""

    def __init__(self, seed):
        self.random = torch.Generator().manual_seed(seed)
        words = torch.randperm(VOCABULARY, generator=self.random)
        self.pad, self.fillers = words[0].item(), words[-FILLERS:]
        self.loud = words[1:-FILLERS].view(LEVELS, CLASSES)

    def below(self, bound, shape=()):
        return torch.randint(bound, shape, generator=self.random)

    def sentence(self, length, label):
        """The words (length,) of one sentence and where its loudest word stands."""
        top = 1 + self.below(LEVELS - 1).item()
        words = self.loud[self.below(top, (length,)), self.below(CLASSES, (length,))]
        quiet = torch.rand(length, generator=self.random) < 0.3
        words = torch.where(quiet, self.fillers[self.below(FILLERS, (length,))], words)
        place = self.below(length).item()
        words[place] = self.loud[top, label]
        return words, place

    def draw(self, count, shortest, longest):
        """Padded tokens (N, T), labels (N,) and the place of the deciding word (N,)."""
        tokens, labels = torch.full((count, longest), self.pad), self.below(CLASSES, (count,))
        places = torch.zeros(count, dtype=torch.int64)
        for row in range(count):
            length = shortest + self.below(longest - shortest + 1).item()
            tokens[row, :length], places[row] = self.sentence(length, labels[row])
        return tokens, labels, places


def train(language, seed, count=1500):
    """A model that the candidate's code trained on `count` sentences of 6 to 16 words."""
    tokens, labels, _ = language.draw(count, 6, 16)
    try:
        return solution.train_classifier(tokens, labels, VOCABULARY, CLASSES, language.pad, seed % 1000)
    except Exception as error:
        pytest.fail(f"train_classifier raised {type(error).__name__}: {str(error)[:300]}")


def accuracy(model, tokens, labels):
    """The share of sentences whose largest logit is the label's."""
    with torch.no_grad():
        logits, _ = model(tokens)
    return (logits.argmax(1) == labels).float().mean().item()


@pytest.mark.points(7)
def test_learns_which_word_decides(seed):
    """After training, at least 85% of new sentences are classified correctly"""
    language = Language(seed)
    model = train(language, seed)
    tokens, labels, _ = language.draw(400, 6, 16)
    reached = accuracy(model, tokens, labels)
    assert threshold("accuracy on new sentences", reached, at_least=NEW), (
        f"{reached:.1%} of new sentences are right, {NEW:.0%} are needed"
    )


@pytest.mark.points(5)
def test_carries_over_to_longer_sentences(seed):
    """Trained on at most 16 words, the model classifies at least 93% of sentences of 30 to 50 words correctly"""
    language = Language(seed)
    model = train(language, seed)
    tokens, labels, places = language.draw(300, 30, 50)
    reached = accuracy(model, tokens, labels)
    with torch.no_grad():
        _, weights = model(tokens)
    focus = weights[torch.arange(300), places].mean().item()
    focused = threshold("attention on the deciding word", focus, at_least=FOCUS)
    assert threshold("accuracy on longer sentences", reached, at_least=LONGER), (
        f"{reached:.1%} of longer sentences are right, {LONGER:.0%} are needed: one loud word must win against dozens "
        "of others, which a mean over the words does not allow"
    )
    assert focused, f"the deciding word gets {focus:.0%} of the attention on average, {FOCUS:.0%} are needed"


@pytest.mark.points(2)
def test_same_seed_same_model(seed):
    """Training twice with the same data and seed gives the same logits, in evaluation mode"""
    models = [train(Language(seed), seed, count=128) for _ in range(2)]
    assert models[0].training is False, "the returned model is still in training mode: call eval() before returning it"
    tokens, _, _ = Language(seed + 1).draw(50, 6, 16)
    with torch.no_grad():
        (first, _), (second, _) = models[0](tokens), models[1](tokens)
    assert torch.allclose(first, second, atol=1e-5), (
        "seed everything random (torch.manual_seed) before making the model"
    )


@pytest.mark.points(2)
def test_returns_a_text_classifier(seed):
    """What train_classifier returns is a TextClassifier, which weighs its words with its attention"""
    language = Language(seed)
    model = train(language, seed, count=128)
    assert isinstance(model, solution.TextClassifier), (
        "train_classifier must make a TextClassifier, train it, and return this very model"
    )
    width = model.embedding.weight.shape[1]
    model.attention.key_proj.load_state_dict({"weight": torch.zeros(width, width)})
    tokens, _, _ = language.draw(20, 12, 12)
    with torch.no_grad():
        _, weights = model(tokens)
    assert tuple(weights.shape) == tuple(tokens.shape), f"weights must be (B, T) = {tuple(tokens.shape)}"
    largest = weights.amax(1, keepdim=True)
    assert (largest > 0).all(), "there are sentences in which no word gets attention"
    assert ((weights == 0) | torch.isclose(weights, largest, rtol=1e-4, atol=0)).all(), (
        "with attention.key_proj set to zero all scores of the trained model are equal, so no word may get more than "
        f"another; yours get, in twelve words, {[round(x, 4) for x in weights[0].tolist()]}: the weights come "
        "from somewhere else"
    )
