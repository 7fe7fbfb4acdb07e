"""Contexts and questions with their word pieces, and the windows that are expected of them."""

import json
import random
from pathlib import Path

import solution
import torch
from folder import model_folder

CLS, SEP, PAD = 101, 102, 0
POOL = json.loads((Path(__file__).parent / "pool.json").read_text("utf-8"))
INTEGERS = ("input_ids", "token_type_ids", "attention_mask", "offsets", "starts", "ends")


class Case:
    """A question and a context of several sentences, with the pieces of both."""

    def __init__(self, seed, sentences=1):
        self.random = random.Random(seed)
        asked = self.random.choice(POOL["questions"])
        self.question, self.asked = asked["text"], asked["ids"]
        self.context, self.ids, self.offsets = "", [], []
        for record in self.random.sample(POOL["contexts"], sentences):
            shift = len(self.context) + 1 if self.context else 0
            self.context += " " * bool(self.context) + record["text"]
            self.ids += record["ids"]
            self.offsets += [(first + shift, last + shift) for first, last in record["offsets"]]

    def windows(self, max_length, stride):
        """For each window the numbers (first, last + 1) of the context's pieces in it."""
        room = max_length - len(self.asked) - 3
        found = [(0, min(room, len(self.ids)))]
        while found[-1][1] < len(self.ids):
            first = found[-1][1] - stride
            found.append((first, min(first + room, len(self.ids))))
        return found

    def span(self, first, last):
        """The characters (start, end) from piece `first` to piece `last`, this one included."""
        return self.offsets[first][0], self.offsets[last][1]

    def cut(self, first, last, max_length, stride):
        """Whether some window holds a part of this span only."""
        shared = [min(last + 1, end) - max(first, begin) for begin, end in self.windows(max_length, stride)]
        return any(0 < number <= last - first for number in shared)

    def positions(self, first, last, max_length, stride):
        """What starts and ends have to be, when the answer goes from piece `first` to piece `last`."""
        shift = len(self.asked) + 2
        return [
            (first - begin + shift, last - begin + shift) if begin <= first and last < end else (0, 0)
            for begin, end in self.windows(max_length, stride)
        ]

    def features(self, answer=None, max_length=512, stride=0):
        """The candidate's features, checked for their form."""
        found = solution.make_features(model_folder(), self.question, self.context, answer, max_length, stride)
        assert isinstance(found, dict), f"make_features returns a dict of tensors, not {type(found).__name__}"
        for name in INTEGERS:
            assert name in found, f"make_features returns no {name!r}"
            assert isinstance(found[name], torch.Tensor), f"{name} must be a tensor, not {type(found[name]).__name__}"
            assert found[name].dtype == torch.int64, f"{name} must be int64, not {found[name].dtype}"
        shape = tuple(found["input_ids"].shape)
        assert len(shape) == 2, f"input_ids must be (W, T), not {shape}"
        for name in ("token_type_ids", "attention_mask"):
            assert tuple(found[name].shape) == shape, f"{name} is {tuple(found[name].shape)}, input_ids is {shape}"
        expected = (*shape, 2)
        assert tuple(found["offsets"].shape) == expected, f"offsets is {tuple(found['offsets'].shape)}, not {expected}"
        for name in ("starts", "ends"):
            assert tuple(found[name].shape) == shape[:1], f"{name} is {tuple(found[name].shape)}, not {shape[:1]}"
        return found
