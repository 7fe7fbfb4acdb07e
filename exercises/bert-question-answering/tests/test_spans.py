"""The best span over several windows, held against all spans one by one; the loss."""

import random

import pytest
import solution
import torch


def drawn(seed, windows=3, length=14, asked=3):
    """Logits and offsets as of `windows` windows over a context, the last one padded. No best span begins with the
    first character: that has a test of its own."""
    rng = random.Random(seed)
    offsets = torch.zeros(windows, length, 2, dtype=torch.int64)
    room = length - asked - 3
    ends, place = [], 0
    for _ in range(windows * room):
        size = rng.randrange(1, 7)
        ends.append((place, place + size))
        place += size + rng.randrange(2)
    for row in range(windows):
        count = room - (4 if row == windows - 1 else 0)
        first = row * (room - 2)
        offsets[row, asked + 2 : asked + 2 + count] = torch.tensor(ends[first : first + count])
    start, end = (torch.tensor([[rng.gauss(0, 2) for _ in range(length)] for _ in range(windows)]) for _ in "se")
    start[0, asked + 2] = -20
    return start, end, offsets


def brute(start, end, offsets, longest):
    """The score of the best span, the span, and the null score."""
    best, span = -float("inf"), None
    for row in range(len(start)):
        for i in range(start.shape[1]):
            for j in range(i, min(i + longest, start.shape[1])):
                a, b = offsets[row, i].tolist(), offsets[row, j].tolist()
                score = (start[row, i] + end[row, j]).item()
                if a[1] > a[0] and b[1] > b[0] and score > best:
                    best, span = score, (a[0], b[1])
    return best, span, (start[:, 0] + end[:, 0]).min().item()


def best(start, end, offsets, longest):
    """The candidate's span, checked for its form."""
    found = solution.best_span(start, end, offsets, longest)
    if found is None:
        return None
    assert isinstance(found, (tuple, list)), f"best_span returns (start, end) or None, not {found!r}"
    assert len(found) == 2, f"best_span returns (start, end) or None, not {found!r}"
    assert all(isinstance(x, int) for x in found), f"start and end must be ints, not {found!r}"
    return tuple(found)


@pytest.mark.points(4)
def test_best_span_is_the_best_of_all(seed):
    """The span has the highest sum of start and end logit over all valid spans of all windows"""
    for number in range(12):
        start, end, offsets = drawn(seed + number, windows=1 + number % 4)
        start[:, 0] = end[:, 0] = -20
        longest = 2 + number % 5
        _, expected, _ = brute(start, end, offsets, longest)
        found = best(start, end, offsets, longest)
        assert found == expected, f"at most {longest} pieces, {len(start)} windows: got {found}, the best is {expected}"


@pytest.mark.points(4)
def test_only_valid_spans_count(seed):
    """The end never lies before the start, and no piece of the question, special piece or padding is part of a span"""
    start, end, offsets = drawn(seed, windows=1)
    start[:, 0] = end[:, 0] = -20
    start[0, 9] = end[0, 6] = 8
    _, expected, _ = brute(start, end, offsets, 20)
    found = best(start, end, offsets, 20)
    assert found == expected, f"the best start is piece 9, the best end piece 6: got {found}, expected {expected}"
    start, end, offsets = drawn(seed)
    outside = offsets[..., 1] == 0
    start[outside] += 12
    end[outside] += 12
    start[:, 0] = end[:, 0] = -20
    _, expected, _ = brute(start, end, offsets, 5)
    found = best(start, end, offsets, 5)
    assert found == expected, f"high logits outside of the context: got {found}, expected {expected}"


@pytest.mark.points(2)
def test_the_first_character_can_be_an_answer(seed):
    """A span may begin at character 0 of the context"""
    for case in range(8):
        start, end, offsets = drawn(seed + case)
        start[:, 0] = end[:, 0] = -20
        start[0, 5] = 15
        _, expected, _ = brute(start, end, offsets, 5)
        found = best(start, end, offsets, 5)
        assert found == expected, f"got {found}, expected {expected}: an offset of 0 alone does not mean 'no context'"


