"""A made-up language whose probabilities the judge knows: sentences of an opening letter, a body and a closing letter.

Which letters there are, which closing letter belongs to which opening letter, and which letter may follow which in the
body are the seed's own. A model that sees only the last letters can learn the body; the closing letter takes memory.
"""

import math
import random

PAD, BOS, EOS = 0, 1, 2
SHORTEST, LONGEST = 4, 9  # of a body, all lengths between them equally likely


class Language:
    """What a seed makes of it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        letters = self.random.sample("abcdefghijklmnopqrstuvwxyz", 11)
        self.openings, self.closings, self.inner = letters[:3], letters[3:6], letters[6:]
        self.partner = dict(zip(self.openings, self.closings, strict=True))
        self.follows = {"": self._three(self.random.choice(self.inner))}  # the first letter of a body follows ""
        for before, letter in zip(self.inner, [*self.inner[1:], self.inner[0]], strict=True):
            self.follows[before] = self._three(letter)  # a ring: each letter is within reach
        self.ids = {letter: number for number, letter in enumerate(sorted(letters), start=3)}

    def _three(self, letter):
        """The probabilities of three letters, this one among the likelier two."""
        others = self.random.sample([other for other in self.inner if other != letter], 2)
        first, second = self.random.sample([letter, others[0]], 2)
        return {first: 0.6, second: 0.3, others[1]: 0.1}

    def sentences(self, count):
        """New sentences of the language."""
        return [self._sentence() for _ in range(count)]

    def corpus(self, count):
        """New sentences in which every letter occurs, so that a vocabulary of them is the whole one."""
        while True:
            texts = self.sentences(count)
            if set("".join(texts)) == set(self.ids):
                return texts

    def _sentence(self):
        opening, body = self.random.choice(self.openings), ""
        for _ in range(self.random.randint(SHORTEST, LONGEST)):
            following = self.follows[body[-1:]]
            body += self.random.choices(list(following), list(following.values()))[0]
        return opening + body + self.partner[opening]

    def surprise(self, sentence):
        """Minus the logarithm of the sentence's true probability, in nats."""
        total, body = math.log(len(self.openings)), sentence[1:-1]
        for before, letter in zip(["", *body], body, strict=False):
            total -= math.log(self.follows[before][letter])
        return total + math.log(LONGEST - SHORTEST + 1)

    def allows(self, sentence):
        """Whether the sentence belongs to the language."""
        body = sentence[1:-1]
        return (
            SHORTEST <= len(body) <= LONGEST
            and self.partner.get(sentence[0]) == sentence[-1]
            and all(letter in self.follows.get(before, {}) for before, letter in zip(["", *body], body, strict=False))
        )

    def text(self, ids):
        """The text that ids (a list) stand for up to EOS, or None where there is no EOS or a token is no letter."""
        letters = {number: letter for letter, number in self.ids.items()}
        if EOS not in ids:
            return None
        ids = ids[: ids.index(EOS)]
        return "".join(letters[number] for number in ids) if set(ids) <= set(letters) else None

    def encode(self, sentence):
        """The ids that the statement prescribes."""
        return [self.ids[letter] for letter in sentence]
