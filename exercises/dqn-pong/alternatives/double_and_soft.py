"""Double targets, a target network that follows slowly, small convolutions, and a buffer of rows."""

import random

import numpy as np
import torch
from torch import nn


def preprocess(frame):
    red, green, blue = (torch.from_numpy(frame[34:194, :, c].astype("float64")) for c in range(3))
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return nn.functional.avg_pool2d(grey[None], 2)[0].round().to(torch.uint8).numpy()


class RepeatAction:
    def __init__(self, env, times):
        self.env = env
        self.times = times
        self.reset = env.reset

    def step(self, action):
        frame, total, terminated, truncated, info = self.env.step(action)
        shown = frame
        played = 1
        while played < self.times and not terminated and not truncated:
            before = frame
            frame, reward, terminated, truncated, info = self.env.step(action)
            shown = np.where(before > frame, before, frame)
            total += reward
            played += 1
        return shown, total, terminated, truncated, info


class StackFrames:
    def __init__(self, env, size):
        self.env, self.size = env, size

    def reset(self):
        frame, info = self.env.reset()
        self.stack = np.repeat(frame[np.newaxis], self.size, axis=0)
        return self.stack.copy(), info

    def step(self, action):
        frame, reward, terminated, truncated, info = self.env.step(action)
        self.stack = np.roll(self.stack, -1, axis=0)
        self.stack[-1] = frame
        return self.stack.copy(), reward, terminated, truncated, info


class Grey:
    def __init__(self, env):
        self.env = env

    def reset(self):
        frame, info = self.env.reset()
        return preprocess(frame), info

    def step(self, action):
        frame, reward, terminated, truncated, info = self.env.step(action)
        return preprocess(frame), reward, terminated, truncated, info


def make_pong(env):
    return StackFrames(Grey(RepeatAction(env, 4)), 4)


class QNetwork(nn.Module):
    """Strided 3 x 3 convolutions, then a small head."""

    def __init__(self, shape, actions):
        super().__init__()
        channels, height, width = shape
        layers = []
        for features in (16, 32, 32, 32):
            layers += [nn.Conv2d(channels, features, 3, stride=2, padding=1), nn.ELU()]
            channels, height, width = features, (height + 1) // 2, (width + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels * height * width, 256)
        self.out = nn.Linear(256, actions)

    def forward(self, x):
        if not x.is_floating_point():
            x = x.float().div(255)
        return self.out(nn.functional.elu(self.hidden(self.layers(x).flatten(1))))


class ReplayBuffer:
    def __init__(self, capacity, shape):
        self.capacity = capacity
        self.rows = []
        self.added = 0

    def __len__(self):
        return len(self.rows)

    def add(self, state, action, reward, next_state, terminated, truncated):
        row = (np.array(state), action, reward, np.array(next_state), terminated, truncated)
        if len(self.rows) < self.capacity:
            self.rows.append(row)
        else:
            self.rows[self.added % self.capacity] = row
        self.added += 1

    def sample(self, batch_size, rng):
        chosen = rng.choice(len(self.rows), size=batch_size, replace=False)
        states, actions, rewards, next_states, terminated, truncated = zip(*(self.rows[n] for n in chosen), strict=True)
        return {
            "states": torch.from_numpy(np.stack(states)),
            "actions": torch.tensor(actions, dtype=torch.int64),
            "rewards": torch.tensor(rewards, dtype=torch.float32),
            "next_states": torch.from_numpy(np.stack(next_states)),
            "terminated": torch.tensor(terminated, dtype=torch.bool),
            "truncated": torch.tensor(truncated, dtype=torch.bool),
        }


@torch.no_grad()
def td_targets(rewards, next_values, terminated, truncated, gamma):
    return rewards + gamma * (1 - terminated.float()) * next_values.amax(dim=1)


@torch.no_grad()
def double_td_targets(rewards, next_online, next_target, terminated, truncated, gamma):
    rows = torch.arange(len(rewards))
    return rewards + gamma * (~terminated) * next_target[rows, next_online.max(1).indices]


def descend(online, optimizer, batch, targets):
    rows = torch.arange(len(targets))
    loss = nn.functional.huber_loss(online(batch["states"])[rows, batch["actions"]], targets)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def train_step(online, target, optimizer, batch, gamma):
    with torch.no_grad():
        next_values = target(batch["next_states"])
    ends = batch["terminated"], batch["truncated"]
    return descend(online, optimizer, batch, td_targets(batch["rewards"], next_values, *ends, gamma))


def update_target(online, target, tau):
    for theirs, ours in zip(target.parameters(), online.parameters(), strict=True):
        theirs.data.mul_(1 - tau).add_(ours.data, alpha=tau)


def epsilon_at(step, start, end, decay_steps):
    if step >= decay_steps:
        return end
    return start * (1 - step / decay_steps) + end * step / decay_steps


def act(network, state, epsilon, rng):
    with torch.no_grad():
        values = network(torch.as_tensor(state)[None]).squeeze(0)
    explore = rng.uniform() < epsilon
    return int(rng.choice(len(values))) if explore else torch.argmax(values).item()


class Small(nn.Module):
    """Dense layers for frames too small for convolutions."""

    def __init__(self, shape, actions):
        super().__init__()
        self.first = nn.Linear(int(np.prod(shape)), 160)
        self.second = nn.Linear(160, 96)
        self.third = nn.Linear(96, actions)

    def forward(self, x):
        x = x.flatten(1).float() / 255
        return self.third(nn.functional.relu(self.second(nn.functional.relu(self.first(x)))))


def train(env, actions, steps, gamma, seed):
    random.seed(seed)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    stacked = StackFrames(env, 2)
    state, _ = stacked.reset()
    online, target = Small(state.shape, actions), Small(state.shape, actions)
    update_target(online, target, 1.0)
    optimizer = torch.optim.AdamW(online.parameters(), lr=1e-3, weight_decay=0.0)
    buffer = ReplayBuffer(4000, state.shape)
    for step in range(steps):
        action = act(online, state, epsilon_at(step, 1.0, 0.1, 0.4 * steps), rng)
        next_state, reward, terminated, truncated, _ = stacked.step(action)
        buffer.add(state, action, reward, next_state, terminated, truncated)
        over = terminated or truncated
        if over and step < steps - 1:
            next_state, _ = stacked.reset()
        state = next_state
        if len(buffer) >= 64 and step % 2:
            batch = buffer.sample(32, rng)
            with torch.no_grad():
                nexts = online(batch["next_states"]), target(batch["next_states"])
            ends = batch["terminated"], batch["truncated"]
            descend(online, optimizer, batch, double_td_targets(batch["rewards"], *nexts, *ends, gamma))
            update_target(online, target, 0.04)
    return online
