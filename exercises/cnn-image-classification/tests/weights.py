"""Weights that the judge draws for a network of the candidate's design."""

from math import prod

import torch


def drawn(model, seed):
    """A value for each parameter by name. One that is a single number is a scale or a slope: near neither 0 nor 1."""
    g = torch.Generator().manual_seed(seed)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    return {
        name: 0.4 + 0.2 * torch.rand(shape, generator=g)
        if prod(shape) == 1
        else torch.randn(shape, generator=g) / max(1, prod(shape[1:])) ** 0.5
        for name, shape in shapes.items()
    }


def centred(weights):
    """The same with kernels that read one pixel, the one in the middle, and all the stronger for it."""
    changed = dict(weights)
    for name, value in weights.items():
        if value.dim() == 4 and value.shape[2] == value.shape[3]:
            size = value.shape[2]
            changed[name] = torch.zeros_like(value)
            changed[name][:, :, size // 2, size // 2] = size * value[:, :, size // 2, size // 2]
    return changed
