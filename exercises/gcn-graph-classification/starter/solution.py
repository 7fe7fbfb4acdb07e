"""A graph convolutional network that classifies graphs. README.md says what each part has to do."""

import torch  # noqa: F401
from torch import nn


def normalized_adjacency(edge_index, edge_weight, num_nodes):
    """edge_index: (2, E), edge_weight: (E,). Returns index (2, M) and values (M,) of the normalised A + I."""
    raise NotImplementedError


class GCNLayer(nn.Module):
    """One graph convolution with `weight` (in_features, out_features) and `bias` (out_features,)."""

    def __init__(self, in_features, out_features):
        super().__init__()
        raise NotImplementedError

    def forward(self, x, edge_index, edge_weight=None):
        """x: (N, in_features). Returns (N, out_features)."""
        raise NotImplementedError


def collate(graphs):
    """graphs: a list of (x, edge_index, edge_weight). Returns (x, edge_index, edge_weight, batch) of all together."""
    raise NotImplementedError


def mean_pool(x, batch, num_graphs):
    """x: (N, F), batch: (N,). Returns the mean over the nodes of each graph, (num_graphs, F)."""
    raise NotImplementedError


class GCN(nn.Module):
    """A network of `layers` and a `head`."""

    def __init__(self, num_features, hidden_size, num_classes, num_layers=2, dropout=0.0):
        super().__init__()
        raise NotImplementedError

    def forward(self, x, edge_index, edge_weight, batch, num_graphs):
        """Returns the logits (num_graphs, num_classes)."""
        raise NotImplementedError


def train_classifier(graphs, labels, num_classes, seed):
    """graphs: a list of (x, edge_index, edge_weight), labels: (G,). Returns a trained GCN in evaluation mode."""
    raise NotImplementedError
