"""From frames to what the network sees: the playing field, repeated actions, stacks; and all of it on real Pong."""

import itertools

import numpy as np
import pytest
import solution
from pong import Pong, field
from worlds import Film

from grader.suite import in_guest, lend


@in_guest
def play_repeated(env, times, actions):
    """What RepeatAction returns, one by one. None stands for a reset."""
    wrapped = solution.RepeatAction(env, times)
    return [wrapped.reset() if action is None else wrapped.step(action) for action in actions]


@in_guest
def play_stacked(env, size, actions):
    """What StackFrames returns, one by one, kept until the end. None stands for a reset."""
    wrapped = solution.StackFrames(env, size)
    return [wrapped.reset() if action is None else wrapped.step(action) for action in actions]


@in_guest
def play_stacked_and_copy(env, size, actions):
    """The same, but each stack is copied at once."""
    import numpy as np

    wrapped = solution.StackFrames(env, size)
    answers = (wrapped.reset() if action is None else wrapped.step(action) for action in actions)
    return [(np.array(stack), *rest) for stack, *rest in answers]


@in_guest
def play_pong(env, actions):
    """What make_pong returns: of the reset, then of each action until the episode is over."""
    wrapped = solution.make_pong(env)
    answers = [wrapped.reset()]
    for action in actions:
        answers.append(wrapped.step(action))
        if answers[-1][2] or answers[-1][3]:
            break
    return answers


def rally(seed):
    """A Pong that was not begun, and actions with which, each played four times, the point falls within a repeat."""
    for start in range(seed, seed + 100):
        ahead, actions = Pong(start), np.random.default_rng(start).integers(6, size=110).tolist()
        ahead.reset()
        for action in np.repeat(actions, 4):
            if ahead.over:
                break
            ahead.step(action)
        if ahead.over and ahead.age % 4:
            return Pong(start), actions
    raise AssertionError("no rally ends within a repeat")


def checked(answers, actions, shape, dtype=np.uint8):
    """The answers as they came, after a look at their form."""
    for answer, action in zip(answers, actions, strict=True):
        name, count = ("reset", 2) if action is None else ("step", 5)
        assert isinstance(answer, tuple), f"{name} must return a tuple, not a {type(answer).__name__}"
        assert len(answer) == count, f"{name} must return {count} values, not {len(answer)}"
        assert isinstance(answer[0], np.ndarray), f"{name} must return a numpy array first"
        assert answer[0].shape == shape, f"{name} returned an array {answer[0].shape}, expected {shape}"
        assert answer[0].dtype == dtype, f"{name} returned an array of {answer[0].dtype}, expected {np.dtype(dtype)}"
    return answers


def repeated(film, times, actions):
    return checked(play_repeated(lend(film, "reset", "step"), times, actions), actions, (5, 7))


@pytest.mark.points(4)
def test_preprocess_gives_the_playing_field(seed):
    """preprocess crops, takes the luminance and averages blocks: on frames of Pong, on noise, on black and white"""
    pong, rng = Pong(seed), np.random.default_rng(seed)
    frames = [pong.reset()[0]]
    while not pong.over and len(frames) < 60:
        frames.append(pong.step(int(rng.integers(6)))[0])
    noise = rng.integers(0, 256, (210, 160, 3), dtype=np.uint8)
    for frame in (*frames[::12], noise, np.full_like(noise, 255), np.zeros_like(noise)):
        found, expected = solution.preprocess(frame), field(frame)
        assert isinstance(found, np.ndarray), "preprocess must return a numpy array"
        assert found.shape == (80, 80), f"preprocess returned {found.shape}, expected (80, 80)"
        assert found.dtype == np.uint8, f"preprocess returned {found.dtype}, expected uint8: one byte a pixel"
        off = np.abs(found - expected).max()
        assert off <= 1, (
            f"a pixel is off by {off:.1f}. Rows 34 to 193; luminance 0.299 R + 0.587 G + 0.114 B, not the plain mean; "
            "then the mean of each 2 x 2 block, not one of its pixels; rounded only at the end, and not computed in "
            "uint8, which overflows"
        )


