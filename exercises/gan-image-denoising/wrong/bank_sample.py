"""The question bank's own answer (task 10), moved from TensorFlow to torch and to this exercise's names, its mistakes kept.

The mistakes: the generator starts from a vector of 100 numbers, as if it drew images from noise, so it cannot take an
image; the discriminator knows nothing of the noisy image and ends in a sigmoid, to which the loss applies another one;
"real" is the noisy image itself, no clean one appears anywhere; the generator's target is 0, so it learns to be found
out; nothing pulls towards the clean image; the fakes are not detached; the generator's optimizer owns the
discriminator's weights, too; epochs and loader were never made; nothing is measured.
"""

import torch
from torch import nn
from torch.nn import functional


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(100, 7 * 7 * 256)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(256, 256, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(256, 128, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, noisy):
        return self.layers(torch.relu(self.dense(noisy)).reshape(-1, 256, 7, 7))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(128, 256, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(256, 1, 3),
            nn.Sigmoid(),
        )

    def forward(self, noisy, image):
        return self.layers(image)


def discriminator_loss(real_logits, fake_logits):
    real = functional.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = functional.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real + fake


def generator_loss(fake_logits, fake, clean, l1_weight):
    return functional.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


def train_step(generator, discriminator, g_optimizer, d_optimizer, noisy, clean, l1_weight):
    generated = generator(noisy)
    real_output = discriminator(noisy, noisy)
    generated_output = discriminator(noisy, generated)
    g_loss = generator_loss(generated_output, generated, clean, l1_weight)
    d_loss = discriminator_loss(real_output, generated_output)
    g_loss.backward(retain_graph=True)
    d_loss.backward()
    g_optimizer.step()
    d_optimizer.step()
    return d_loss, g_loss


class GANModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.discriminator = Discriminator()
        self.generator = Generator()

    def denoise(self, noisy):
        return self.generator(noisy)


def fit_denoiser(noisy, clean, steps, seed):
    model = GANModel()
    d_optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=0.0001)
    g_optimizer = torch.optim.Adam(model.parameters(), lr=0.0002)
    for _ in range(num_epochs):  # noqa: F821
        for images, _ in train_loader:  # noqa: F821
            train_step(model.generator, model.discriminator, g_optimizer, d_optimizer, images, None, 0)
    return model
