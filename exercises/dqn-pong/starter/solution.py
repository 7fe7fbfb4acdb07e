"""Deep Q-learning for Pong, part by part. README.md says what each part has to do."""

from torch import nn


def preprocess(frame):
    """frame: (210, 160, 3) uint8. Returns the playing field in grey, (80, 80) uint8."""
    raise NotImplementedError


class RepeatAction:
    """An environment that plays each action for `times` frames of `env`."""

    def __init__(self, env, times):
        raise NotImplementedError

    def reset(self):
        """Returns (frame, info)."""
        raise NotImplementedError

    def step(self, action):
        """Returns (frame, reward, terminated, truncated, info)."""
        raise NotImplementedError


class StackFrames:
    """An environment whose observations are the last `size` frames of `env`, the oldest first."""

    def __init__(self, env, size):
        raise NotImplementedError

    def reset(self):
        """Returns (stack, info)."""
        raise NotImplementedError

    def step(self, action):
        """Returns (stack, reward, terminated, truncated, info)."""
        raise NotImplementedError


def make_pong(env):
    """Returns Pong as the network sees it: an environment whose observations are (4, 80, 80) uint8."""
    raise NotImplementedError


class QNetwork(nn.Module):
    """A convolutional network from stacks (B, *shape) to values (B, actions)."""

    def __init__(self, shape, actions):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        """x: (B, C, H, W), uint8 or float. Returns (B, actions)."""
        raise NotImplementedError


class ReplayBuffer:
    """The last `capacity` transitions between states of the given shape."""

    def __init__(self, capacity, shape):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def add(self, state, action, reward, next_state, terminated, truncated):
        """Keep a copy of one transition. The oldest one makes room where the buffer is full."""
        raise NotImplementedError

    def sample(self, batch_size, rng):
        """rng: numpy.random.Generator. Returns a dict of tensors, each with batch_size rows."""
        raise NotImplementedError


def td_targets(rewards, next_values, terminated, truncated, gamma):
    """next_values: (B, A), all else (B,). Returns the targets (B,), without a gradient."""
    raise NotImplementedError


def double_td_targets(rewards, next_online, next_target, terminated, truncated, gamma):
    """next_online, next_target: (B, A), all else (B,). Returns the targets (B,), without a gradient."""
    raise NotImplementedError


def train_step(online, target, optimizer, batch, gamma):
    """One step of the optimizer on a batch of the buffer. Returns the loss, a float."""
    raise NotImplementedError


def update_target(online, target, tau):
    """Move the target network's parameters towards the online network's, in place."""
    raise NotImplementedError


def epsilon_at(step, start, end, decay_steps):
    """The share of exploration at that step."""
    raise NotImplementedError


def act(network, state, epsilon, rng):
    """state: a numpy array (C, H, W) uint8. Returns an action, an int. rng: numpy.random.Generator."""
    raise NotImplementedError


def train(env, actions, steps, gamma, seed):
    """Learn for exactly that many steps. Returns a network from stacks (B, 2, H, W) to values (B, actions)."""
    raise NotImplementedError
