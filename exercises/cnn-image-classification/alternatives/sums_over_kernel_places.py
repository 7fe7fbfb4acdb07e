"""Another style: one shifted product per place of the kernel, the largest response over the picture, AdamW."""

import torch
from torch import nn


class Conv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.kernel, self.stride, self.padding = kernel_size, stride, padding
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.weight.data *= (2 / (in_channels * kernel_size**2)) ** 0.5
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x):
        x = nn.functional.pad(x, [self.padding] * 4)
        rows, columns = ((n - self.kernel) // self.stride + 1 for n in x.shape[2:])
        out = self.bias.view(1, -1, 1, 1)
        for u in range(self.kernel):
            for v in range(self.kernel):
                down = slice(u, u + self.stride * (rows - 1) + 1, self.stride)
                right = slice(v, v + self.stride * (columns - 1) + 1, self.stride)
                out = out + torch.einsum("bihw,oi->bohw", x[:, :, down, right], self.weight[:, :, u, v])
        return out


class CNN(nn.Module):
    def __init__(self, in_channels, image_size, num_classes, dropout=0.25):
        super().__init__()
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("std", torch.ones(in_channels))
        self.first = Conv2d(in_channels, 16, 3, padding=1)
        self.second = Conv2d(16, 48, 4)
        self.norms = nn.ModuleList([nn.BatchNorm2d(16), nn.BatchNorm2d(48)])
        self.dropout = dropout
        self.last = nn.Linear(48 * 4, num_classes)

    def fit_normalization(self, images):
        pixels = images.float().transpose(0, 1).flatten(1)
        self.mean = pixels.mean(1)
        spread = pixels.std(1, correction=0)
        self.std = torch.where(spread == 0, torch.ones_like(spread), spread)

    def forward(self, images):
        x = (images.float() - self.mean[:, None, None]) / self.std[:, None, None]
        x = nn.functional.leaky_relu(self.norms[0](self.first(x)), 0.1)
        x = nn.functional.leaky_relu(self.norms[1](self.second(x)), 0.1)
        x = nn.functional.adaptive_max_pool2d(x, 2).flatten(1)
        return self.last(nn.functional.dropout(x, self.dropout, self.training))


def batches(images, labels, batch_size, seed):
    import numpy as np

    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))
    pairs = []
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        pairs.append((images[rows], labels[rows]))
    return pairs


def train_epoch(model, optimizer, images, labels, batch_size, seed):
    model.train()
    losses = []
    for x, y in batches(images, labels, batch_size, seed):
        each = nn.functional.cross_entropy(model(x), y, reduction="none")
        model.zero_grad()
        each.mean().backward()
        optimizer.step()
        losses.append(each.detach())
    return torch.cat(losses).mean().item()


@torch.inference_mode()
def evaluate(model, images, labels, batch_size):
    mode = model.training
    model.eval()
    guesses = [model(images[i : i + batch_size]).argmax(1) for i in range(0, len(images), batch_size)]
    model.train(mode)
    return (torch.cat(guesses) == labels).double().mean().item()


def train_classifier(images, labels, num_classes, seed):
    torch.manual_seed(seed)
    model = CNN(images.shape[1], images.shape[-2:], num_classes)
    model.fit_normalization(images)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for epoch in range(8):
        train_epoch(model, optimizer, images, labels, 32, 1000 * seed + epoch)
    model.eval()
    return model
