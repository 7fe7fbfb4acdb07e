"""Wrong: calls the function that torch's own convolution ends in."""

import torch
from torch import nn


class Conv2d(nn.Module):
    """A convolution with a square kernel, as deep learning means it: a cross-correlation."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        bound = (in_channels * kernel_size**2) ** -0.5
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x):
        """Return (B, O, H', W') for x (B, I, H, W)."""
        size, stride, padding = (2 * (n,) for n in (self.kernel_size, self.stride, self.padding))
        return torch._C._nn.thnn_conv2d(x, self.weight, size, self.bias, stride, padding)


class CNN(nn.Module):
    """Two convolutions, each with batch norm, ReLU and pooling, the last to 2 x 2; then one linear layer."""

    def __init__(self, in_channels, image_size, num_classes, dropout=0.25):
        super().__init__()
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("std", torch.ones(in_channels))
        self.features = nn.Sequential(
            Conv2d(in_channels, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(2),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(32 * 4, num_classes)

    def fit_normalization(self, images):
        """Set `mean` and `std` (C,) to those of the images (N, C, H, W)."""
        std, mean = torch.std_mean(images.float(), dim=(0, 2, 3), correction=0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 0, std, 1.0))

    def forward(self, images):
        """Return logits (B, num_classes) for raw images (B, C, H, W)."""
        x = (images.float() - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)
        return self.head(self.dropout(self.features(x).flatten(1)))


def batches(images, labels, batch_size, seed):
    """Yield (images, labels) of up to batch_size samples each: every sample once, in an order drawn from the seed."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    for chosen in order.split(batch_size):
        yield images[chosen], labels[chosen]


def train_epoch(model, optimizer, images, labels, batch_size, seed):
    """One pass over the images in training mode. Return the mean loss over the samples."""
    model.train()
    total = 0.0
    for x, y in batches(images, labels, batch_size, seed):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    return total / len(labels)


def evaluate(model, images, labels, batch_size):
    """Return the share of images that the model, in evaluation mode, classifies correctly."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        pairs = zip(images.split(batch_size), labels.split(batch_size), strict=True)
        correct = sum((model(x).argmax(1) == y).sum().item() for x, y in pairs)
    model.train(was_training)
    return correct / len(labels)


def train_classifier(images, labels, num_classes, seed):
    """Train a CNN on images (N, C, H, W) and labels (N,), and return it in evaluation mode."""
    torch.manual_seed(seed)
    model = CNN(images.shape[1], tuple(images.shape[2:]), num_classes)
    model.fit_normalization(images)
    epochs = 10
    optimizer = torch.optim.Adam(model.parameters(), lr=0.004)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        train_epoch(model, optimizer, images, labels, batch_size=48, seed=seed + epoch)
        schedule.step()
    return model.eval()
