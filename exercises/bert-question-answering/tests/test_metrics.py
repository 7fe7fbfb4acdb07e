"""Exact match and F1 in the manner of SQuAD, held against the definition."""

import random
import re
import string

import pytest
import solution

WORDS = ["red", "lamp", "Anna", "theatre", "anthem", "1987", "Oslo", "violin", "blue", "Thea", "river", "And"]


def plain(text):
    """Normalized words."""
    text = text.lower().translate({ord(c): None for c in string.punctuation})
    return [word for word in re.split(r"\s+", text) if word and word not in ("a", "an", "the")]


def words_f1(found, expected):
    """F1 over two lists of words as multisets."""
    if not found or not expected:
        return 1.0 if found == expected else 0.0
    left, common = list(expected), 0
    for word in found:
        if word in left:
            left.remove(word)
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(expected)
    return 2 * precision * recall / (precision + recall)


def phrase(rng, count):
    """Words with articles, punctuation, capitals and blanks."""
    said = ""
    for _ in range(count):
        word = rng.choice(WORDS)
        said += rng.choice(["", "the ", "A ", "an "]) + rng.choice([word, word.upper(), word.lower()])
        said += rng.choice([" ", ", ", "  ", "! ", "\t", ' "'])
    return said


def number(value, name):
    """A number between 0 and 1."""
    assert isinstance(value, (bool, int, float)), f"{name} returns a number, not {type(value).__name__}"
    return float(value)


@pytest.mark.points(3)
def test_normalize(seed):
    """Lower case, no ASCII punctuation, no articles, single blanks, none at the ends"""
    rng = random.Random(seed)
    texts = [phrase(rng, rng.randrange(1, 6)) for _ in range(12)]
    texts += ["The  Old Man's\nand the Sea.", "U.S.A.", "  an anthem; the theatre ", "a", "...", "state-of-the-art"]
    for text in texts:
        found, expected = solution.normalize(text), " ".join(plain(text))
        assert found == expected, f"normalize({text!r}) is {found!r}, expected {expected!r}"


@pytest.mark.points(2)
def test_exact_match(seed):
    """1 if the normalized texts are equal, whatever articles, capitals and punctuation; else 0"""
    rng = random.Random(seed)
    for _ in range(12):
        answer = phrase(rng, 3)
        same = " ".join(f"the {word.upper()}." for word in plain(answer))
        assert number(solution.exact_match(same, [answer]), "exact_match") == 1, f"{same!r} is the answer {answer!r}"
        other = same + " " + rng.choice(["lamp", "Oslo"])
        assert number(solution.exact_match(other, [answer]), "exact_match") == 0, f"{other!r} is not {answer!r}"


@pytest.mark.points(4)
def test_f1_counts_repeated_words(seed):
    """F1 is that of multisets of words: a word said twice is found once if it is there once"""
    rng = random.Random(seed)
    for case in range(20):
        answer, prediction = phrase(rng, rng.randrange(1, 6)), phrase(rng, rng.randrange(1, 6))
        word = plain(answer)[0]
        if case % 2:
            prediction += f" {word} {word}"
        if case % 4 > 1:
            answer += f" {word}"
        expected = words_f1(plain(prediction), plain(answer))
        found = number(solution.f1(prediction, [answer]), "f1")
        assert found == pytest.approx(expected), f"f1({prediction!r}, [{answer!r}]) is {found}, expected {expected:.4f}"


@pytest.mark.points(2)
def test_the_best_of_several_answers_counts(seed):
    """With several answers, the best one counts, in exact match and F1"""
    rng = random.Random(seed)
    for _ in range(6):
        answers = [phrase(rng, rng.randrange(1, 5)) for _ in range(3)]
        prediction = phrase(rng, 3)
        expected = max(words_f1(plain(prediction), plain(answer)) for answer in answers)
        found = number(solution.f1(prediction, answers), "f1")
        assert found == pytest.approx(expected), f"f1({prediction!r}, {answers!r}) is {found}, expected {expected:.4f}"
        for answer in answers:
            assert number(solution.exact_match(answer, answers), "exact_match") == 1, f"{answer!r} is in {answers!r}"


@pytest.mark.points(3)
def test_no_answer_is_an_answer():
    """None is right where there are no answers, and wrong elsewhere"""
    for score, name in ((solution.exact_match, "exact_match"), (solution.f1, "f1")):
        for prediction, answers, expected in (
            (None, [], 1),
            ("red lamp", [], 0),
            (None, ["red lamp", "lamp"], 0),
            ("the", [], 1),
        ):
            found = number(score(prediction, answers), name)
            assert found == expected, f"{name}({prediction!r}, {answers!r}) is {found}, expected {expected}"
