"""One layer, einsum and -inf with rows kept out of softmax, positions from a table of exponentials, AdamW."""

import torch
from torch import nn


def build_vocab(texts):
    words = dict.fromkeys(word for text in texts for word in text.lower().split())
    return {word: i for i, word in enumerate(words, start=2)}


def encode(texts, vocab):
    rows = [torch.tensor([vocab.get(w, 1) for w in text.lower().split()], dtype=torch.int64) for text in texts]
    tokens = nn.utils.rnn.pad_sequence([*rows, torch.zeros(1, dtype=torch.int64)], batch_first=True)[:-1]
    lengths = torch.tensor([len(row) for row in rows])
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def sinusoidal_positions(length, d_model):
    frequency = torch.exp(-torch.log(torch.tensor(10000.0)) * torch.arange(0, d_model, 2) / d_model)
    angle = torch.outer(torch.arange(length), frequency)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :d_model]


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.heads, self.size = n_heads, d_model // n_heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * d_model, d_model) / d_model**0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool)
        q, k, v = (
            nn.functional.linear(x, weight, bias).unflatten(2, (self.heads, self.size))
            for weight, bias in zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q / self.size**0.5, k)
        some = mask.any(1)
        padding = ~mask[some][:, None, None, :]
        weights = torch.zeros_like(scores)
        weights[some] = scores[some].masked_fill(padding, -torch.inf).softmax(-1)
        return self.out_proj(torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)), weights


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.1):
        super().__init__()
        self.p = dropout
        self.self_attn = MultiHeadAttention(d_model, n_heads)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x, mask=None):
        x = x + nn.functional.dropout(self.self_attn(self.norm1(x), mask)[0], self.p, self.training)
        return x + nn.functional.dropout(self.linear2(self.linear1(self.norm2(x)).relu()), self.p, self.training)


class TextClassifier(nn.Module):
    def __init__(self, vocab_size, num_classes, d_model, n_heads, d_ff, n_layers, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=0)
        self.blocks = nn.ModuleList([EncoderBlock(d_model, n_heads, d_ff, dropout) for _ in range(n_layers)])
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, num_classes)

    def forward(self, tokens, mask):
        x = self.embedding(tokens) + sinusoidal_positions(tokens.shape[1], self.embedding.embedding_dim)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x).masked_fill(~mask.unsqueeze(-1), 0)
        count = mask.sum(1, keepdim=True)
        return self.head(x.sum(1) / torch.where(count == 0, 1, count))


class Fitted:
    def __init__(self, vocab, classes):
        self.vocab = vocab
        self.model = TextClassifier(len(vocab) + 2, classes, 48, 4, 96, 1, dropout=0.0)

    @torch.inference_mode()
    def predict(self, texts):
        return self.model(*encode(texts, self.vocab)).argmax(dim=1)


def fit_classifier(texts, labels, seed):
    torch.manual_seed(seed)
    fitted = Fitted(build_vocab(texts), len(set(labels.tolist())))
    tokens, mask = encode(texts, fitted.vocab)
    optimizer = torch.optim.AdamW(fitted.model.parameters(), lr=0.003, weight_decay=0.01)
    for _ in range(15):
        for rows in torch.randperm(len(texts)).split(64):
            loss = nn.functional.cross_entropy(fitted.model(tokens[rows], mask[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    fitted.model.eval()
    return fitted
