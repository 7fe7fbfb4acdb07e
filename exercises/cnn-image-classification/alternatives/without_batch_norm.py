"""Another style: windows by Tensor.unfold, no batch norm, a hidden layer, the best epoch by validation."""

import copy

import torch
from torch import nn


class Conv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.size, self.stride, self.padding = kernel_size, stride, padding
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x):
        batch, channels, height, width = x.shape
        p = self.padding
        padded = x.new_zeros(batch, channels, height + 2 * p, width + 2 * p)
        padded[:, :, p : p + height, p : p + width] = x
        windows = padded.unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        return (
            torch.tensordot(windows, self.weight, ([1, 4, 5], [1, 2, 3])).permute(0, 3, 1, 2) + self.bias[:, None, None]
        )


class CNN(nn.Module):
    def __init__(self, in_channels, image_size, num_classes, dropout=0.25):
        super().__init__()
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("std", torch.ones(in_channels))
        self.body = nn.Sequential(
            Conv2d(in_channels, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            Conv2d(24, 48, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
        )
        with torch.no_grad():
            width = self.body(torch.zeros(1, in_channels, *image_size)).shape[1]
        self.top = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, num_classes))

    def fit_normalization(self, images):
        x = images.to(torch.float32)
        mean = x.mean((0, 2, 3))
        std = (x - mean.reshape(1, -1, 1, 1)).pow(2).mean((0, 2, 3)).sqrt()
        std[std == 0] = 1
        self.mean.data, self.std.data = mean, std

    def forward(self, images):
        shape = (1, -1, 1, 1)
        return self.top(self.body((images.to(torch.float32) - self.mean.reshape(shape)) / self.std.reshape(shape)))


def batches(images, labels, batch_size, seed):
    generator = torch.Generator()
    generator.manual_seed(seed)
    data = torch.utils.data.TensorDataset(images, labels)
    yield from torch.utils.data.DataLoader(data, batch_size, shuffle=True, generator=generator)


def train_epoch(model, optimizer, images, labels, batch_size, seed):
    model.train()
    criterion = nn.CrossEntropyLoss(reduction="sum")
    total = 0
    for x, y in batches(images, labels, batch_size, seed):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        (loss / len(x)).backward()
        optimizer.step()
        total += loss.item()
    return total / len(images)


def evaluate(model, images, labels, batch_size):
    before = model.training
    model.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            end = start + batch_size
            right += int((model(images[start:end]).argmax(dim=-1) == labels[start:end]).sum())
    if before:
        model.train()
    return right / len(images)


def train_classifier(images, labels, num_classes, seed):
    torch.manual_seed(seed)
    model = CNN(images.shape[1], (images.shape[2], images.shape[3]), num_classes)
    model.fit_normalization(images)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    held_out = len(images) // 10
    best, best_state = -1.0, None
    for epoch in range(16):
        train_epoch(model, optimizer, images[held_out:], labels[held_out:], 32, seed + epoch)
        accuracy = evaluate(model, images[:held_out], labels[:held_out], 128)
        if accuracy >= best:
            best, best_state = accuracy, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return model.eval()
