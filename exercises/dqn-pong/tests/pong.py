"""The console's own Pong, on the judge's side only, and what a candidate's code should make of its frames."""

import ale_py
import numpy as np
from ale_py.roms import get_rom_path
from worlds import World

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)


class Pong(World):
    """A rally: an episode starts in the middle of a game and terminates with the point. A step is one frame.

    Frames are (210, 160, 3) uint8; the six actions are those that the game knows. `shown` and `rewards` keep what came
    of the steps since the reset, the frame of reset first.
    """

    def __init__(self, seed):
        self.console = ale_py.ALEInterface()
        self.console.setInt("random_seed", seed % 2**31)
        self.console.setFloat("repeat_action_probability", 0.0)
        self.console.loadROM(get_rom_path("pong"))
        self.known = self.console.getMinimalActionSet()
        super().__init__(seed, len(self.known), cap=400)

    def begin(self):
        self.console.reset_game()
        for action in self.rng.integers(len(self.known), size=self.rng.integers(120, 220)):
            self.console.act(self.known[action])
        self.shown, self.rewards = [self.console.getScreenRGB()], []
        return self.shown[0]

    def move(self, action):
        reward = float(self.console.act(self.known[action]))
        self.shown.append(self.console.getScreenRGB())
        self.rewards.append(reward)
        return self.shown[-1], reward, reward != 0


def field(frame):
    """The playing field (80, 80) of a frame, in exact numbers: luminance, averaged over blocks of 2 x 2."""
    red, green, blue = np.moveaxis(frame[34:194].astype(np.float64), 2, 0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return (grey[0::2, 0::2] + grey[0::2, 1::2] + grey[1::2, 0::2] + grey[1::2, 1::2]) / 4
