"""No transformers: WordPiece from vocab.txt, BERT's layers written out, the weights read from model.safetensors."""

import json
import math
import unicodedata
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn


class WordPiece:
    """BERT's tokenizer: lower case, no accents, split at spaces and punctuation, then the longest known pieces."""

    def __init__(self, folder):
        lines = (Path(folder) / "vocab.txt").read_text("utf-8").splitlines()
        self.ids = {piece: number for number, piece in enumerate(lines)}

    def __call__(self, text):
        return [self.ids[piece] for word in self.words(text) for piece in self.pieces(word)]

    def words(self, text):
        plain = unicodedata.normalize("NFD", text.lower())
        word = ""
        for letter in (c for c in plain if unicodedata.category(c) != "Mn"):
            mark = unicodedata.category(letter)[0] == "P" or letter in "$+<=>^`|~"
            if mark or letter.isspace():
                yield from filter(None, [word, letter if mark else ""])
                word = ""
            else:
                word += letter
        if word:
            yield word

    def pieces(self, word):
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.ids:
                    break
            else:
                return ["[UNK]"]
            found.append(piece)
            start = end
        return found


def encode(folder, texts, max_length):
    split = WordPiece(folder)
    rows = [[101, *split(text)[: max_length - 2], 102] for text in texts]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids, mask


class Layer(nn.Module):
    def __init__(self, width, inner, heads, dropout):
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(dropout)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, bias):
        q, k, v = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]) + bias
        mixed = (self.drop(scores.softmax(3)) @ v).transpose(1, 2).flatten(2)
        x = self.norm_1(x + self.drop(self.out(mixed)))
        return self.norm_2(x + self.drop(self.down(nn.functional.gelu(self.up(x)))))


NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm_1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm_2": "output.LayerNorm",
}


class Bert(nn.Module):
    def __init__(self, folder):
        super().__init__()
        shape = json.loads((Path(folder) / "config.json").read_text())
        width = shape["hidden_size"]
        self.words = nn.Embedding(shape["vocab_size"], width)
        self.places = nn.Embedding(shape["max_position_embeddings"], width)
        self.kinds = nn.Embedding(shape["type_vocab_size"], width)
        self.norm, self.drop = nn.LayerNorm(width, eps=1e-12), nn.Dropout(0.1)
        sizes = width, shape["intermediate_size"], shape["num_attention_heads"], 0.1
        self.layers = nn.ModuleList(Layer(*sizes) for _ in range(shape["num_hidden_layers"]))
        stored = load_file(Path(folder) / "model.safetensors")
        table = {"words": "word_embeddings", "places": "position_embeddings", "kinds": "token_type_embeddings"}
        mine = {f"{name}.weight": stored[f"embeddings.{theirs}.weight"] for name, theirs in table.items()}
        mine |= {f"norm.{part}": stored[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")}
        for number in range(len(self.layers)):
            for name, theirs in NAMES.items():
                for part in ("weight", "bias"):
                    mine[f"layers.{number}.{name}.{part}"] = stored[f"encoder.layer.{number}.{theirs}.{part}"]
        self.load_state_dict(mine)

    def forward(self, input_ids, attention_mask):
        x = self.words(input_ids) + self.places.weight[: input_ids.shape[1]] + self.kinds.weight[0]
        x = self.drop(self.norm(x))
        bias = torch.zeros(attention_mask.shape).masked_fill(attention_mask == 0, -1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        return x


def load_encoder(folder):
    return Bert(folder).eval()


def mean_pool(hidden, attention_mask):
    kept = hidden.masked_fill(attention_mask.unsqueeze(2) == 0, 0)
    return kept.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True)


def learning_rate(step, total_steps, warmup_steps, peak):
    if warmup_steps and step <= warmup_steps:
        return peak * step / warmup_steps
    left = max(total_steps - step, 0)
    return peak * left / (total_steps - warmup_steps)


def parameter_groups(model, weight_decay):
    groups = []
    for parameter in model.parameters():
        if parameter.requires_grad:  # matrices have two dimensions, biases and norms one
            groups.append({"params": [parameter], "weight_decay": weight_decay if parameter.dim() > 1 else 0.0})
    return groups


class Tuned:
    def __init__(self, folder, n_classes):
        self.folder, self.bert = folder, Bert(folder)
        self.head = nn.Linear(384, n_classes)

    def __call__(self, ids, mask):
        return self.head(self.bert(ids, mask)[:, 0])  # [CLS] speaks for the sentence

    def logits(self, texts):
        with torch.no_grad():
            return torch.cat([self(*encode(self.folder, [text], 64)) for text in texts])


def fine_tune(folder, texts, labels, n_classes, seed):
    torch.manual_seed(seed)
    model, epochs, size = Tuned(folder, n_classes), 5, 12
    model.bert.words.requires_grad_(False)
    model.bert.train()
    steps = epochs * math.ceil(len(texts) / size)
    groups = [group | {"peak": 2e-4} for group in parameter_groups(model.bert, 0.01)]
    groups += [group | {"peak": 2e-3} for group in parameter_groups(model.head, 0.0)]
    optimizer = torch.optim.Adam(groups)
    ids, mask = encode(folder, texts, 64)
    for epoch in range(4 * epochs):
        order, summed = torch.randperm(len(texts)), 0.0
        for number, first in enumerate(range(0, len(texts), size)):
            rows = order[first : first + size]
            step = (epoch % epochs) * (steps // epochs) + number + 1
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps + 1, min(6, steps // 2), group["peak"])
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(ids[rows], mask[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            summed += loss.item() * len(rows)
        if epoch % epochs == epochs - 1 and summed < 0.2 * len(texts):
            break
    model.bert.eval()
    return model
