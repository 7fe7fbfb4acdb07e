"""Softmax written out with the maximum subtracted, no separate encoder, stochastic gradient descent with momentum."""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.query_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key_proj = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, query, keys, mask):
        scores = torch.einsum("bh,bth->bt", self.query_proj(query), self.key_proj(keys)) * keys.shape[-1] ** -0.5
        scores = torch.where(mask, scores, scores.min().detach())
        odds = torch.exp(scores - scores.amax(1, keepdim=True).detach()) * mask
        # The maximum over real and filled positions is that of the real ones: the filler is the smallest score.
        weights = odds / odds.sum(1, keepdim=True).clamp(min=1e-30)
        return (weights.unsqueeze(-1) * keys).sum(1), weights


class TextClassifier(nn.Module):
    def __init__(self, vocab_size, hidden_size, num_classes, pad_id=0, dropout=0.1):
        super().__init__()
        self.pad_id, self.p = pad_id, dropout
        self.embedding = nn.Embedding(vocab_size, hidden_size, padding_idx=pad_id)
        self.attention = Attention(hidden_size)
        self.query = nn.Embedding(1, hidden_size)
        self.head = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, num_classes))

    def forward(self, tokens):
        states = nn.functional.dropout(self.embedding(tokens), self.p, self.training)
        query = self.query(torch.zeros(len(tokens), dtype=torch.int64))
        context, weights = self.attention(query, states, tokens.ne(self.pad_id))
        return self.head(context), weights


def train_classifier(tokens, labels, vocab_size, num_classes, pad_id, seed):
    torch.manual_seed(seed)
    model = TextClassifier(vocab_size, 24, num_classes, pad_id)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = torch.utils.data.TensorDataset(tokens, labels)
    for _ in range(40):
        for words, label in torch.utils.data.DataLoader(data, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(words)[0], label).backward()
            optimizer.step()
    model.eval()
    return model
