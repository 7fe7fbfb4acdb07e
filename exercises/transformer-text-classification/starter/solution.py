"""A transformer encoder by hand that classifies texts. README.md says what each part has to do."""

import torch  # noqa: F401
from torch import nn


def build_vocab(texts):
    """texts: list of str. Returns the dict from each word to its id."""
    raise NotImplementedError


def encode(texts, vocab):
    """texts: list of str. Returns the tokens (B, T) int64 and the mask (B, T) bool, True at words."""
    raise NotImplementedError


def sinusoidal_positions(length, d_model):
    """Returns the encoding (length, d_model) float32 of the positions 0 to length - 1."""
    raise NotImplementedError


class MultiHeadAttention(nn.Module):
    """Self-attention with several heads, with the parameters of torch's."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        raise NotImplementedError

    def forward(self, x, mask=None):
        """x: (B, T, D). mask: (B, T) bool, True at real tokens. Returns (B, T, D) and (B, n_heads, T, T)."""
        raise NotImplementedError


class EncoderBlock(nn.Module):
    """Attention and a feed-forward net, each behind a layer norm and beside a residual path."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.1):
        super().__init__()
        raise NotImplementedError

    def forward(self, x, mask=None):
        """x: (B, T, D). mask: (B, T) bool, True at real tokens. Returns (B, T, D)."""
        raise NotImplementedError


class TextClassifier(nn.Module):
    """Embedding and positions, encoder blocks, a last norm, the mean over the real tokens, a linear layer."""

    def __init__(self, vocab_size, num_classes, d_model, n_heads, d_ff, n_layers, dropout=0.1):
        super().__init__()
        raise NotImplementedError

    def forward(self, tokens, mask):
        """tokens: (B, T) int64. mask: (B, T) bool, True at real tokens. Returns the logits (B, C)."""
        raise NotImplementedError


def fit_classifier(texts, labels, seed):
    """texts: list of N str. labels: (N,) int64. Returns an object with `vocab`, `model` and `predict(texts)`."""
    raise NotImplementedError
