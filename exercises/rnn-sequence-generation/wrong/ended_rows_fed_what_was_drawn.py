"""Wrong: a row that has ended gets PAD, but the model is fed what was drawn for it."""

import math

import torch
from torch import nn

PAD, BOS, EOS = 0, 1, 2


class Vocabulary:
    """Characters as ids: 0, 1 and 2 are PAD, BOS and EOS, then the characters of the texts in sorted order."""

    def __init__(self, texts):
        self.characters = sorted(set("".join(texts)))
        self.ids = {character: number for number, character in enumerate(self.characters, start=3)}
        self.size = 3 + len(self.characters)

    def encode(self, text):
        """The ids of a text, without special tokens. Raises ValueError for an unknown character."""
        unknown = set(text) - set(self.ids)
        if unknown:
            raise ValueError(f"characters that are not in the vocabulary: {sorted(unknown)}")
        return [self.ids[character] for character in text]

    def decode(self, ids):
        """The text of the ids (a list or a tensor (N,)), up to the first EOS, without PAD and BOS."""
        text = ""
        for number in map(int, ids):
            if number == EOS:
                break
            if number not in (PAD, BOS):
                text += self.characters[number - 3]
        return text


def make_batch(sequences):
    """Inputs and targets (B, T) for lists of ids: BOS before the inputs, EOS after the targets, PAD behind."""
    steps = 1 + max(len(sequence) for sequence in sequences)
    inputs = torch.full((len(sequences), steps), PAD)
    targets = torch.full((len(sequences), steps), PAD)
    for row, sequence in enumerate(sequences):
        inputs[row, : len(sequence) + 1] = torch.tensor([BOS, *sequence])
        targets[row, : len(sequence) + 1] = torch.tensor([*sequence, EOS])
    return inputs, targets


class RNNLanguageModel(nn.Module):
    """Embedding, GRU, and a linear layer to the logits of the next token."""

    def __init__(self, vocab_size, embedding_size, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.rnn = nn.GRU(embedding_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens, state=None):
        """Return the logits (B, T, V) and the state after the last of the tokens (B, T)."""
        outputs, state = self.rnn(self.embedding(tokens), state)
        return self.output(outputs), state


def sequence_loss(logits, targets):
    """Mean cross-entropy of logits (B, T, V) over the targets (B, T) that are not PAD."""
    real = targets != PAD
    return nn.functional.cross_entropy(logits[real], targets[real])


def teacher_forced_loss(model, sequences):
    """The loss of one pass over the sequences, in which the model is fed the true tokens."""
    inputs, targets = make_batch(sequences)
    logits, _ = model(inputs)
    return sequence_loss(logits, targets)


@torch.no_grad()
def perplexity(model, sequences, batch_size):
    """exp of the mean cross-entropy over all tokens of all sequences, as a float."""
    total, count = 0.0, 0
    for start in range(0, len(sequences), batch_size):
        batch = sequences[start : start + batch_size]
        tokens = sum(len(sequence) + 1 for sequence in batch)
        total += teacher_forced_loss(model, batch).item() * tokens
        count += tokens
    return math.exp(total / count)


def sample_next(logits, temperature=1.0, top_k=None, generator=None):
    """Draw a token (B,) for each row of logits (B, V) from softmax(logits / temperature) over the top_k largest."""
    if temperature < 0 or (top_k is not None and top_k < 1):
        raise ValueError("temperature must be at least 0, and top_k at least 1")
    if temperature == 0:
        return logits.argmax(dim=1)
    values, tokens = logits.topk(min(top_k or logits.shape[1], logits.shape[1]), dim=1)
    probabilities = torch.softmax((values - values[:, :1]) / temperature, dim=1)
    drawn = torch.multinomial(probabilities, 1, generator=generator)
    return tokens.gather(1, drawn).squeeze(1)


@torch.no_grad()
def generate(model, prompts, max_new, temperature=1.0, top_k=None, generator=None, state=None):
    """Continue prompts (B, P). Return the new tokens (B, N) and the state that has seen all but the last of them."""
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    tokens, new = prompts, []
    while len(new) < max_new and not ended.all():
        logits, state = model(tokens, state)
        token = sample_next(logits[:, -1], temperature, top_k, generator)
        new.append(torch.where(ended, PAD, token))
        ended |= token == EOS
        tokens = token.unsqueeze(1)
    return torch.stack(new, dim=1), state


def fit(texts, seed, epochs=16, batch_size=32):
    """Train a model on texts. Return the vocabulary and the model."""
    torch.manual_seed(seed)
    vocabulary = Vocabulary(texts)
    sequences = [vocabulary.encode(text) for text in texts]
    model = RNNLanguageModel(vocabulary.size, embedding_size=24, hidden_size=64)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    steps = epochs * math.ceil(len(sequences) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(sequences)).split(batch_size):
            loss = teacher_forced_loss(model, [sequences[row] for row in rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return vocabulary, model
