"""A residual generator (after DnCNN, Zhang et al. 2017) in front of the sigmoid; one score per image, with spectral
norm; real and fake judged in one pass; whole passes over the shuffled pairs."""

import torch
from torch import nn


def psnr(images, targets, peak=1.0):
    out = []
    for image, target in zip(images, targets, strict=True):
        mse = torch.mean((image.float() - target.float()) ** 2).item()
        out.append(float("inf") if mse == 0 else 20 * torch.log10(torch.tensor(peak / mse**0.5)).item())
    return torch.tensor(out)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        w = 32
        self.start = nn.Conv2d(4, w, 3, padding=1)
        self.body = nn.Sequential(
            nn.BatchNorm2d(w),
            nn.ReLU(),
            nn.Conv2d(w, w, 3, padding=1),
            nn.BatchNorm2d(w),
            nn.ReLU(),
            nn.Conv2d(w, w, 3, padding=1),
            nn.BatchNorm2d(w),
            nn.ReLU(),
        )
        self.end = nn.Conv2d(w, 4, 3, padding=1)

    def forward(self, noisy):
        h = self.body(self.start(nn.functional.pixel_unshuffle(noisy, 2)))
        return torch.sigmoid(4 * noisy - 2 - nn.functional.pixel_shuffle(self.end(h), 2))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm
        self.features = nn.Sequential(
            norm(nn.Conv2d(2, 16, 4, 2, 1)), nn.LeakyReLU(0.2), norm(nn.Conv2d(16, 32, 4, 2, 1)), nn.LeakyReLU(0.2)
        )
        self.score = nn.Linear(32, 1)

    def forward(self, noisy, image):
        return self.score(self.features(torch.cat((image, noisy), 1)).mean((2, 3)))


bce = nn.BCEWithLogitsLoss()


def discriminator_loss(real_logits, fake_logits):
    return 0.5 * (bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits)))


def generator_loss(fake_logits, fake, clean, l1_weight):
    return bce(fake_logits, torch.ones_like(fake_logits)) + l1_weight * (clean - fake).abs().mean()


def train_step(generator, discriminator, g_optimizer, d_optimizer, noisy, clean, l1_weight):
    d_optimizer.zero_grad()
    with torch.no_grad():
        fake = generator(noisy)
    real_logits, fake_logits = discriminator(torch.cat([noisy, noisy]), torch.cat([clean, fake])).chunk(2)
    d_loss = discriminator_loss(real_logits, fake_logits)
    d_loss.backward()
    d_optimizer.step()

    g_optimizer.zero_grad()
    fake = generator(noisy)
    g_loss = generator_loss(discriminator(noisy, fake), fake, clean, l1_weight)
    g_loss.backward()
    g_optimizer.step()
    return d_loss.item(), g_loss.item()


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = Generator(), Discriminator()

    @torch.no_grad()
    def denoise(self, noisy):
        return self.generator(noisy)


def batches(count, size, steps):
    while steps > 0:
        for rows in torch.randperm(count).split(size):
            if steps > 0:
                yield rows
                steps -= 1


def fit_denoiser(noisy, clean, steps, seed):
    torch.manual_seed(seed)
    model = Denoiser().train()
    g_optimizer = torch.optim.Adam(model.generator.parameters(), lr=4e-3)
    d_optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(g_optimizer, max(steps, 1))
    for rows in batches(len(noisy), 40, steps):
        train_step(model.generator, model.discriminator, g_optimizer, d_optimizer, noisy[rows], clean[rows], 100)
        schedule.step()
    model.eval()
    return model
