"""From texts to word pieces, held against the tokenizer that the weights were trained with."""

import random
from pathlib import Path

import numpy as np
import pytest
import solution
import torch
from folder import model_folder

CLS, SEP, PAD = 101, 102, 0
CAPITALS = 1  # a text whose capitals and accents, if kept, change the number of its pieces
POOL = np.load(Path(__file__).parent / "pool.npz")
TEXTS = (Path(__file__).parent / "pool.txt").read_text("utf-8").splitlines()


def pieces(number):
    """The ids of a text of the pool, [CLS] and [SEP] included."""
    return POOL["ids"][POOL["ends"][number] - POOL["lengths"][number] : POOL["ends"][number]].tolist()


def drawn(seed, count):
    """Numbers of texts of the pool."""
    return random.Random(seed).sample(range(len(TEXTS)), count)


def encoded(texts, max_length=64):
    """The candidate's ids and mask, checked for their form."""
    found = solution.encode(model_folder(), texts, max_length)
    assert isinstance(found, tuple) and len(found) == 2, "encode returns the tuple (input_ids, attention_mask)"  # noqa: PT018
    for tensor, name in zip(found, ("input_ids", "attention_mask"), strict=True):
        assert isinstance(tensor, torch.Tensor), f"{name} must be a tensor, not {type(tensor).__name__}"
        assert tensor.dtype == torch.int64, f"{name} must be int64, not {tensor.dtype}"
        assert tensor.dim() == 2, f"{name} must be (B, T), not {tuple(tensor.shape)}"
        assert len(tensor) == len(texts), f"{name} has {len(tensor)} rows for {len(texts)} texts"
    return found


@pytest.mark.points(3)
def test_encodes_a_single_text(seed):
    """One text gives int64 tensors (1, T): [CLS], its pieces, [SEP]"""
    number = drawn(seed, 1)[0]
    ids, mask = encoded([TEXTS[number]])
    assert ids[0, 0] == CLS, f"a text starts with [CLS] = {CLS}"
    assert ids[0, -1] == SEP, f"a text ends with [SEP] = {SEP}"
    assert (mask == 1).all(), "there is nothing to pad: the mask is 1 everywhere"


@pytest.mark.points(6)
def test_pieces_are_those_of_the_vocabulary(seed):
    """Upper case, accents, punctuation, numbers and rare words give the pieces that the weights know"""
    numbers = drawn(seed, 12)
    ids, mask = encoded([TEXTS[number] for number in numbers])
    for row, number in enumerate(numbers):
        found = ids[row][mask[row] == 1].tolist()
        assert found == pieces(number), (
            f"{TEXTS[number]!r} became the ids {found}, expected {pieces(number)}. Lower-case? Accents stripped? "
            "Longest piece first, the later ones with ##?"
        )


@pytest.mark.points(5)
def test_batches_are_padded_on_the_right(seed):
    """Shorter texts are padded on the right with 0, to the longest text of the batch and no further"""
    numbers = [CAPITALS, *drawn(seed + 1, 5)]
    lengths = [len(pieces(number)) for number in numbers]
    ids, mask = encoded([TEXTS[number] for number in numbers])
    assert ids.shape == mask.shape, "input_ids and attention_mask have the same shape"
    assert ids.shape[1] == max(lengths), f"the longest text has {max(lengths)} pieces, the batch {ids.shape[1]} columns"
    for row, length in enumerate(lengths):
        assert (ids[row, length:] == PAD).all(), f"after its {length} pieces, row {row} must hold [PAD] = {PAD}"
        assert mask[row].tolist() == [1] * length + [0] * (max(lengths) - length), (
            f"row {row} has {length} pieces on the left: the mask is 1 there and 0 on the padding"
        )


@pytest.mark.points(5)
def test_long_texts_keep_both_ends(seed):
    """A text that is too long loses its last pieces, never [CLS] or [SEP]"""
    longest = sorted(range(len(TEXTS)), key=lambda number: -len(pieces(number)))[:8]
    numbers = random.Random(seed).sample(longest, 3)
    for max_length in (5, 8):
        ids, mask = encoded([TEXTS[number] for number in numbers], max_length)
        assert tuple(ids.shape) == (3, max_length), f"max_length {max_length}: the batch is {tuple(ids.shape)}"
        assert (mask == 1).all(), "nothing is padded here"
        for row, number in enumerate(numbers):
            assert ids[row].tolist() == [*pieces(number)[: max_length - 1], SEP], (
                f"max_length {max_length} keeps [CLS], the first {max_length - 2} pieces, and [SEP]"
            )
