"""An LSTM with dropout; draws by the largest of logits plus Gumbel noise; counts what it sums."""

import torch
from torch import nn
from torch.nn import functional

PAD, BOS, EOS = 0, 1, 2
SPECIAL = {PAD: "", BOS: ""}


class Vocabulary:
    def __init__(self, texts):
        characters = sorted({character for text in texts for character in text})
        self.to_id = {c: i + 3 for i, c in enumerate(characters)}
        self.to_character = {i: c for c, i in self.to_id.items()} | SPECIAL

    @property
    def size(self):
        return len(self.to_character) + 1

    def encode(self, text):
        try:
            return [self.to_id[c] for c in text]
        except KeyError as error:
            raise ValueError(f"unknown character {error}") from None

    def decode(self, ids):
        ids = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
        end = ids.index(EOS) if EOS in ids else len(ids)
        return "".join(self.to_character[i] for i in ids[:end])


def make_batch(sequences):
    rows = [torch.tensor([BOS, *sequence, EOS]) for sequence in sequences]
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
    inputs, targets = padded[:, :-1].clone(), padded[:, 1:].clone()
    inputs[inputs == EOS] = PAD
    return inputs, targets


class RNNLanguageModel(nn.Module):
    def __init__(self, vocab_size, embedding_size, hidden_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embedding_size, padding_idx=PAD)
        nn.init.normal_(self.embed.weight)
        self.lstm = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(0.05)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens, state=None):
        hidden, state = self.lstm(self.embed(tokens), state)
        return self.head(self.dropout(hidden)), state


def sequence_loss(logits, targets):
    return functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=PAD)


def teacher_forced_loss(model, sequences):
    inputs, targets = make_batch(sequences)
    return sequence_loss(model(inputs)[0], targets)


def perplexity(model, sequences, batch_size):
    nats = []
    with torch.no_grad():
        for first in range(0, len(sequences), batch_size):
            inputs, targets = make_batch(sequences[first : first + batch_size])
            log_p = functional.log_softmax(model(inputs)[0], dim=-1)
            each = -log_p.gather(2, targets.unsqueeze(2)).squeeze(2)
            nats.append(each[targets.ne(PAD)])
    return torch.cat(nats).double().mean().exp().item()


def sample_next(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("negative temperature")
    if top_k is not None and top_k < 1:
        raise ValueError("top_k below 1")
    logits = logits.double()
    if top_k is not None and top_k < logits.shape[1]:
        order = logits.sort(dim=1, descending=True, stable=True).indices
        logits = logits.scatter(1, order[:, top_k:], float("-inf"))
    if temperature > 0:
        uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64).clamp(1e-300, 1 - 1e-16)
        logits = logits / temperature - (-uniform.log()).log()
    return logits.max(dim=1).indices


def generate(model, prompts, max_new, temperature=1.0, top_k=None, generator=None, state=None):
    rows, alive = [], torch.ones(prompts.shape[0], dtype=torch.int64)
    with torch.no_grad():
        for _ in range(max_new):
            logits, state = model(prompts, state)
            following = sample_next(logits[:, -1, :], temperature, top_k, generator) * alive + PAD * (1 - alive)
            rows.append(following)
            alive = alive * (following != EOS)
            if alive.sum() == 0:
                break
            prompts = following[:, None]
    return torch.stack(rows).T.contiguous(), state


def fit(texts, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vocabulary = Vocabulary(texts)
        inputs, targets = make_batch([vocabulary.encode(text) for text in texts])
        model = RNNLanguageModel(vocabulary.size, 16, 64)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
        epochs = 20
        for epoch in range(epochs):
            for group in optimizer.param_groups:
                group["lr"] = 0.02 * (1 - epoch / epochs)
            for rows in torch.randperm(len(texts)).split(32):
                optimizer.zero_grad()
                sequence_loss(model(inputs[rows])[0], targets[rows]).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
    return vocabulary, model.eval()
