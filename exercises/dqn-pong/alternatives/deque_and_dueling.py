"""A deque for the memory, a dueling head, soft updates of a state dict, episodes in nested loops."""

from collections import deque

import numpy as np
import torch
from torch import nn


def preprocess(frame):
    weighted = np.einsum("hwc,c->hw", frame[34:194] / 1.0, [0.299, 0.587, 0.114])
    rows = weighted[0::2] + weighted[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2]) / 4 + 0.5).astype(np.uint8)


class Wrapper:
    def __init__(self, env):
        self.env = env

    def reset(self):
        return self.env.reset()

    def step(self, action):
        return self.env.step(action)


class RepeatAction(Wrapper):
    def __init__(self, env, times):
        super().__init__(env)
        self.times = times

    def step(self, action):
        last_two, rewards = deque(maxlen=2), []
        for _ in range(self.times):
            frame, reward, terminated, truncated, info = self.env.step(action)
            last_two.append(frame)
            rewards.append(reward)
            if terminated or truncated:
                break
        return np.max(np.stack(last_two), axis=0), sum(rewards), terminated, truncated, info


class StackFrames(Wrapper):
    def __init__(self, env, size):
        super().__init__(env)
        self.frames = deque(maxlen=size)

    def reset(self):
        frame, info = super().reset()
        self.frames.extend([frame] * self.frames.maxlen)
        return np.array(self.frames), info

    def step(self, action):
        frame, *rest = super().step(action)
        self.frames.append(frame)
        return (np.array(self.frames), *rest)


class FieldOnly(Wrapper):
    def reset(self):
        frame, info = super().reset()
        return preprocess(frame), info

    def step(self, action):
        frame, *rest = super().step(action)
        return (preprocess(frame), *rest)


def make_pong(env):
    return StackFrames(FieldOnly(RepeatAction(env, 4)), 4)


class QNetwork(nn.Module):
    """State value and advantages from one trunk (Wang et al., 2016)."""

    def __init__(self, shape, actions):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(shape[0], 16, 8, stride=4), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=2), nn.ReLU(), nn.Flatten()
        )
        features = self.trunk(torch.zeros(1, *shape)).numel()
        self.value = nn.Sequential(nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, 1))
        self.advantage = nn.Sequential(nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, actions))

    def forward(self, x):
        seen = self.trunk(x / 255.0 if x.dtype == torch.uint8 else x)
        advantage = self.advantage(seen)
        return self.value(seen) + advantage - advantage.mean(1, keepdim=True)


class ReplayBuffer:
    def __init__(self, capacity, shape):
        self.rows = deque(maxlen=capacity)

    def __len__(self):
        return len(self.rows)

    def add(self, state, action, reward, next_state, terminated, truncated):
        row = (torch.tensor(state), action, reward, torch.tensor(next_state), terminated, truncated)
        self.rows.append(row)

    def sample(self, batch_size, rng):
        rows = [self.rows[n] for n in rng.integers(0, len(self.rows), batch_size)]
        columns = list(zip(*rows, strict=True))
        return {
            "states": torch.stack(columns[0]),
            "actions": torch.tensor(columns[1]),
            "rewards": torch.tensor(columns[2], dtype=torch.float32),
            "next_states": torch.stack(columns[3]),
            "terminated": torch.tensor(columns[4]),
            "truncated": torch.tensor(columns[5]),
        }


def td_targets(rewards, next_values, terminated, truncated, gamma):
    best, _ = next_values.detach().max(dim=-1)
    return torch.where(terminated, rewards, rewards + gamma * best)


def double_td_targets(rewards, next_online, next_target, terminated, truncated, gamma):
    best = torch.take_along_dim(next_target.detach(), next_online.argmax(1, keepdim=True), 1)[:, 0]
    return torch.where(terminated, rewards, rewards + gamma * best)


def train_step(online, target, optimizer, batch, gamma):
    with torch.no_grad():
        future = target(batch["next_states"])
        goal = td_targets(batch["rewards"], future, batch["terminated"], batch["truncated"], gamma)
    optimizer.zero_grad()
    off = torch.take_along_dim(online(batch["states"]), batch["actions"][:, None], 1)[:, 0] - goal
    bounded = off.abs().clamp(max=1)
    loss = (bounded * (off.abs() - bounded / 2)).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def update_target(online, target, tau):
    mine, theirs = online.state_dict(), target.state_dict()
    target.load_state_dict({name: tau * mine[name] + (1 - tau) * theirs[name] for name in mine})


def epsilon_at(step, start, end, decay_steps):
    return float(np.interp(step, [0, decay_steps], [start, end]))


def act(network, state, epsilon, rng):
    with torch.no_grad():
        values = network(torch.tensor(state[np.newaxis]))[0].tolist()
    if rng.random() >= epsilon:
        return values.index(max(values))
    return int(rng.integers(0, len(values)))


def dense(inputs, actions):
    """Three dense layers over the bytes of a small stack."""
    layers = nn.Sequential(nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, actions))

    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = layers

        def forward(self, x):
            return self.layers(x.flatten(1) / 255.0)

    return Dense()


def train(env, actions, steps, gamma, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    stacked = StackFrames(env, 2)
    memory = online = None
    done = 0
    while done < steps:
        state, _ = stacked.reset()
        if online is None:
            online, target = dense(state.size, actions), dense(state.size, actions)
            update_target(online, target, 1.0)
            optimizer = torch.optim.RMSprop(online.parameters(), lr=5e-4)
            memory = ReplayBuffer(10_000, state.shape)
        over = False
        while not over and done < steps:
            action = act(online, state, epsilon_at(done, 1.0, 0.05, 0.6 * steps), rng)
            next_state, reward, terminated, truncated, _ = stacked.step(action)
            memory.add(state, action, reward, next_state, terminated, truncated)
            state, over, done = next_state, terminated or truncated, done + 1
            if done > 50:
                train_step(online, target, optimizer, memory.sample(32, rng), gamma)
            if done % 150 == 0:
                update_target(online, target, 1.0)
    return online
