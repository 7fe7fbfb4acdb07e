"""From texts to ids and back, and to batches of inputs and targets."""

import random

import pytest
import solution
import torch

PAD, BOS, EOS = 0, 1, 2
ALPHABET = "abcxyzABC019 ,.!\näßéΩ循环神经网络🙂"


def texts_of(seed, count=6):
    """Random texts of different lengths, one of them empty."""
    rng = random.Random(seed)
    return ["".join(rng.choices(ALPHABET, k=length)) for length in [0, *(rng.randint(1, 12) for _ in range(count))]]


@pytest.mark.points(3)
def test_characters_get_ids_in_sorted_order(seed):
    """Characters have the ids 3, 4, … in sorted order, size counts the special tokens, unknown ones raise ValueError"""
    assert (solution.PAD, solution.BOS, solution.EOS) == (0, 1, 2), "PAD, BOS and EOS are 0, 1 and 2"
    for texts in (["banana", "cab"], texts_of(seed)):
        characters = sorted(set("".join(texts)))
        vocabulary = solution.Vocabulary(texts)
        assert vocabulary.size == 3 + len(characters), (
            f"{len(characters)} different characters and three special tokens make size {3 + len(characters)}"
        )
        for text in texts:
            expected = [3 + characters.index(character) for character in text]
            found = vocabulary.encode(text)
            assert list(found) == expected, (
                f"encode({text!r}) gave {found}, expected {expected}: no special tokens, and ids in the order of "
                "sorted(), which is the same in every process (that of a set is not)"
            )
    with pytest.raises(ValueError):  # noqa: PT011 - the wording is the candidate's
        solution.Vocabulary(["abc", "xy"]).encode("axe")


@pytest.mark.points(3)
def test_decoding_undoes_encoding(seed):
    """decode gives the text back, skips PAD and BOS, and stops at the first EOS, for lists and tensors"""
    texts = texts_of(seed)
    vocabulary = solution.Vocabulary(texts)
    for text in texts:
        ids = list(vocabulary.encode(text))
        assert vocabulary.decode(ids) == text, "decode(encode(text)) must be the text"
        full = [BOS, *ids, EOS, 3, 3, EOS, PAD]
        assert vocabulary.decode(full) == text, f"what stands after EOS is not part of the text: {full}"
        padded = torch.tensor([PAD, BOS, *ids, PAD, PAD])
        assert vocabulary.decode(padded) == text, "a tensor (N,) of ids decodes like a list; PAD and BOS are no text"


@pytest.mark.points(4)
def test_targets_are_the_inputs_one_step_later(seed):
    """Inputs start with BOS, targets end with EOS, and each target is the token after its input"""
    rng = random.Random(seed)
    sequences = [[rng.randint(3, 30) for _ in range(7)] for _ in range(4)]
    inputs, targets = solution.make_batch(sequences)
    for name, found in (("inputs", inputs), ("targets", targets)):
        assert tuple(found.shape) == (4, 8), f"{name}: four sequences of seven tokens make (4, 8), BOS or EOS included"
        assert found.dtype == torch.int64, f"{name} must be int64"
    assert inputs.tolist() == [[BOS, *sequence] for sequence in sequences], "the inputs are BOS and the sequence"
    assert targets.tolist() == [[*sequence, EOS] for sequence in sequences], (
        "the target of a step is the token after its input, and EOS at the end: with targets equal to the inputs a "
        "model learns to repeat what it sees"
    )


@pytest.mark.points(3)
def test_shorter_sequences_are_padded(seed):
    """Sequences of different lengths, the empty one included, are filled up with PAD behind BOS … and … EOS"""
    rng = random.Random(seed)
    lengths = rng.sample([0, 1, 2, 3, 5, 8], 6)
    sequences = [[rng.randint(3, 30) for _ in range(length)] for length in lengths]
    inputs, targets = solution.make_batch(sequences)
    for row, sequence in enumerate(sequences):
        padding = [PAD] * (8 - len(sequence))
        assert inputs[row].tolist() == [BOS, *sequence, *padding], (
            f"inputs of a sequence of {len(sequence)} in a batch whose longest has 8: BOS, the sequence, then PAD"
        )
        assert targets[row].tolist() == [*sequence, EOS, *padding], (
            f"targets of a sequence of {len(sequence)} in a batch whose longest has 8: the sequence, EOS, then PAD; "
            "EOS comes right after the last token, not at the end of the row"
        )
