"""Another way: neighbours gathered edge by edge without a concatenation, pooling in a loop, three layers, NAdam."""

import torch
from torch import nn


def normalized_adjacency(edge_index, edge_weight, num_nodes):
    merged = torch.cat([edge_index, torch.arange(num_nodes).expand(2, -1), edge_index.flip(0)], dim=1)
    back = edge_weight.masked_fill(edge_index[0] == edge_index[1], 0)
    values = torch.cat([edge_weight, edge_weight.new_ones(num_nodes), back])
    degree = torch.zeros(num_nodes, dtype=values.dtype).index_put((merged[0],), values, accumulate=True)
    for end in merged:
        values = values * degree[end] ** -0.5
    return merged, values


class GCNLayer(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(in_features, out_features)))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x, edge_index, edge_weight=None):
        if edge_weight is None:
            edge_weight = torch.ones_like(edge_index[0], dtype=x.dtype)
        (to, of), values = normalized_adjacency(edge_index, edge_weight, x.shape[0])
        messages = x[of] * values[:, None]
        mixed = torch.zeros_like(x).scatter_add(0, to[:, None].expand_as(messages), messages)
        return torch.addmm(self.bias, mixed, self.weight)


def collate(graphs):
    sizes = [len(graph[0]) for graph in graphs]
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return (
        torch.cat([graph[0] for graph in graphs]),
        torch.cat([graph[1] + start for graph, start in zip(graphs, starts, strict=True)], dim=1),
        torch.cat([graph[2] for graph in graphs]),
        torch.tensor([number for number, size in enumerate(sizes) for _ in range(size)]),
    )


def mean_pool(x, batch, num_graphs):
    rows = []
    for number in range(num_graphs):
        members = x[batch == number]
        rows.append(members.mean(0) if len(members) else x.new_zeros(x.shape[1]))
    return torch.stack(rows)


class GCN(nn.Module):
    def __init__(self, num_features, hidden_size, num_classes, num_layers=2, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList([GCNLayer(num_features, hidden_size)])
        self.layers.extend(GCNLayer(hidden_size, hidden_size) for _ in range(num_layers - 1))
        self.head = nn.Linear(hidden_size, num_classes)
        self.drop = nn.Dropout(p=dropout)

    def forward(self, x, edge_index, edge_weight, batch, num_graphs):
        for layer in self.layers:
            x = torch.clamp(layer(x, edge_index, edge_weight), min=0)
        return self.head(self.drop(mean_pool(x, batch, num_graphs)))


def train_classifier(graphs, labels, num_classes, seed):
    torch.manual_seed(seed)
    model = GCN(graphs[0][0].shape[1], 24, num_classes, num_layers=3)
    model.train()
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.005)
    loss_of = nn.CrossEntropyLoss()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(60):
        order = torch.randperm(len(graphs), generator=generator).tolist()
        for start in range(0, len(order), 40):
            part = order[start : start + 40]
            loss = loss_of(model(*collate([graphs[i] for i in part]), len(part)), labels[part])
            model.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()
