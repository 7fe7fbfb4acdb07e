"""A language model of the judge's own, which tells apart what it was fed and in which order."""

import torch

PAD, BOS, EOS = 0, 1, 2
HISTORIES = 997


class Scripted:
    """Logits from a random table, by a number that each history of tokens has; the state is that number, (B,).

    `model` is the callable to pass on. `fed` and `states` list what it was called with. Where `ends` is given, that
    share of the histories is followed by EOS for certain, the others never.
    """

    def __init__(self, seed, size=9, *, ends=None):
        g = torch.Generator().manual_seed(seed)
        self.size = size
        self.table = 2 * torch.randn(HISTORIES, size, generator=g)
        if ends is not None:  # a share of the histories ends for certain, all others go on, with letters
            self.table[:, [PAD, BOS, EOS]] = -50.0
            self.table[torch.rand(HISTORIES, generator=g) < ends, EOS] = 50.0
        self.fed, self.states = [], []

    def model(self, tokens, state=None):
        """Logits (B, T, V) and the next state."""
        if not isinstance(tokens, torch.Tensor) or tokens.ndim != 2 or tokens.dtype != torch.int64:
            raise TypeError("the model must be called with a tensor of tokens (B, T), int64")
        self.fed.append(tokens.clone())
        self.states.append(state)
        if len(self.fed) > 200:
            raise RuntimeError("the model was called more than 200 times")
        return self.run(tokens, state)

    def run(self, tokens, state=None):
        """What `model` computes, without taking notes."""
        number = torch.zeros(len(tokens), dtype=torch.int64) if state is None else state
        numbers = []
        for token in tokens.unbind(1):
            number = (31 * number + 17 * token + 5) % HISTORIES
            numbers.append(number)
        return self.table[torch.stack(numbers, dim=1)], number

    def greedy(self, prompt, count):
        """The most likely continuation of a prompt (a list), token by token from the start; it ends after EOS."""
        tokens = list(prompt)
        while len(tokens) < len(prompt) + count and EOS not in tokens:
            logits, _ = self.run(torch.tensor([tokens]))
            tokens.append(int(logits[0, -1].argmax()))
        return tokens[len(prompt) :]
