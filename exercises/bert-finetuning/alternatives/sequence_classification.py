"""transformers' own classifier with its pooler; two learning rates instead of frozen embeddings."""

import torch
from transformers import BertForSequenceClassification, BertModel, BertTokenizerFast, get_linear_schedule_with_warmup


def encode(folder, texts, max_length):
    out = BertTokenizerFast.from_pretrained(folder)(
        list(texts), padding="longest", truncation=True, max_length=max_length
    )
    return torch.tensor(out["input_ids"]), torch.tensor(out["attention_mask"])


class States(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.inner = BertModel.from_pretrained(folder)

    def forward(self, input_ids, attention_mask):
        return self.inner(input_ids, attention_mask=attention_mask)[0]


def load_encoder(folder):
    return States(folder)  # from_pretrained leaves dropout off


def mean_pool(hidden, attention_mask):
    return torch.einsum("bth,bt->bh", hidden, attention_mask.to(hidden)) / attention_mask.sum(1, True)


def learning_rate(step, total_steps, warmup_steps, peak):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup_steps, total_steps)
    return peak * schedule.lr_lambdas[0](step)


def parameter_groups(model, weight_decay):
    norms = {id(p) for m in model.modules() if type(m) is torch.nn.LayerNorm for p in m.parameters()}
    split = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            split[name.rpartition(".")[2] != "bias" and id(parameter) not in norms].append(parameter)
    return [{"params": split[decays], "weight_decay": weight_decay * decays} for decays in (True, False)]


class Answer:
    def __init__(self, model, folder):
        self.model, self.folder = model, folder

    def logits(self, texts):
        with torch.inference_mode():
            rows = [self.model(*encode(self.folder, texts[i : i + 40], 200)).logits for i in range(0, len(texts), 40)]
        return torch.cat(rows).clone()


def fine_tune(folder, texts, labels, n_classes, seed):
    torch.manual_seed(seed)
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=n_classes).train()
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    ids, mask = encode(folder, texts, 200)
    data = torch.utils.data.TensorDataset(ids, mask, labels)
    steps = 5 * -(-len(texts) // 16)
    last = torch.tensor(9.0)
    for epoch in range(20):
        if epoch % 5 == 0:
            if last.mean() < 0.2:
                break
            optimizer = torch.optim.AdamW(parameter_groups(model, 0.05), lr=2e-4, betas=(0.9, 0.98))
            schedule = get_linear_schedule_with_warmup(optimizer, min(8, steps // 3), steps + 1)
        losses = []
        for rows, real, wanted in torch.utils.data.DataLoader(data, batch_size=16, shuffle=True):
            schedule.step()
            loss = model(rows, attention_mask=real, labels=wanted).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        last = torch.stack(losses)
    return Answer(model.eval(), folder)