@pytest.mark.points(3)
def test_rewards_are_summed_over_the_repeats(seed):
    """RepeatAction plays the same action each time and returns the sum of the rewards"""
    for times in (1, 2, 3, 5):
        film = Film(seed + times, [30])
        actions = [None, 3, 0, 2, 1, 2]
        answers = repeated(film, times, actions)
        taken = np.repeat(actions[1:], times).tolist()
        assert film.taken == taken, f"with times = {times} the actions {actions[1:]} were played as {film.taken}"
        sums = np.reshape(film.rewards[0], (5, times)).sum(1)
        for answer, expected in zip(answers[1:], sums, strict=True):
            assert answer[1] == pytest.approx(expected), (
                f"times = {times}: the reward is {answer[1]}, the sum over the repeats is {expected}: neither the last "
                "one alone nor clipped"
            )


@pytest.mark.points(3)
def test_frame_is_the_maximum_of_the_last_two(seed):
    """RepeatAction returns the larger of the last two frames, pixel by pixel, and the frame of reset as it is"""
    for times in (2, 3, 5):
        film = Film(seed + times, [30])
        answers = repeated(film, times, [None, 0, 1, 2, 3])
        frames = film.frames[0]
        assert np.array_equal(answers[0][0], frames[0]), "reset must return the environment's frame"
        for number, answer in enumerate(answers[1:], 1):
            last = number * times
            assert np.array_equal(answer[0], np.maximum(frames[last - 1], frames[last])), (
                f"times = {times}: the frame is not the maximum of the step's last two frames. The console draws some "
                "things in every other frame only; the maximum of all frames, or the last one alone, is another thing"
            )


@pytest.mark.points(3)
def test_repeats_end_with_the_episode(seed):
    """RepeatAction plays no frame beyond the end, and hands on whether it terminated or was truncated"""
    times = 4
    film = Film(seed, [5, 6, 8, 7], cut={1, 3})
    answers = repeated(film, times, [None, 0, 1] * 4)
    for episode in range(4):
        (_, _), first, second = answers[3 * episode : 3 * episode + 3]
        cut, length = episode in film.cut, film.lengths[episode]
        assert len(film.rewards[episode]) == length, "an episode was not played to its end"
        assert (first[2], first[3]) == (False, False), "the episode was not over yet"
        assert (second[2], second[3]) == (not cut, cut), (
            f"(terminated, truncated) is {(second[2], second[3])}, the environment said {(not cut, cut)}"
        )
        assert second[1] == pytest.approx(sum(film.rewards[episode][times:])), (
            "the reward of a step that was cut short is the sum over the frames that were played"
        )
        expected = np.maximum.reduce(film.frames[episode][times + 1 :][-2:])
        assert np.array_equal(second[0], expected), (
            "where the episode ended after one frame of the step, that frame alone is returned; after two or more the "
            "maximum of the last two"
        )


@pytest.mark.points(3)
def test_stack_has_the_newest_frame_last(seed):
    """StackFrames returns the last frames, the oldest first, and hands on reward and ends"""
    for size in (2, 4):
        film, actions = Film(seed + size, [9]), [None, *range(4), *range(4), 3]
        answers = play_stacked_and_copy(lend(film, "reset", "step"), size, actions)
        checked(answers, actions, (size, 5, 7))
        assert film.taken == actions[1:], f"the actions {actions[1:]} arrived as {film.taken}"
        for number in range(size - 1, 10):
            expected = np.stack(film.frames[0][number - size + 1 : number + 1])
            assert np.array_equal(answers[number][0], expected), (
                f"size = {size}: after {number} steps the stack does not hold the last {size} frames, oldest first"
            )
        assert [answer[1] for answer in answers[1:]] == film.rewards[0], "the rewards must be handed on"
        assert [answer[2:4] for answer in answers[1:]] == [(False, False)] * 8 + [(True, False)], (
            "terminated and truncated must be handed on"
        )


