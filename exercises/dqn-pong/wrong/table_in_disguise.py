"""Mistake: nothing is trained. Steps at random are counted, and a table of values is dressed as a network."""

import numpy as np
import torch
from torch import nn

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def preprocess(frame):
    """The playing field (80, 80) of a frame (210, 160, 3): luminance, averaged over blocks of 2 x 2."""
    grey = frame[34:194].astype(np.float32) @ LUMINANCE
    return np.rint(grey.reshape(80, 2, 80, 2).mean((1, 3))).astype(np.uint8)


class RepeatAction:
    """Plays each action for several frames."""

    def __init__(self, env, times):
        self.env, self.times = env, times

    def reset(self):
        return self.env.reset()

    def step(self, action):
        frames, total = [], 0.0
        for _ in range(self.times):
            frame, reward, terminated, truncated, info = self.env.step(action)
            frames.append(frame)
            total += reward
            if terminated or truncated:
                break
        return np.maximum.reduce(frames[-2:]), total, terminated, truncated, info


class StackFrames:
    """Shows the last `size` frames, the oldest first."""

    def __init__(self, env, size):
        self.env, self.size = env, size

    def reset(self):
        frame, info = self.env.reset()
        self.frames = [frame] * self.size
        return np.stack(self.frames), info

    def step(self, action):
        frame, *rest = self.env.step(action)
        self.frames = [*self.frames[1:], frame]
        return np.stack(self.frames), *rest


class Preprocessed:
    """Shows what `preprocess` makes of each frame."""

    def __init__(self, env):
        self.env = env

    def reset(self):
        frame, info = self.env.reset()
        return preprocess(frame), info

    def step(self, action):
        frame, *rest = self.env.step(action)
        return preprocess(frame), *rest


def make_pong(env):
    """Pong as the network sees it: stacks (4, 80, 80)."""
    return StackFrames(Preprocessed(RepeatAction(env, 4)), 4)


class Scaled(nn.Module):
    """Turns bytes into numbers from 0 to 1."""

    def forward(self, x):
        return x.float() / 255 if x.dtype == torch.uint8 else x


class QNetwork(nn.Module):
    """The convolutional network of the paper: stacks (B, *shape) to values (B, actions)."""

    def __init__(self, shape, actions):
        super().__init__()
        self.eyes = nn.Sequential(
            Scaled(),
            nn.Conv2d(shape[0], 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            features = self.eyes(torch.zeros(1, *shape)).shape[1]
        self.head = nn.Sequential(nn.Linear(features, 512), nn.ReLU(), nn.Linear(512, actions))

    def forward(self, x):
        return self.head(self.eyes(x))


class ReplayBuffer:
    """The last `capacity` transitions, in arrays that are written round and round."""

    def __init__(self, capacity, shape):
        self.capacity, self.size, self.next = capacity, 0, 0
        self.columns = {
            "states": np.zeros((capacity, *shape), dtype=np.uint8),
            "actions": np.zeros(capacity, dtype=np.int64),
            "rewards": np.zeros(capacity, dtype=np.float32),
            "next_states": np.zeros((capacity, *shape), dtype=np.uint8),
            "terminated": np.zeros(capacity, dtype=bool),
            "truncated": np.zeros(capacity, dtype=bool),
        }

    def __len__(self):
        return self.size

    def add(self, state, action, reward, next_state, terminated, truncated):
        row = (state, action, reward, next_state, terminated, truncated)
        for column, value in zip(self.columns.values(), row, strict=True):
            column[self.next] = value
        self.next = (self.next + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def sample(self, batch_size, rng):
        rows = rng.integers(self.size, size=batch_size)
        return {name: torch.from_numpy(column[rows]) for name, column in self.columns.items()}


def td_targets(rewards, next_values, terminated, truncated, gamma):
    """r + gamma max_a Q(s', a), and r alone where the episode terminated. Only that: a truncated one would go on."""
    return bootstrapped(rewards, next_values.detach().max(1).values, terminated, gamma)


def double_td_targets(rewards, next_online, next_target, terminated, truncated, gamma):
    """The online network chooses the next action, the target network says what it is worth (van Hasselt, 2016)."""
    chosen = next_online.detach().argmax(1, keepdim=True)
    return bootstrapped(rewards, next_target.detach().gather(1, chosen).squeeze(1), terminated, gamma)


def bootstrapped(rewards, future, terminated, gamma):
    return rewards + gamma * torch.where(terminated, 0.0, future)


def train_step(online, target, optimizer, batch, gamma):
    """One step of the optimizer on the Huber loss of a batch. Returns the loss."""
    with torch.no_grad():
        next_values = target(batch["next_states"])
    targets = td_targets(batch["rewards"], next_values, batch["terminated"], batch["truncated"], gamma)
    values = online(batch["states"]).gather(1, batch["actions"].unsqueeze(1)).squeeze(1)
    loss = nn.functional.smooth_l1_loss(values, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.no_grad()
def update_target(online, target, tau):
    """Moves the target network's parameters by the share tau towards the online network's."""
    for theirs, ours in zip(target.parameters(), online.parameters(), strict=True):
        theirs.lerp_(ours, tau)


def epsilon_at(step, start, end, decay_steps):
    """Falls linearly from start to end, and stays there."""
    return start + (end - start) * min(step / decay_steps, 1.0)


@torch.no_grad()
def act(network, state, epsilon, rng):
    """An action for one state: any one with probability epsilon, else the one of the largest value."""
    values = network(torch.from_numpy(state).unsqueeze(0))[0]
    if rng.random() < epsilon:
        return int(rng.integers(len(values)))
    return int(values.argmax())


class Table(nn.Module):
    """Values of the stacks that were seen, zeros for all others."""

    def __init__(self, rows, actions):
        super().__init__()
        self.rows, self.unknown = rows, [0.0] * actions

    def forward(self, x):
        return torch.tensor([self.rows.get(stack.tobytes(), self.unknown) for stack in x.numpy()])


def train(env, actions, steps, gamma, seed):
    """Values of the stacks (2, H, W) that were met, by value iteration over the moves that were seen."""
    rng = np.random.default_rng(seed)
    env = StackFrames(env, 2)
    over, moves = True, {}
    for _ in range(steps):
        if over:
            state = env.reset()[0].tobytes()
        action = int(rng.integers(actions))
        stack, reward, terminated, truncated, _ = env.step(action)
        moves[state, action] = reward, stack.tobytes(), terminated
        state, over = stack.tobytes(), terminated or truncated
    rows = {state: [0.0] * actions for state, _ in moves}
    for _ in range(60):
        for (state, action), (reward, after, terminated) in moves.items():
            future = 0.0 if terminated else max(rows.get(after, [0.0]))
            rows[state][action] = reward + gamma * future
    return Table(rows, actions)
