"""The question bank's own answer (task 6) in torch, fitted to this exercise's names, its mistakes kept.

The mistakes: it foretells one number by its squared error, where a distribution over tokens is asked for; there is no way
from a text to inputs and targets; the state is thrown away; nothing is ever generated; the names of the data were never
defined.
"""

import torch
from torch import nn


class RNNLanguageModel(nn.Module):
    def __init__(self, vocab_size, embedding_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTM(1, 50, batch_first=True)
        self.dense = nn.Linear(50, 1)

    def forward(self, tokens, state=None):
        outputs, _ = self.lstm(tokens.unsqueeze(2).to(self.dense.weight.dtype))
        return self.dense(outputs[:, -1]), None


def fit(texts, seed):
    model = RNNLanguageModel(features, 50, 50)  # noqa: F821
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(100):
        for x, y in zip(x_train.split(32), y_train.split(32)):  # noqa: F821
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x)[0], y).backward()
            optimizer.step()
    return None, model
