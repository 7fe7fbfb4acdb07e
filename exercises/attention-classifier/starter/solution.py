"""Attention with a padding mask, in a text classifier. README.md says what each part has to do."""

import torch
from torch import nn


class Attention(nn.Module):
    """Scaled dot-product attention of one query per row over a sequence of keys."""

    def __init__(self, hidden_size):
        super().__init__()
        self.query_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key_proj = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, query, keys, mask):
        """Pool the keys by their match with the query.

        query: (B, H) float. keys: (B, T, H) float. mask: (B, T) bool, True at real tokens, False at padding.
        Returns the context (B, H) and the weights (B, T).
        """
        return torch.zeros_like(query), torch.zeros_like(keys[:, :, 0])


class TextClassifier(nn.Module):
    """Embeds tokens, encodes each by itself, pools them with `Attention`, and scores the classes."""

    def __init__(self, vocab_size, hidden_size, num_classes, pad_id=0, dropout=0.1):
        super().__init__()
        self.pad_id = pad_id
        self.embedding = nn.Embedding(vocab_size, hidden_size, padding_idx=pad_id)
        self.attention = Attention(hidden_size)
        self.out = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens):
        """tokens: (B, T) int64, padded with pad_id. Returns logits (B, num_classes) and attention weights (B, T)."""
        return torch.zeros(len(tokens), self.out.out_features), torch.zeros(tokens.shape)


def train_classifier(tokens, labels, vocab_size, num_classes, pad_id, seed):
    """Train a TextClassifier on tokens (N, T) int64 and labels (N,) int64; return it in evaluation mode."""
    torch.manual_seed(seed)
    model = TextClassifier(vocab_size, 32, num_classes, pad_id)
    return model.eval()
