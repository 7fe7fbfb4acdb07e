"""A recurrent language model over characters. README.md says what each part has to do."""

from torch import nn

PAD, BOS, EOS = 0, 1, 2


class Vocabulary:
    """Characters as ids: 0, 1 and 2 are PAD, BOS and EOS, then the characters of the texts in sorted order."""

    def __init__(self, texts):
        raise NotImplementedError

    def encode(self, text):
        """The ids of a text, a list, without special tokens. Raises ValueError for an unknown character."""
        raise NotImplementedError

    def decode(self, ids):
        """The text of the ids (a list or a tensor (N,)), up to the first EOS, without PAD and BOS."""
        raise NotImplementedError


def make_batch(sequences):
    """Inputs and targets, each (B, T) int64, for a list of lists of ids."""
    raise NotImplementedError


class RNNLanguageModel(nn.Module):
    """A recurrent network that gives the logits of the next token."""

    def __init__(self, vocab_size, embedding_size, hidden_size):
        super().__init__()
        raise NotImplementedError

    def forward(self, tokens, state=None):
        """tokens: (B, T). Returns the logits (B, T, V) and the state after the last token."""
        raise NotImplementedError


def sequence_loss(logits, targets):
    """Mean cross-entropy of logits (B, T, V) over the targets (B, T) that are not PAD."""
    raise NotImplementedError


def teacher_forced_loss(model, sequences):
    """The loss of the sequences (lists of ids) where the model is fed the true tokens."""
    raise NotImplementedError


def perplexity(model, sequences, batch_size):
    """exp of the mean cross-entropy over all tokens of all sequences, as a float."""
    raise NotImplementedError


def sample_next(logits, temperature=1.0, top_k=None, generator=None):
    """Draw one token for each row of logits (B, V). Returns (B,) int64."""
    raise NotImplementedError


def generate(model, prompts, max_new, temperature=1.0, top_k=None, generator=None, state=None):
    """Continue prompts (B, P). Returns the new tokens (B, N), N <= max_new, and the state."""
    raise NotImplementedError


def fit(texts, seed):
    """Train a model on a list of texts. Returns (vocabulary, model)."""
    raise NotImplementedError
