"""The statement's block and its classifier, built from torch's layers."""

import torch
from torch import nn


def torch_block(width, heads, hidden):
    """torch's pre-norm block. Kept in training mode (without dropout), where it takes no short cuts for padding."""
    return nn.TransformerEncoderLayer(width, heads, hidden, dropout=0.0, batch_first=True, norm_first=True)


class Classifier(nn.Module):
    """The classifier of the statement, with its names. Each text must have a real token."""

    def __init__(self, vocabulary, classes, width, heads, hidden, layers):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(torch_block(width, heads, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens, mask):
        x = self.embedding(tokens)
        width = x.shape[2]
        angles = torch.arange(tokens.shape[1]).unsqueeze(1) / 10000 ** (torch.arange(0, width, 2) / width)
        x = x + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width].to(x)
        for layer in self.blocks:
            x = layer(x, src_key_padding_mask=~mask)
        x = self.norm(x)
        return self.head(torch.stack([row[real].mean(0) for row, real in zip(x, mask, strict=True)]))
