"""A few checks to start with: `python -m pytest public` beside your solution.py. Fewer than the ones that count."""

import numpy as np
import solution
import torch

try:  # the grader runs these tests too, and there an environment has to be lent to the solution
    from grader.suite import in_guest, lend
except ImportError:

    def in_guest(function):
        return function

    def lend(environment, *methods):
        return environment


def drawn(top, left):
    """A frame in Pong's layout and colours, drawn here: two walls, two paddles, and the ball at that place."""
    frame = np.full((210, 160, 3), (144, 72, 17), dtype=np.uint8)
    frame[24:34] = frame[194:] = 236
    frame[90:106, 16:20] = (213, 130, 74)
    frame[120:136, 140:144] = (92, 186, 92)
    frame[top : top + 4, left : left + 2] = 236
    return frame


FRAMES = np.stack([drawn(80 + 4 * number, 70 + 2 * number) for number in range(4)])


class Counting:
    """Frames (2, 2) that say how many steps were made. Each step is worth 1, the seventh terminates."""

    def reset(self):
        self.age = 0
        return np.full((2, 2), self.age, dtype=np.uint8), {}

    def step(self, action):
        self.age += 1
        return np.full((2, 2), self.age, dtype=np.uint8), 1.0, self.age == 7, False, {}


class Film:
    """The four frames, then the end."""

    def reset(self):
        self.at = 0
        return FRAMES[0], {}

    def step(self, action):
        self.at += 1
        return FRAMES[self.at], 0.0, self.at == 3, False, {}


@in_guest
def play(make, env, size, steps):
    """What an environment made of `env` returns: of the reset, then of each step."""
    wrapped = getattr(solution, make)(env, size) if size else getattr(solution, make)(env)
    return [wrapped.reset(), *(wrapped.step(0) for _ in range(steps))]


def test_the_playing_field():
    for frame in FRAMES:
        field = solution.preprocess(frame)
        assert field.shape == (80, 80)
        assert field.dtype == np.uint8
        assert abs(int(field[0, 0]) - 87) <= 1  # the background
        assert field.max() > 150  # the ball


def test_repeats_stop_at_the_end():
    first, *steps = play("RepeatAction", lend(Counting(), "reset", "step"), 4, 2)
    assert first[0].max() == 0
    assert [(frame.max(), reward, terminated) for frame, reward, terminated, _, _ in steps] == [
        (4, 4.0, False),
        (7, 3.0, True),
    ]


def test_the_newest_frame_is_last():
    answers = play("StackFrames", lend(Counting(), "reset", "step"), 3, 2)
    assert [answer[0][:, 0, 0].tolist() for answer in answers] == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]


def test_pong_for_the_network():
    first, second = play("make_pong", lend(Film(), "reset", "step"), None, 1)
    assert first[0].shape == second[0].shape == (4, 80, 80)
    assert second[2]


def test_values_of_a_stack():
    network = solution.QNetwork((4, 80, 80), 6)
    assert network(torch.zeros(2, 4, 80, 80, dtype=torch.uint8)).shape == (2, 6)


@in_guest
def remember(count):
    buffer = solution.ReplayBuffer(5, (1, 2, 2))
    for number in range(count):
        buffer.add(np.zeros((1, 2, 2), np.uint8), 0, float(number), np.zeros((1, 2, 2), np.uint8), False, False)
    return len(buffer), buffer.sample(4, np.random.default_rng(0))


def test_the_buffer_keeps_the_newest():
    size, sample = remember(8)
    assert size == 5
    assert sample["states"].shape == (4, 1, 2, 2)
    assert sample["rewards"].min() >= 3


def test_targets_of_the_statement():
    targets = solution.td_targets(
        torch.ones(3),
        torch.tensor([[2.0, 4.0]] * 3),
        torch.tensor([False, True, False]),
        torch.tensor([False, False, True]),
        0.5,
    )
    assert targets.tolist() == [3, 1, 3]


def test_epsilon_falls():
    assert [round(solution.epsilon_at(step, 1.0, 0.2, 10), 6) for step in (0, 5, 10, 20)] == [1.0, 0.6, 0.2, 0.2]


def test_a_network_is_trained():
    network = solution.train(lend(Counting(), "reset", "step"), 3, 40, 0.9, 0)
    assert network(torch.zeros(4, 2, 2, 2, dtype=torch.uint8)).shape == (4, 3)
