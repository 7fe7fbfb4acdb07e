"""Wrong: the query depends on the sentence: the mean of its words is added to what is learned."""

import math

import torch
from torch import nn


class Attention(nn.Module):
    """Pools the keys (B, T, H) of each row into one context (B, H), weighted by their match with a query (B, H)."""

    def __init__(self, hidden_size):
        super().__init__()
        self.query_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key_proj = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, query, keys, mask):
        """Return the context (B, H) and the weights (B, T); `mask` (B, T) is True at real tokens."""
        scores = torch.bmm(self.key_proj(keys), self.query_proj(query).unsqueeze(2)).squeeze(2)
        scores = scores / math.sqrt(keys.shape[2])
        # A finite filler instead of -inf: a row without any token would become NaN, in its gradient too.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=1) * mask
        context = torch.bmm(weights.unsqueeze(1), keys).squeeze(1)
        return context, weights


class TextClassifier(nn.Module):
    """Embeds tokens, encodes each one, pools them by attention to a learned query, and scores the classes."""

    def __init__(self, vocab_size, hidden_size, num_classes, pad_id=0, dropout=0.1):
        super().__init__()
        self.pad_id = pad_id
        self.embedding = nn.Embedding(vocab_size, hidden_size, padding_idx=pad_id)
        self.encoder = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.Tanh())
        self.query = nn.Parameter(torch.zeros(hidden_size))
        self.attention = Attention(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens):
        """Return the logits (B, C) and the attention weights (B, T) for tokens (B, T)."""
        states = self.encoder(self.embedding(tokens))
        real = (tokens != self.pad_id).unsqueeze(2)
        query = self.query + (states * real).sum(1) / real.sum(1).clamp(min=1)
        context, weights = self.attention(query, states, tokens != self.pad_id)
        return self.out(self.dropout(context)), weights


def train_classifier(tokens, labels, vocab_size, num_classes, pad_id, seed):
    """Train on tokens (N, T) and labels (N,) and return the model, ready for use (evaluation mode)."""
    torch.manual_seed(seed)
    model = TextClassifier(vocab_size, 32, num_classes, pad_id)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(30):
        for batch in torch.randperm(len(tokens)).split(64):
            logits, _ = model(tokens[batch])
            loss = nn.functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()