@pytest.mark.points(3)
def test_reset_fills_the_stack(seed):
    """After a reset the stack holds the first frame only, also in the second episode"""
    film, actions = Film(seed, [6, 6], cut={0}), [None, *[0] * 6, None, *[1] * 6]
    answers = play_stacked_and_copy(lend(film, "reset", "step"), 4, actions)
    checked(answers, actions, (4, 5, 7))
    for episode, start in enumerate((0, 7)):
        frames = film.frames[episode]
        assert np.array_equal(answers[start][0], np.stack([frames[0]] * 4)), (
            "reset must fill the whole stack with the new episode's first frame: no zeros, nothing of the last episode"
        )
        assert np.array_equal(answers[start + 1][0], np.stack([*[frames[0]] * 3, frames[1]])), (
            "one step after a reset the stack holds the first frame three times, then the new one"
        )


@pytest.mark.points(2)
def test_stacks_handed_out_stay(seed):
    """A stack that was returned does not change with later steps"""
    film, actions = Film(seed, [8]), [None, *[0] * 8]
    answers = checked(play_stacked(lend(film, "reset", "step"), 4, actions), actions, (4, 5, 7))
    for number in range(3, 9):
        assert np.array_equal(answers[number][0], np.stack(film.frames[0][number - 3 : number + 1])), (
            "a stack changed after it was returned: every call must return an array of its own. In a replay buffer all "
            "states would otherwise become the last one"
        )


@pytest.mark.points(2)
def test_info_is_handed_on(seed):
    """RepeatAction, StackFrames and make_pong hand on the environment's info: of reset, and of a step's last frame"""
    films, pong, actions = [Film(seed, [20]) for _ in range(2)], Pong(seed), [None, 0, 1]
    played = (
        ("RepeatAction", 3, films[0], play_repeated(lend(films[0], "reset", "step"), 3, actions)),
        ("StackFrames", 1, films[1], play_stacked(lend(films[1], "reset", "step"), 2, actions)),
        ("make_pong", 4, pong, play_pong(lend(pong, "reset", "step"), actions[1:])),
    )
    for name, times, world, answers in played:
        for number, answer in enumerate(answers):
            assert isinstance(answer, tuple), f"reset and step return tuples, {name} a {type(answer).__name__}"
            info, expected = answer[-1], {"age": min(times * number, len(world.taken))}
            assert isinstance(info, dict), f"{name} returned an info of type {type(info).__name__}, expected a dict"
            assert info.get("age") == expected["age"], (
                f"{name} returned the info {info}, the environment said {expected}. What an environment has no use for "
                "it hands on: the info of reset, and of a step's last frame"
            )


@pytest.mark.points(3)
def test_pong_as_the_network_sees_it(seed):
    """A rally of real Pong through make_pong: four frames an action, the maximum of two, preprocessed, four stacked"""
    pong, actions = rally(seed)
    answers = play_pong(lend(pong, "reset", "step"), actions)
    actions = actions[: len(answers) - 1]
    checked(answers, [None, *actions], (4, 80, 80))
    assert pong.taken == np.repeat(actions, 4)[: len(pong.taken)].tolist(), "each action is played four times"
    assert (answers[-1][2], answers[-1][3]) == (True, False), "the rally terminated with the point"
    assert sum(answer[1] for answer in answers[1:]) == pong.rewards[-1], "the rewards do not add up to the point"
    ends = [min(4 * number, len(pong.taken)) for number in range(len(answers))]
    seen = [field(pong.shown[0])] * 4
    for number, (start, end) in enumerate(itertools.pairwise(ends), 1):
        seen.append(field(np.maximum.reduce(pong.shown[start + 1 : end + 1][-2:])))
        off = np.abs(answers[number][0] - np.stack(seen[-4:])).max()
        assert off <= 1, (
            f"after {number} steps a pixel of the stack is off by {off:.0f}. First the maximum of the last two frames "
            "in colour, then preprocess, then the stack, and the first frame four times after the reset"
        )
