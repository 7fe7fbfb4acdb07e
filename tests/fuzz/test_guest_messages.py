"""What the judge makes of a guest's messages: a value, what the guest raised, or the end of the guest. Nothing else."""

import random

import numpy as np
import pytest
import torch

from grader.judge.errors import GuestLost
from tests.fuzz.judge import NUMBER, ask, play, scripted
from tests.fuzz.scripts import SCRIPTS, VALUES, Told, changed, encoded, framed


@pytest.mark.parametrize("value", VALUES, ids=lambda value: getattr(value, "kind", type(value).__name__))
def test_each_script_that_the_fuzzer_starts_from_is_well_formed(value):
    with scripted(framed(encoded(("ok", NUMBER, value)))) as session:
        ask(session)
        assert session.alive


def test_scripts_with_values_exchanged_at_random_give_a_value_or_the_end_of_the_guest():
    draw = random.Random(20261126)
    for script in SCRIPTS * 20:
        play(changed(changed(script, draw), draw))


def test_a_script_that_ends_with_a_call_ends_the_guest():
    with scripted(framed(encoded(("call", NUMBER, NUMBER, (), {})))) as session, pytest.raises(GuestLost):
        ask(session)


def test_a_script_that_is_cut_off_anywhere_ends_the_guest():
    for end in range(len(SCRIPTS[0])):
        play(SCRIPTS[0][:end])


ERROR = {"cls": None, "builtins": [], "args": [], "text": "", "where": [], "attributes": {}, "thrown": None}
FAR = {"handle": 1, "told": {"kind": "class", "name": "E", "enum": True}}
MANY = [[f"A{n}", n] for n in range(5000)]


def enum(members, value):
    told = {"name": "E", "members": members, "member": "A", "value": value, "flag": True, "cls": FAR}
    return Told("enum", told)


def deep_error():
    """A class of exceptions with more bases than anybody's, each told of in the one before."""
    handle, told = 1, []
    for handle in range(1, 200):
        bases = [Told("error_class", {"handle": handle - 1, "told": None})] if handle > 1 else []
        about = {"name": "E", "module": "solution", "doc": "", "builtins": ["ValueError"], "bases": bases}
        told.append(Told("error_class", {"handle": handle, "told": about}))
    return told


@pytest.mark.parametrize(
    "message",
    [
        [*("ok", NUMBER), None],
        ("ok", np.array([NUMBER, NUMBER]), None),
        ("ok", torch.tensor([NUMBER, NUMBER]), None),
        (np.array(["ok", "ok"]), NUMBER, None),
        ("ok", float(NUMBER), None),
        ("call", NUMBER, [], (), {}),
        ("ok", NUMBER, Told("leaf", {"handle": 1, "value": torch.ones(2, dtype=torch.int64), "grad": None})),
        ("ok", NUMBER, Told("graph", {"handle": 1, "value": torch.ones(2), "ends": range(9)})),
        ("ok", NUMBER, Told("iterator", torch.ones(2))),
        ("ok", NUMBER, Told("error_class", {"handle": (1,), "told": {}})),
        ("ok", NUMBER, Told("name", ["numpy.dtype", "f8,f8"])),
        ("ok", NUMBER, Told("name", ["torch", "_dynamo"])),
        ("ok", NUMBER, enum(MANY, 1)),
        ("ok", NUMBER, enum([["A", 1]], 1 << 100_000)),
        ("ok", NUMBER, Told("tuple", {"name": "P", "fields": [m[0] for m in MANY], "content": [], "far": FAR})),
        ("ok", NUMBER, deep_error()),
    ],
    ids=lambda message: f"{message[0]}-{getattr(message[2], 'kind', type(message[2]).__name__)}",
)
def test_a_message_of_another_form_ends_the_guest(message):
    with scripted(framed(encoded(message))) as session:
        with pytest.raises(GuestLost):
            ask(session)
        assert not session.alive
