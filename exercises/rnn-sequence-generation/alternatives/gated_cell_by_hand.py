"""A minimal gated cell of its own, one-hot inputs, inverse transform sampling with its own random numbers."""

import math

import torch
from torch import nn

PAD, BOS, EOS = range(3)


class Vocabulary:
    def __init__(self, texts):
        self.table = ["", "", "", *sorted(set().union(*texts))]
        self.size = len(self.table)

    def encode(self, text):
        return [self.table.index(character, 3) for character in text]  # list.index raises ValueError itself

    def decode(self, ids):
        characters = []
        for token in ids:
            if int(token) == EOS:
                return "".join(characters)
            characters.append(self.table[int(token)])
        return "".join(characters)


def make_batch(sequences):
    width = max(map(len, sequences)) + 1
    pad = [[PAD] * (width - 1 - len(s)) for s in sequences]
    inputs = [[BOS, *s, *p] for s, p in zip(sequences, pad, strict=True)]
    targets = [[*s, EOS, *p] for s, p in zip(sequences, pad, strict=True)]
    return torch.tensor(inputs), torch.tensor(targets)


class RNNLanguageModel(nn.Module):
    def __init__(self, vocab_size, embedding_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.project = nn.Parameter(0.5 * torch.randn(vocab_size, embedding_size))
        self.from_input = nn.Linear(embedding_size, 2 * hidden_size)
        self.from_hidden = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.decode = nn.Linear(hidden_size, vocab_size)
        nn.init.constant_(self.from_input.bias[:hidden_size].data, 1.0)  # keep the state, to begin with

    def forward(self, tokens, state=None):
        one_hot = nn.functional.one_hot(tokens, len(self.project)).to(self.project.dtype)
        given = self.from_input(one_hot @ self.project)
        h = given.new_zeros(len(tokens), self.hidden_size) if state is None else state["h"]
        outputs = []
        for step in given.unbind(1):
            gate, candidate = (step + self.from_hidden(h)).chunk(2, dim=1)
            gate = gate.sigmoid()
            h = gate * h + (1 - gate) * candidate.tanh()
            outputs.append(h)
        return self.decode(torch.stack(outputs, 1)), {"h": h}


def sequence_loss(logits, targets):
    wanted = logits.gather(2, targets[..., None])[..., 0]
    weights = (targets != PAD).to(logits.dtype)
    return ((logits.logsumexp(dim=2) - wanted) * weights).sum() / weights.sum()


def teacher_forced_loss(model, sequences):
    inputs, targets = make_batch(sequences)
    return sequence_loss(model(inputs, None)[0], targets)


def perplexity(model, sequences, batch_size):
    total = count = 0
    for chunk in range(math.ceil(len(sequences) / batch_size)):
        part = sequences[chunk * batch_size : (chunk + 1) * batch_size]
        weight = sum(map(len, part)) + len(part)
        total += float(teacher_forced_loss(model, part)) * weight
        count += weight
    return math.exp(total / count)


def sample_next(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0 or (top_k is not None and top_k <= 0):
        raise ValueError((temperature, top_k))
    ordered, tokens = torch.sort(logits.double(), dim=1, descending=True)
    kept = logits.shape[1] if top_k is None else min(top_k, logits.shape[1])
    if temperature == 0:
        return tokens[:, 0]
    weights = ((ordered[:, :kept] - ordered[:, :1]) / temperature).exp()
    steps = weights.cumsum(1)
    point = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64) * steps[:, -1:]
    return tokens.gather(1, (steps <= point).sum(1, keepdim=True).clamp(max=kept - 1))[:, 0]


def generate(model, prompts, max_new, temperature=1.0, top_k=None, generator=None, state=None):
    tokens = torch.full((len(prompts), max_new), PAD)
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    fed = prompts
    with torch.inference_mode():
        for step in range(max_new):
            logits, state = model(fed, state)
            tokens[:, step] = sample_next(logits[:, -1], temperature, top_k, generator).masked_fill(ended, PAD)
            ended = ended | (tokens[:, step] == EOS)
            if bool(ended.all()):
                return tokens[:, : step + 1], state
            fed = tokens[:, step : step + 1]
    return tokens, state


def fit(texts, seed):
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    vocabulary = Vocabulary(texts)
    encoded = [vocabulary.encode(text) for text in texts]
    model = RNNLanguageModel(vocabulary.size, 20, 48)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)
    epochs = 16
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        shuffled = torch.randperm(len(encoded), generator=order).tolist()
        for first in range(0, len(shuffled), 32):
            loss = teacher_forced_loss(model, [encoded[row] for row in shuffled[first : first + 32]])
            model.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        schedule.step()
    return vocabulary, model
