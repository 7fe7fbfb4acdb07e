"""From texts to tensors: the vocabulary, the batch with its mask, and the encoding of the positions."""

import math
import random

import pytest
import solution
import torch


def sentences(seed, count=7):
    """Texts of 1 to 9 words from a small stock, in changing case and with changing gaps between the words."""
    r = random.Random(seed)
    stock = ["".join(r.choices("abcdefg", k=3)) for _ in range(9)]
    texts = []
    for _ in range(count):
        words = r.choices(stock, k=r.randint(1, 9))
        texts.append("".join(r.choice(["", " "]) + w.capitalize() + r.choice([" ", "  ", "\t", "\n"]) for w in words))
    return texts


def positions(length, width):
    """The candidate's encoding, checked for its shape."""
    found = solution.sinusoidal_positions(length, width)
    assert tuple(found.shape) == (length, width), f"the encoding must be (length, d_model) = {(length, width)}"
    return found


def expected_positions(length, width):
    """The formula of the statement, number by number."""
    rows = [
        [(math.cos if j % 2 else math.sin)(p / 10000 ** ((j - j % 2) / width)) for j in range(width)]
        for p in range(length)
    ]
    return torch.tensor(rows)


@pytest.mark.points(2)
def test_vocabulary_numbers_words_from_two(seed):
    """build_vocab gives each lower-case word one id, from 2 on, in the order of first appearance"""
    texts = sentences(seed)
    expected = {word: i + 2 for i, word in enumerate(dict.fromkeys(" ".join(texts).lower().split()))}
    found = solution.build_vocab(texts)
    assert found == expected, (
        "the ids must be 2, 3, ... in the order in which the words appear first: lower case, split at white space of "
        "any kind, 0 and 1 kept for padding and unknown words"
    )


@pytest.mark.points(3)
def test_texts_are_padded_to_the_longest(seed):
    """encode gives int64 tokens (B, T) with zeros behind each text, and a mask that is True at the words"""
    texts = sentences(seed)
    vocab = solution.build_vocab(texts)
    tokens, mask = solution.encode(texts, vocab)
    rows = [text.lower().split() for text in texts]
    longest = max(map(len, rows))
    assert tuple(tokens.shape) == tuple(mask.shape) == (len(texts), longest), (
        f"tokens and mask must be (B, T) = {(len(texts), longest)}, T being the length of the longest text"
    )
    assert tokens.dtype == torch.int64, "tokens are int64"
    assert mask.dtype == torch.bool, "the mask is bool"
    for i, row in enumerate(rows):
        ids = [vocab[word] for word in row]
        assert tokens[i].tolist() == ids + [0] * (longest - len(row)), "each text's ids, then zeros up to the longest"
        assert mask[i].tolist() == [True] * len(row) + [False] * (longest - len(row)), (
            "the mask is True at words and False at padding"
        )


@pytest.mark.points(2)
def test_unknown_words_and_empty_texts():
    """A word outside the vocabulary becomes 1 and counts as a word; an empty text is a row of padding"""
    tokens, mask = solution.encode(["red moon", "", "blue Red sky"], {"red": 2, "sky": 3})
    assert tokens.tolist() == [[2, 1, 0], [0, 0, 0], [1, 2, 3]], "unknown words are 1, padding is 0"
    assert mask.tolist() == [[True, True, False], [False] * 3, [True] * 3], (
        "an unknown word is a word: True in the mask; an empty text has none"
    )
    tokens, mask = solution.encode(["", " "], {"red": 2})
    assert tokens.tolist() == [[0], [0]], "T is at least 1, even if all texts are empty"
    assert mask.tolist() == [[False], [False]], "an empty text has no word"


@pytest.mark.points(4)
def test_positions_match_the_formula():
    """sinusoidal_positions is sine in even columns and cosine in odd ones, with the statement's frequencies"""
    for length, width in [(1, 2), (12, 8), (60, 32), (2001, 6)]:
        found, expected = positions(length, width), expected_positions(length, width)
        assert found.dtype == torch.float32, "the encoding is float32"
        wrong = [j for j in range(width) if not torch.allclose(found[:, j], expected[:, j], atol=1e-3)]
        assert not wrong, (
            f"for length {length} and d_model {width} these columns differ from the formula: {wrong}. Columns 2i and "
            "2i + 1 are sine and cosine of the same angle p / 10000^(2i / d_model)"
        )


@pytest.mark.points(3)
def test_positions_of_odd_width():
    """With an odd d_model the last column is a sine without a cosine beside it"""
    for width in (1, 7, 15):
        try:
            found = positions(20, width)
        except Exception as error:
            pytest.fail(f"d_model = {width} raised {type(error).__name__}: {str(error)[:200]}")
        assert torch.allclose(found, expected_positions(20, width), atol=1e-4), (
            f"d_model = {width}: the formula holds for each column; there is one sine more than there are cosines"
        )