@pytest.mark.points(2)
def test_spans_have_a_longest_length(seed):
    """A span of exactly max_answer_tokens pieces is allowed, one more is not"""
    start, end, offsets = drawn(seed, windows=2)
    start[:, 0] = end[:, 0] = -20
    start[0, 5] = end[0, 8] = 30
    for longest in (4, 3, 1):
        _, expected, _ = brute(start, end, offsets, longest)
        found = best(start, end, offsets, longest)
        assert found == expected, f"the best span has 4 pieces, {longest} are allowed: got {found}, expected {expected}"


@pytest.mark.points(2)
def test_no_answer_unless_a_span_is_better(seed):
    """A span whose score is that of [CLS] is no answer, and neither is one that is not valid"""
    start, end, offsets = drawn(seed, windows=2)
    start[:, 0], end[:, 0] = 30, 2
    start[0, 6], end[0, 7] = 17, 14
    start[1, 0], end[1, 0] = 19, 12
    found = best(start, end, offsets, 6)
    assert found is None, f"the best span and the lowest [CLS] have the same score, 31: got {found}, expected None"
    start[1, 0] = 18
    found, expected = best(start, end, offsets, 6), (offsets[0, 6, 0].item(), offsets[0, 7, 1].item())
    assert found == expected, f"the best span has the score 31, the lowest [CLS] 30: got {found}, expected {expected}"
    nowhere = torch.zeros_like(offsets)
    found = best(start, end, nowhere, 6)
    assert found is None, f"no piece is one of the context, so no span is valid: got {found}, expected None"


@pytest.mark.points(4)
def test_null_score_is_the_lowest_of_all_windows(seed):
    """No answer if the lowest [CLS] score of all windows reaches that of the best span"""
    for number in range(6):
        start, end, offsets = drawn(seed + number, windows=4)
        score, expected, _ = brute(start, end, offsets, 6)
        sure = number % 4
        for row in range(4):
            start[row, 0], end[row, 0] = score + 3.0, 2.0
        found = best(start, end, offsets, 6)
        assert found is None, f"[CLS] is above the best span ({score:.2f}) in all windows: got {found}, expected None"
        start[sure, 0], end[sure, 0] = score - 2.0, 1.0
        found = best(start, end, offsets, 6)
        assert found == expected, (
            f"window {sure} of 4 has a [CLS] score below that of the best span ({score:.2f}): got {found}, expected "
            f"{expected}"
        )


@pytest.mark.points(4)
def test_loss_is_the_mean_of_two_cross_entropies(seed):
    """span_loss is the mean over windows and over both ends, windows without the answer included; so is its gradient"""
    start, end = (torch.randn(6, 9, dtype=torch.float64), 3 * torch.randn(6, 9, dtype=torch.float64))
    start.requires_grad_()
    end.requires_grad_()
    starts, ends = torch.randint(0, 9, (6,)), torch.randint(0, 9, (6,))
    starts[1] = ends[1] = 0
    rows = torch.arange(6)
    expected = -(start.log_softmax(1)[rows, starts] + end.log_softmax(1)[rows, ends]).mean() / 2
    found = solution.span_loss(start, end, starts, ends)
    assert tuple(found.shape) == (), f"the loss is a scalar, not {tuple(found.shape)}"
    assert torch.allclose(found.double(), expected, rtol=1e-5), (
        f"the loss is {found.item():.5f}, not {expected.item():.5f}"
    )
    found.backward()
    for logits, positions in ((start, starts), (end, ends)):
        assert logits.grad is not None, "the loss is cut off from the logits"
        wanted = (logits.detach().softmax(1) - torch.nn.functional.one_hot(positions, 9)) / 12
        assert torch.allclose(logits.grad, wanted, atol=1e-6), "the gradient is (softmax - one-hot) / (2 W)"
