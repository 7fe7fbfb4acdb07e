"""From a question and a context to windows with positions, held against the tokenizer that the weights know."""

import pytest
from pool import CLS, PAD, SEP, Case


@pytest.mark.points(4)
def test_pieces_of_one_window(seed):
    """One window is [CLS], the question, [SEP], the context, [SEP], in a dict of int64 tensors with W = 1"""
    for number in range(3):
        case = Case(seed + number)
        found = case.features()["input_ids"]
        expected = [CLS, *case.asked, SEP, *case.ids, SEP]
        assert tuple(found.shape) == (1, len(expected)), (
            f"{len(case.asked)} pieces of the question and {len(case.ids)} of the context: input_ids is "
            f"{tuple(found.shape)}, expected (1, {len(expected)}), without padding"
        )
        assert found[0].tolist() == expected, (
            f"{case.question!r} and {case.context!r} became {found[0].tolist()}, expected {expected}. Lower-case? "
            "Accents stripped? Question first?"
        )


@pytest.mark.points(3)
def test_token_types_tell_question_from_context(seed):
    """The token type is 0 for [CLS], the question and its [SEP], and 1 for the context and the last [SEP]"""
    case = Case(seed)
    found = case.features()["token_type_ids"][0].tolist()
    expected = [0] * (len(case.asked) + 2) + [1] * (len(case.ids) + 1)
    assert found == expected, f"the token types are {found}, expected {expected}"


@pytest.mark.points(4)
def test_offsets_point_into_the_context(seed):
    """Offsets are characters [start, end) of the context; the question and special pieces have (0, 0)"""
    case = Case(seed, 2)
    found = [tuple(pair) for pair in case.features()["offsets"][0].tolist()]
    expected = [(0, 0)] * (len(case.asked) + 2) + case.offsets + [(0, 0)]
    wrong = [i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b]
    assert found == expected, (
        f"piece {wrong[0] if wrong else len(expected)} has the offsets {found[wrong[0]] if wrong else found[-1]}, "
        f"expected {expected[wrong[0]] if wrong else expected[-1]}: characters of the context as it was given"
    )


@pytest.mark.points(6)
def test_windows_overlap_by_the_stride(seed):
    """Windows are full, share exactly `stride` pieces of the context with the next one, and reach its end"""
    for number, (max_length, stride, sentences) in enumerate([(48, 12, 6), (40, 0, 6), (64, 33, 6), (384, 64, 18)]):
        case = Case(seed + number, sentences)
        found = case.features(None, max_length, stride)
        expected = case.windows(max_length, stride)
        assert len(found["input_ids"]) == len(expected), (
            f"{len(case.ids)} pieces of context, {len(case.asked)} of the question, max_length {max_length}, stride "
            f"{stride}: {len(found['input_ids'])} windows, expected {len(expected)}"
        )
        for row, (first, last) in enumerate(expected):
            ids = [CLS, *case.asked, SEP, *case.ids[first:last], SEP]
            kept = found["input_ids"][row][: len(ids)].tolist()
            assert kept == ids, (
                f"max_length {max_length}, stride {stride}: window {row} must hold the pieces {first} to {last - 1} of "
                "the context, after the question"
            )
            pairs = [tuple(pair) for pair in found["offsets"][row, len(case.asked) + 2 :][: last - first].tolist()]
            assert pairs == case.offsets[first:last], (
                f"the offsets of window {row} count characters of the whole context, not of the window"
            )


@pytest.mark.points(2)
def test_the_last_window_is_padded(seed):
    """A shorter window is padded on the right with 0, in the mask and the offsets, too"""
    case = Case(seed, 4)
    room = len(case.ids) // 2 - 3
    length = room + len(case.asked) + 3
    found = case.features(None, length, 2)
    assert tuple(found["input_ids"].shape) == (3, length), f"expected (3, {length}) pieces"
    first, last = case.windows(length, 2)[-1]
    real = len(case.asked) + 3 + last - first
    assert found["attention_mask"].sum(1).tolist() == [length, length, real], (
        "the mask is 1 on all pieces of a window, and 0 on padding"
    )
    for name, value in (("input_ids", PAD), ("token_type_ids", 0), ("attention_mask", 0), ("offsets", 0)):
        assert (found[name][2, real:] == value).all(), f"{name} of the padding must be {value}"


def held_against(case, first, last, answer, max_length, stride):
    """Asserts the positions in all windows."""
    found = case.features(answer, max_length, stride)
    expected = case.positions(first, last, max_length, stride)
    pairs = list(zip(found["starts"].tolist(), found["ends"].tolist(), strict=True))
    assert pairs == expected, (
        f"the answer {case.context[slice(*answer)]!r} is the pieces {first} to {last} of the context, the windows hold "
        f"{[f'{a} to {b - 1}' for a, b in case.windows(max_length, stride)]}: positions {pairs}, expected {expected}"
    )


@pytest.mark.points(6)
def test_positions_of_the_answer(seed):
    """starts and ends are the first and the last piece of the answer, in each window that holds it"""
    for number in range(4):
        case = Case(seed + number, 4)
        spans = [(first, first + more) for first in range(len(case.ids) - 4) for more in range(4)]
        first, last = case.random.choice([span for span in spans if not case.cut(*span, 60, 20)])
        held_against(case, first, last, case.span(first, last), 60, 20)
    case = Case(seed, 3)
    count = len(case.ids)
    held_against(case, 0, 1, case.span(0, 1), 50, 10)
    held_against(case, count - 1, count - 1, case.span(count - 1, count - 1), 50, 10)


@pytest.mark.points(5)
def test_an_answer_partly_in_a_window_is_not_there(seed):
    """A window that holds a part of the answer only has the positions 0, which is [CLS]; so have all without one"""
    case = Case(seed, 4)
    cut = case.windows(50, 8)[0][1]
    held_against(case, cut - 1, cut, case.span(cut - 1, cut), 50, 8)
    held_against(case, cut - 10, cut, case.span(cut - 10, cut), 50, 8)
    found = case.features(None, 50, 10)
    assert found["starts"].tolist() == found["ends"].tolist() == [0] * len(found["starts"]), (
        "no answer: all starts and ends are 0"
    )


@pytest.mark.points(2)
def test_pieces_are_taken_whole(seed):
    """An answer that begins or ends inside a piece covers this piece"""
    case = Case(seed, 2)
    long = [i for i in range(3, len(case.ids) - 3) if case.offsets[i][1] - case.offsets[i][0] >= 4]
    for first in case.random.sample(long, 3):
        answer = (case.offsets[first][0] + 2, case.offsets[first + 1][1])
        held_against(case, first, first + 1, answer, 400, 10)
        inside = (case.offsets[first][0] + 1, case.offsets[first][1] - 1)
        held_against(case, first, first, inside, 400, 10)
