"""Wrong: every batch is as wide as it may be."""

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

EPOCHS, BATCH, PEAK, HEAD_PEAK = 4, 16, 2e-4, 1e-3
ROUNDS, LEARNT = 3, 0.2
LONGEST = 32


def encode(folder, texts, max_length):
    """Word pieces (B, T) and their mask (B, T)."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(texts, padding="max_length", truncation=True, max_length=max_length, return_tensors="pt")
    return batch["input_ids"], batch["attention_mask"]


class Encoder(nn.Module):
    """BERT that returns its last hidden states and nothing else."""

    def __init__(self, folder):
        super().__init__()
        self.bert = AutoModel.from_pretrained(folder, add_pooling_layer=False)

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def load_encoder(folder):
    """The pretrained encoder, ready to be used."""
    return Encoder(folder).eval()


def mean_pool(hidden, attention_mask):
    """The mean (B, H) over the real tokens of each row."""
    weights = attention_mask.to(hidden.dtype).unsqueeze(-1)
    return (hidden * weights).sum(1) / weights.sum(1)


def learning_rate(step, total_steps, warmup_steps, peak):
    """Up to `peak` and down to 0, both in straight lines."""
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * max(0.0, (total_steps - step) / (total_steps - warmup_steps))


def parameter_groups(model, weight_decay):
    """Two groups for an optimizer: matrices decay, biases and LayerNorms don't."""
    plain = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if name == "bias" or isinstance(module, nn.LayerNorm):
                plain.add(parameter)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p not in plain], "weight_decay": weight_decay},
        {"params": [p for p in trained if p in plain], "weight_decay": 0.0},
    ]


class Classifier(nn.Module):
    """An encoder with a linear head on the mean of its hidden states."""

    def __init__(self, folder, n_classes):
        super().__init__()
        self.folder, self.encoder = folder, load_encoder(folder)
        self.encoder.bert.embeddings.requires_grad_(False)
        self.head = nn.Linear(self.encoder.bert.config.hidden_size, n_classes)

    def forward(self, input_ids, attention_mask):
        return self.head(mean_pool(self.encoder(input_ids, attention_mask), attention_mask))

    @torch.no_grad()
    def logits(self, texts):
        parts = [self(*encode(self.folder, texts[i : i + 32], LONGEST)) for i in range(0, len(texts), 32)]
        return torch.cat(parts)


def trained(model, groups, input_ids, mask, labels):
    """Train for EPOCHS; the mean loss of the last one."""
    optimizer = torch.optim.AdamW([dict(group) for group in groups], lr=PEAK)
    total, step = EPOCHS * -(-len(labels) // BATCH), 0
    model.train()
    for _ in range(EPOCHS):
        losses = []
        for rows in torch.randperm(len(labels)).split(BATCH):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total + 1, total // 10, group["peak"])
            loss = nn.functional.cross_entropy(model(input_ids[rows], mask[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)


def fine_tune(folder, texts, labels, n_classes, seed):
    """A classifier that has learnt from the texts. Some runs have not learnt yet after EPOCHS; those go on."""
    torch.manual_seed(seed)
    model = Classifier(folder, n_classes)
    input_ids, mask = encode(folder, texts, LONGEST)
    groups = [group | {"peak": PEAK} for group in parameter_groups(model.encoder, 0.01)]
    groups += [group | {"peak": HEAD_PEAK} for group in parameter_groups(model.head, 0.01)]
    for _ in range(ROUNDS):
        if trained(model, groups, input_ids, mask, labels) < LEARNT:
            break
    return model.eval()
