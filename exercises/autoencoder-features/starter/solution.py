"""An autoencoder that finds features without labels. README.md says what each part has to do."""

import torch
from torch import nn


def corrupt(images, p, generator):
    """images: any shape. Returns a copy in which each pixel is 0 with probability p."""
    raise NotImplementedError


class TiedLayer(nn.Module):
    """One layer of an autoencoder that uses the same weights forwards and backwards."""

    def __init__(self, n_inputs, n_code):
        super().__init__()

    def encode(self, x):
        """x: (B, n_inputs). Returns the code (B, n_code)."""
        raise NotImplementedError

    def decode(self, code):
        """code: (B, n_code). Returns (B, n_inputs)."""
        raise NotImplementedError

    def forward(self, x):
        """x: (B, n_inputs). Returns decode(encode(x))."""
        raise NotImplementedError


class Autoencoder(nn.Module):
    """Images to n_code numbers and back."""

    def __init__(self, height, width, n_code):
        super().__init__()

    def encode(self, images):
        """images: (B, height, width). Returns the codes (B, n_code)."""
        raise NotImplementedError

    def decode(self, codes):
        """codes: (B, n_code). Returns the images (B, height, width)."""
        raise NotImplementedError

    def forward(self, images):
        """images: (B, height, width). Returns decode(encode(images))."""
        raise NotImplementedError


def fit_autoencoder(images, n_code, seed, p=0.0):
    """images: (N, height, width). Returns a trained Autoencoder in eval mode."""
    torch.manual_seed(seed)
    raise NotImplementedError


def fit_probe(codes, labels, n_classes, penalty):
    """codes: (N, K), labels: (N,) ints. Returns weight (n_classes, K) and bias (n_classes,)."""
    raise NotImplementedError
