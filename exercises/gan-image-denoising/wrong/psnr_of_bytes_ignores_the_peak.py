"""Wrong: for bytes the psnr takes 255 for the peak, whatever it was given."""

import torch
from torch import nn
from torch.nn import functional


def psnr(images, targets, peak=1.0):
    """Return the peak signal-to-noise ratio (N,) in dB of images (N, C, H, W); inf where an image equals its target."""
    error = (images.double() - targets.double()).square().flatten(1).mean(1)
    if images.dtype == torch.uint8:
        peak = 255.0
    return 10 * torch.log10(peak**2 / error)


def block(inputs, outputs, kernel, stride=1):
    """Convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class Generator(nn.Module):
    """A U-Net of one level. The sigmoid keeps its output in [0, 1]."""

    def __init__(self, width=16):
        super().__init__()
        self.fine = block(1, width, 3)
        self.coarse = nn.Sequential(block(width, 2 * width, 4, stride=2), block(2 * width, 2 * width, 3))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.out = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, noisy):
        """Return the denoised images (N, 1, H, W) in [0, 1]."""
        fine = self.fine(noisy)
        up = self.up(self.coarse(fine))
        return torch.sigmoid(self.out(torch.cat([fine, up], dim=1)))


class Discriminator(nn.Module):
    """Judges each patch of an image beside the noisy image that it is said to come from."""

    def __init__(self, width=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1),
        )

    def forward(self, noisy, image):
        """Return logits (N, 1, H / 2, W / 2): positive where the image is taken for a clean one."""
        return self.layers(torch.cat([noisy, image], dim=1))


def discriminator_loss(real_logits, fake_logits):
    """Half of the binary cross-entropy of real as 1 plus that of fake as 0."""
    real = functional.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = functional.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return (real + fake) / 2


def generator_loss(fake_logits, fake, clean, l1_weight):
    """Binary cross-entropy of fake as 1, plus l1_weight times the mean absolute error."""
    fooling = functional.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
    return fooling + l1_weight * functional.l1_loss(fake, clean)


def train_step(generator, discriminator, g_optimizer, d_optimizer, noisy, clean, l1_weight):
    """One step of the discriminator, then one of the generator. Return both losses as floats."""
    fake = generator(noisy)
    d_loss = discriminator_loss(discriminator(noisy, clean), discriminator(noisy, fake.detach()))
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()

    g_loss = generator_loss(discriminator(noisy, fake), fake, clean, l1_weight)
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.item(), g_loss.item()


class Denoiser:
    """A generator and the discriminator that it was trained against."""

    def __init__(self):
        self.generator = Generator()
        self.discriminator = Discriminator()

    def denoise(self, noisy):
        """Return the denoised images (N, 1, H, W), each made from its own noisy image only."""
        self.generator.eval()
        with torch.no_grad():
            return self.generator(noisy)


def fit_denoiser(noisy, clean, steps, seed):
    """Train on the pairs noisy and clean (N, 1, H, W) with `steps` calls of train_step."""
    torch.manual_seed(seed)
    model = Denoiser()
    g_optimizer = torch.optim.Adam(model.generator.parameters(), lr=3e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    for _ in range(steps):
        rows = torch.randint(len(noisy), (32,))
        train_step(
            model.generator, model.discriminator, g_optimizer, d_optimizer, noisy[rows], clean[rows], l1_weight=50.0
        )
    return model
