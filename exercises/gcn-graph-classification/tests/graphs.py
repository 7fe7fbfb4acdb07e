"""The graphs that the judge draws, and what it computes of them by itself: dense matrices, in float64."""

import torch


def rng(seed):
    return torch.Generator().manual_seed(seed)


def below(g, bound, shape=()):
    return torch.randint(bound, shape, generator=g)


def random_graph(g, nodes=7, edges=10, features=3):
    """x (N, F), edge_index (2, E), edge_weight (E,): a few pairs twice, a self-loop at a node with neighbours, the last
    node alone.
    """
    pairs = below(g, nodes - 1, (2, edges))
    pairs[1] = torch.where(pairs[0] == pairs[1], (pairs[0] + 1) % (nodes - 1), pairs[1])
    pairs[:, 1] = pairs[:, 0]
    pairs[:, 2] = pairs[:, 0].flip(0)
    pairs[:, 3] = pairs[0, 0]
    weight = 0.2 + 2 * torch.rand(edges, generator=g, dtype=torch.float64)
    return torch.randn(nodes, features, generator=g, dtype=torch.float64), pairs, weight


def normalized(edge_index, edge_weight, nodes):
    """D^-1/2 (A + I) D^-1/2 as a dense matrix (N, N)."""
    (u, v), w = edge_index, edge_weight.double()
    a = torch.eye(nodes, dtype=torch.float64).index_put((u, v), w, accumulate=True)
    a = a.index_put((v, u), torch.where(u == v, 0, w), accumulate=True)
    root = a.sum(1).sqrt()
    return a / root.outer(root)


def gcn(weights, x, edge_index, edge_weight, batch, graphs):
    """The logits (G, C) of the statement's GCN with weights by name, in float64."""
    weights = {name: value.double() for name, value in weights.items()}
    matrix, h = normalized(edge_index, edge_weight, len(x)), x.double()
    for layer in range(sum(name.startswith("layers.") for name in weights) // 2):
        h = (matrix @ h @ weights[f"layers.{layer}.weight"] + weights[f"layers.{layer}.bias"]).relu()
    pooled = torch.stack([h[batch == i].sum(0) / max(1, (batch == i).sum().item()) for i in range(graphs)])
    return pooled @ weights["head.weight"].T + weights["head.bias"]


def join(graphs):
    """One graph of many: (x, edge_index, edge_weight, batch)."""
    xs, edges, weights, batch, first = [], [], [], [], 0
    for number, (x, edge_index, edge_weight) in enumerate(graphs):
        xs.append(x)
        edges.append(edge_index + first)
        weights.append(edge_weight)
        batch += [number] * len(x)
        first += len(x)
    return torch.cat(xs), torch.cat(edges, 1), torch.cat(weights), torch.tensor(batch)


class Bonds:
    """Every node is of one of four kinds; the class says which kinds are bonded with which.

    Three classes: the three ways to make two pairs of four kinds. Strong edges join what the class pairs; as many weak
    ones join kinds that it does not. Kinds, degrees and numbers are the same for all classes, so that neither
    the nodes without the edges nor the edges without the nodes tell the class. What a kind looks like is drawn.
    """

    classes = 3
    partners = torch.tensor([[1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])

    def __init__(self, seed):
        self.g = rng(seed)
        self.looks = torch.linalg.qr(torch.randn(5, 5, generator=self.g))[0][:4] * 2
        self.names = torch.randperm(3, generator=self.g)

    def graph(self, label, smallest, largest):
        """One graph (x (n, 5), edge_index (2, 2n), edge_weight (2n,)), its nodes in any order."""
        n = smallest + below(self.g, largest - smallest + 1).item()
        kind = torch.cat([torch.arange(4), below(self.g, 4, (n - 4,))])[torch.randperm(n, generator=self.g)]
        wrong = (label + 1 + below(self.g, 2, (n,))) % 3
        wanted = torch.cat([self.partners[label][kind], self.partners[wrong, kind]])
        fits = (kind.unsqueeze(0) == wanted.unsqueeze(1)).float()
        partner = torch.multinomial(fits, 1, generator=self.g).squeeze(1)
        edge_index = torch.stack([torch.arange(n).repeat(2), partner])
        flip = torch.rand(2 * n, generator=self.g) < 0.5
        edge_index = torch.where(flip, edge_index.flip(0), edge_index)
        weight = torch.cat([0.8 + 0.4 * torch.rand(n, generator=self.g), 0.3 * torch.rand(n, generator=self.g)])
        order = torch.randperm(2 * n, generator=self.g)
        x = self.looks[kind] + 0.3 * torch.randn(n, 5, generator=self.g)
        return x, edge_index[:, order], weight[order]

    def draw(self, count, smallest, largest):
        """Graphs and their labels (G,), int64."""
        labels = below(self.g, self.classes, (count,))
        return [self.graph(label, smallest, largest) for label in labels.tolist()], self.names[labels]


class Shapes:
    """Rings and graphs with a hub: n nodes that have all the same features, n edges of weight 1."""

    classes = 2

    def __init__(self, seed):
        self.g = rng(seed)
        self.names = torch.randperm(2, generator=self.g)
        self.look = torch.randn(6, generator=self.g)
        self.look *= 2 / self.look.norm()

    def graph(self, label, smallest, largest):
        """One graph (x (n, 6), edge_index (2, n), edge_weight (n,)), its nodes in any order."""
        n = smallest + below(self.g, largest - smallest + 1).item()
        node = torch.arange(n)
        other = (node + 1) % n
        if label == 1:  # all at node 0, which itself has one edge more
            other = torch.where(node == 0, 1, 0)
        names = torch.randperm(n, generator=self.g)
        edge_index = names[torch.stack([node, other])]
        flip = torch.rand(n, generator=self.g) < 0.5
        edge_index = torch.where(flip, edge_index.flip(0), edge_index)
        return self.look.expand(n, 6).clone(), edge_index[:, torch.randperm(n, generator=self.g)], torch.ones(n)

    draw = Bonds.draw
