"""A convolutional network and its training. README.md says what each part has to do."""

import torch
from torch import nn


class Conv2d(nn.Module):
    """A convolution with a square kernel."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x):
        """Return (B, O, H', W') for x (B, I, H, W)."""
        raise NotImplementedError


class CNN(nn.Module):
    """An image classifier made of your Conv2d."""

    def __init__(self, in_channels, image_size, num_classes, dropout=0.25):
        super().__init__()
        raise NotImplementedError

    def fit_normalization(self, images):
        """Set the buffers `mean` and `std` (C,) to those of the images (N, C, H, W)."""
        raise NotImplementedError

    def forward(self, images):
        """Return logits (B, num_classes) for raw images (B, C, H, W)."""
        raise NotImplementedError


def batches(images, labels, batch_size, seed):
    """Yield (images, labels) of up to batch_size samples each: every sample once, in an order drawn from the seed."""
    raise NotImplementedError


def train_epoch(model, optimizer, images, labels, batch_size, seed):
    """One pass over the images in training mode. Return the mean loss over the samples."""
    raise NotImplementedError


def evaluate(model, images, labels, batch_size):
    """Return the share of images that the model, in evaluation mode, classifies correctly."""
    raise NotImplementedError


def train_classifier(images, labels, num_classes, seed):
    """Train a CNN on images (N, C, H, W) and labels (N,), and return it in evaluation mode."""
    raise NotImplementedError
