"""The layers use their parameters without gradient: only the head learns."""

from itertools import pairwise

import torch
from torch import nn


def normalized_adjacency(edge_index, edge_weight, num_nodes):
    """Return entries (index (2, M), values (M,)) of D^-1/2 (A + I) D^-1/2 for undirected edges, each listed once."""
    source, target = edge_index
    apart = source != target  # an edge from a node to itself has no other direction
    nodes = torch.arange(num_nodes)
    row = torch.cat([source, target[apart], nodes])
    column = torch.cat([target, source[apart], nodes])
    values = torch.cat([edge_weight, edge_weight[apart], edge_weight.new_ones(num_nodes)])
    degree = values.new_zeros(num_nodes).index_add(0, row, values)
    scale = degree.rsqrt()
    return torch.stack([row, column]), scale[row] * values * scale[column]


class GCNLayer(nn.Module):
    """One step of message passing: Â X W + b."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, edge_index, edge_weight=None):
        """Return (N, out_features) for x (N, in_features); without weights every edge has the weight 1."""
        if edge_weight is None:
            edge_weight = x.new_ones(edge_index.shape[1])
        (row, column), values = normalized_adjacency(edge_index, edge_weight, len(x))
        h = x @ self.weight.detach()
        return torch.zeros_like(h).index_add(0, row, values.unsqueeze(1) * h[column]) + self.bias.detach()


def collate(graphs):
    """Join graphs (x, edge_index, edge_weight) into one: (x, edge_index, edge_weight, batch)."""
    xs, edges, weights = zip(*graphs, strict=True)
    sizes = torch.tensor([len(x) for x in xs])
    first = sizes.cumsum(0) - sizes
    edge_index = torch.cat([edge + start for edge, start in zip(edges, first, strict=True)], dim=1)
    return torch.cat(xs), edge_index, torch.cat(weights), torch.arange(len(graphs)).repeat_interleave(sizes)


def mean_pool(x, batch, num_graphs):
    """Return the mean (G, F) of each graph's rows of x (N, F); zeros for a graph without nodes."""
    total = x.new_zeros(num_graphs, x.shape[1]).index_add(0, batch, x)
    size = torch.bincount(batch, minlength=num_graphs).clamp(min=1)
    return total / size.unsqueeze(1)


class GCN(nn.Module):
    """Graph convolutions with ReLU, the mean over each graph, dropout, a linear layer."""

    def __init__(self, num_features, hidden_size, num_classes, num_layers=2, dropout=0.0):
        super().__init__()
        sizes = [num_features] + [hidden_size] * num_layers
        self.layers = nn.ModuleList(GCNLayer(*pair) for pair in pairwise(sizes))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, x, edge_index, edge_weight, batch, num_graphs):
        """Return the logits (G, C)."""
        for layer in self.layers:
            x = layer(x, edge_index, edge_weight).relu()
        return self.head(self.dropout(mean_pool(x, batch, num_graphs)))


def train_classifier(graphs, labels, num_classes, seed):
    """Train a GCN on graphs (x, edge_index, edge_weight) with labels (G,), and return it in evaluation mode."""
    torch.manual_seed(seed)
    model = GCN(graphs[0][0].shape[1], 32, num_classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(40):
        for chosen in torch.randperm(len(graphs)).split(64):
            logits = model(*collate([graphs[i] for i in chosen.tolist()]), len(chosen))
            loss = nn.functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()
