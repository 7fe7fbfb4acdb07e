"""Wrong: the mean runs over as many tokens as are real, from the first one on, wherever the padding stands."""

import math

import torch
from torch import nn

PAD, UNKNOWN = 0, 1


def build_vocab(texts):
    """The id of each word, from 2 on in the order of first appearance; 0 is the padding, 1 an unknown word."""
    vocab = {}
    for text in texts:
        for word in text.lower().split():
            vocab.setdefault(word, len(vocab) + 2)
    return vocab


def encode(texts, vocab):
    """Tokens (B, T) int64, padded with 0 to the longest text, and the mask (B, T), True at words."""
    rows = [[vocab.get(word, UNKNOWN) for word in text.lower().split()] for text in texts]
    longest = max([1, *map(len, rows)])
    tokens = torch.full((len(rows), longest), PAD)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[i, : len(row)] = True
    return tokens, mask


def sinusoidal_positions(length, d_model):
    """The encoding (length, d_model) of the positions 0 to length - 1."""
    even = torch.arange(0, d_model, 2, dtype=torch.float64)
    angles = torch.arange(length, dtype=torch.float64).unsqueeze(1) / 10000 ** (even / d_model)
    positions = torch.zeros(length, d_model)
    positions[:, 0::2] = angles.sin()
    positions[:, 1::2] = angles[:, : d_model // 2].cos()
    return positions


class MultiHeadAttention(nn.Module):
    """Self-attention with several heads, with the parameters of torch's."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model = {d_model} can't be split into {n_heads} heads")
        self.n_heads = n_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x, mask=None):
        """Return the output (B, T, D) and the weights (B, n_heads, T, T); `mask` (B, T) is True at real tokens."""
        rows, length, width = x.shape
        projected = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        # (B, T, 3D) -> three of (B, n_heads, T, head size): the heads are slices of the features.
        q, k, v = projected.view(rows, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.n_heads)
        if mask is None:
            weights = torch.softmax(scores, dim=3)
        else:
            keys = mask[:, None, None, :]
            # A finite filler instead of -inf: a row without any token would become NaN, in its gradient too.
            weights = torch.softmax(scores.masked_fill(~keys, torch.finfo(scores.dtype).min), dim=3) * keys
        heads = (weights @ v).transpose(1, 2).reshape(rows, length, width)
        return self.out_proj(heads), weights


class EncoderBlock(nn.Module):
    """Attention, then a feed-forward net for each token; each behind a layer norm and beside a residual path."""

    def __init__(self, d_model, n_heads, d_ff, dropout=0.1):
        super().__init__()
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        """x: (B, T, D). mask: (B, T), True at real tokens. Returns (B, T, D)."""
        attended, _ = self.self_attn(self.norm1(x), mask)
        x = x + self.dropout(attended)
        hidden = torch.relu(self.linear1(self.norm2(x)))
        return x + self.dropout(self.linear2(self.dropout(hidden)))


class TextClassifier(nn.Module):
    """Embedding and positions, encoder blocks, a last norm, the mean over the real tokens, a linear layer."""

    def __init__(self, vocab_size, num_classes, d_model, n_heads, d_ff, n_layers, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.blocks = nn.ModuleList(EncoderBlock(d_model, n_heads, d_ff, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens, mask):
        """tokens: (B, T) int64. mask: (B, T) bool. Returns logits (B, C)."""
        x = self.embedding(tokens)
        x = self.dropout(x + sinusoidal_positions(*x.shape[1:]).to(x))
        for block in self.blocks:
            x = block(x, mask)
        real = (torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True)).unsqueeze(2).to(x)
        mean = (self.norm(x) * real).sum(1) / real.sum(1).clamp(min=1)
        return self.head(mean)


class FittedClassifier:
    """A trained TextClassifier and the vocabulary that it was trained with."""

    def __init__(self, model, vocab):
        self.model, self.vocab = model, vocab

    def predict(self, texts):
        """The most likely class (N,) int64 of each text."""
        with torch.no_grad():
            return self.model(*encode(texts, self.vocab)).argmax(1)


def fit_classifier(texts, labels, seed):
    """Train on the texts and their labels (N,), and return what predicts the labels of others."""
    torch.manual_seed(seed)
    vocab = build_vocab(texts)
    tokens, mask = encode(texts, vocab)
    model = TextClassifier(
        len(vocab) + 2, int(labels.max()) + 1, d_model=64, n_heads=4, d_ff=128, n_layers=2, dropout=0.0
    )
    lengths = mask.sum(1)
    epochs, batch_size = 6, 32
    optimizer = torch.optim.Adam(model.parameters())
    steps = epochs * math.ceil(len(texts) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.003, total_steps=steps, pct_start=0.2)
    model.train()
    for _ in range(epochs):
        # Texts of one length stand side by side, in random order: a batch has little padding.
        batches = (lengths + torch.rand(len(texts))).argsort().split(batch_size)
        for i in torch.randperm(len(batches)).tolist():
            batch, longest = batches[i], int(lengths[batches[i]].max())
            logits = model(tokens[batch, :longest], mask[batch, :longest])
            loss = nn.functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return FittedClassifier(model.eval(), vocab)
