"""A conditional GAN that removes noise. README.md says what each part has to do."""

from torch import nn


def psnr(images, targets, peak=1.0):
    """images, targets: (N, C, H, W), floats or uint8. Returns the peak signal-to-noise ratio of each image, (N,)."""
    raise NotImplementedError


class Generator(nn.Module):
    """Makes a clean image of a noisy one."""

    def forward(self, noisy):
        """noisy: (N, 1, H, W), H and W multiples of 4. Returns images (N, 1, H, W) in [0, 1]."""
        raise NotImplementedError


class Discriminator(nn.Module):
    """Judges whether an image is the clean one that belongs to a noisy one."""

    def forward(self, noisy, image):
        """noisy, image: (N, 1, H, W). Returns logits, N first."""
        raise NotImplementedError


def discriminator_loss(real_logits, fake_logits):
    """Returns the loss that the discriminator makes small, a scalar tensor."""
    raise NotImplementedError


def generator_loss(fake_logits, fake, clean, l1_weight):
    """Returns the loss that the generator makes small, a scalar tensor."""
    raise NotImplementedError


def train_step(generator, discriminator, g_optimizer, d_optimizer, noisy, clean, l1_weight):
    """One step of each network on a batch of pairs. Returns (d_loss, g_loss), two floats."""
    raise NotImplementedError


class Denoiser:
    """What `fit_denoiser` returns."""

    def __init__(self):
        self.generator = Generator()
        self.discriminator = Discriminator()

    def denoise(self, noisy):
        """noisy: (N, 1, H, W). Returns images (N, 1, H, W) in [0, 1]."""
        raise NotImplementedError


def fit_denoiser(noisy, clean, steps, seed):
    """Train on pairs (N, 1, H, W) with `steps` calls of train_step. Returns the denoiser."""
    raise NotImplementedError
