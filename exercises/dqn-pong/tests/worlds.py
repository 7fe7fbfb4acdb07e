"""The worlds that the judge keeps to itself. A candidate's code is lent their `reset` and `step`, nothing else.

All follow gymnasium's interface: `reset()` gives (frame, info), `step(action)` gives
(frame, reward, terminated, truncated, info). Stepping an episode that is over is an error.
"""

import numpy as np


class World:
    """Counts steps, ends episodes, refuses what a real environment leaves undefined. `info` has the episode's steps."""

    def __init__(self, seed, actions, cap, budget=10**9):
        self.rng = np.random.default_rng(seed)
        self.actions, self.cap, self.budget = actions, cap, budget
        self.taken, self.age, self.over = [], 0, True
        self.early_resets = 0

    def reset(self):
        self.early_resets += not self.over
        self.age, self.over = 0, False
        return self.begin(), {"age": 0}

    def step(self, action):
        if self.over:
            raise RuntimeError("env.step was called although the episode is over: call env.reset() first")
        if len(self.taken) >= self.budget:
            raise RuntimeError(f"env.step was called more than {self.budget} times: that is all there is")
        if isinstance(action, bool) or not isinstance(action, (int, np.integer)) or not 0 <= action < self.actions:
            raise ValueError(f"the action must be an int from 0 to {self.actions - 1}")
        self.taken.append(int(action))
        self.age += 1
        frame, reward, terminated = self.move(int(action))
        truncated = not terminated and self.age >= self.cap
        self.over = terminated or truncated
        return frame, reward, terminated, truncated, {"age": self.age}


class Film(World):
    """Random frames (5, 7), one after the other whatever is done, with random rewards.

    `lengths` are the episodes' lengths in steps; those in `cut` are truncated, the others terminate. `frames` has what
    was shown, one list per episode, the frame of reset first; `rewards` the same for the rewards.
    """

    def __init__(self, seed, lengths, cut=()):
        super().__init__(seed, 4, 10**9)
        self.lengths, self.cut, self.frames, self.rewards = lengths, cut, [], []

    def begin(self):
        if len(self.frames) == len(self.lengths):
            raise RuntimeError("env.reset was called too often")
        episode = len(self.frames)
        self.cap = self.lengths[episode] if episode in self.cut else 10**9
        self.frames.append([])
        self.rewards.append([])
        return self.show()

    def show(self):
        self.frames[-1].append(self.rng.integers(0, 256, (5, 7), dtype=np.uint8))
        return self.frames[-1][-1]

    def move(self, action):
        self.rewards[-1].append(float(self.rng.integers(-8, 9)) / 4)
        episode = len(self.frames) - 1
        return self.show(), self.rewards[-1][-1], episode not in self.cut and self.age >= self.lengths[episode]


class Rally(World):
    """A ball flies over a field (7, 7) towards a paddle, two rows up or down a column, and bounces off the edges.

    The paddle covers two rows and moves by at most one a step. A ball that is caught is worth 1, and the next one is
    served; a miss is worth -1 and terminates. `body` decides where the paddle is, what each of the three actions
    does, and how bright things are. `caught` of `balls` that arrived.
    """

    SIZE, PADDLE = 7, 2

    def __init__(self, seed, body, budget=10**9):
        super().__init__(seed, 3, 40, budget)
        rng = np.random.default_rng(body)
        self.moves = rng.permutation([-1, 0, 1]).tolist()
        self.turns, self.mirrored = int(rng.integers(4)), bool(rng.integers(2))
        self.ball, self.bat = int(rng.integers(200, 256)), int(rng.integers(90, 150))
        self.caught = self.balls = 0

    def begin(self):
        self.paddle = int(self.rng.integers(self.SIZE - self.PADDLE + 1))
        self.serve()
        return self.show()

    def serve(self):
        self.column, self.row = 0, int(self.rng.integers(self.SIZE))
        self.speed = int(self.rng.choice([-2, 2]))

    def show(self):
        field = np.zeros((self.SIZE, self.SIZE), np.uint8)
        field[self.paddle : self.paddle + self.PADDLE, -1] = self.bat
        field[self.row, self.column] = self.ball
        field = np.rot90(field, self.turns)
        return np.ascontiguousarray(field[::-1] if self.mirrored else field)

    def move(self, action):
        self.paddle = min(max(self.paddle + self.moves[action], 0), self.SIZE - self.PADDLE)
        self.column, self.row = self.column + 1, self.row + self.speed
        if not 0 <= self.row < self.SIZE:
            self.row, self.speed = (-self.row if self.row < 0 else 2 * (self.SIZE - 1) - self.row), -self.speed
        if self.column < self.SIZE - 1:
            return self.show(), 0.0, False
        hit = self.paddle <= self.row < self.paddle + self.PADDLE
        self.balls, self.caught = self.balls + 1, self.caught + hit
        if hit:
            self.serve()
        return self.show(), 1.0 if hit else -1.0, not hit


class Islands(World):
    """Six numbered states, whose every move is certain; a frame (2, 3) has one bright pixel, the state.

    Next states, rewards and ends are `body`'s. An episode starts anywhere and is truncated after three steps.
    """

    STATES, ACTIONS = 6, 3

    def __init__(self, seed, body, budget=10**9):
        super().__init__(seed, self.ACTIONS, 3, budget)
        rng = np.random.default_rng(body)
        shape = self.STATES, self.ACTIONS
        self.next_states, self.rewards = rng.integers(self.STATES, size=shape), rng.uniform(0, 1, shape)
        self.ends = np.zeros(shape, bool)
        for state in rng.permutation(self.STATES)[:4]:
            action = rng.integers(self.ACTIONS)
            self.ends[state, action], self.rewards[state, action] = True, 1.0

    def begin(self):
        self.state = int(self.rng.integers(self.STATES))
        return self.show(self.state)

    def show(self, state):
        frame = np.zeros((2, 3), np.uint8)
        frame.flat[state] = 255
        return frame

    def move(self, action):
        at = self.state, action
        self.state = int(self.next_states[at])
        return self.show(self.state), float(self.rewards[at]), bool(self.ends[at])

    def optimal(self, gamma):
        """The optimal values (S, A), by value iteration (Bellman, 1957)."""
        q = np.zeros(self.rewards.shape)
        for _ in range(1000):
            q = self.rewards + gamma * np.where(self.ends, 0.0, q.max(1)[self.next_states])
        return q

    def stacks(self):
        """The stacks (N, 2, 2, 3) that can occur, and the present state (N,) of each."""
        goes_on = np.argwhere(~self.ends)
        pairs = {(s, s) for s in range(self.STATES)} | {(int(s), int(self.next_states[s, a])) for s, a in goes_on}
        before, now = zip(*sorted(pairs), strict=True)
        return np.stack([[self.show(s) for s in pair] for pair in zip(before, now, strict=True)]), list(now)
