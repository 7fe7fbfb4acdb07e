"""Questions answered by MiniLM: windows over the context, two logits for each piece, the best span over all windows."""

import functools
import re
import string
from collections import Counter, deque
from statistics import fmean

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

EPOCHS, MOST_EPOCHS, BATCH, PEAK, HEAD_PEAK = 2, 6, 6, 3e-4, 3e-3
WARMUP, RECENT, ENOUGH, COOLING = 8, 8, 0.3, 32
MAX_LENGTH, STRIDE, MAX_ANSWER = 64, 16, 8


@functools.lru_cache(maxsize=1)
def tokenizer_of(folder):
    return AutoTokenizer.from_pretrained(folder)


def make_features(folder, question, context, answer, max_length, stride):
    """Windows over the context as tensors, with the positions of the answer in each."""
    batch = tokenizer_of(folder)(
        question,
        context,
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        padding=True,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
        return_tensors="pt",
    )
    offsets = batch["offset_mapping"]
    of_context = torch.tensor([[i == 1 for i in batch.sequence_ids(row)] for row in range(len(offsets))])
    offsets = offsets * of_context.unsqueeze(-1)
    starts, ends = torch.zeros(len(offsets), dtype=torch.int64), torch.zeros(len(offsets), dtype=torch.int64)
    if answer is not None:
        first, last = answer
        whole = tokenizer_of(folder)(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        covered = [(a, b) for a, b in whole if a < last and b > first]
        for row in range(len(offsets)):
            where = [i for i, (a, b) in enumerate(offsets[row].tolist()) if b > a and a < last and b > first]
            if len(where) == len(covered):
                starts[row], ends[row] = where[0], where[-1]
    names = ("input_ids", "token_type_ids", "attention_mask")
    return {name: batch[name] for name in names} | {"offsets": offsets, "starts": starts, "ends": ends}


def best_span(start_logits, end_logits, offsets, max_answer_tokens):
    """The characters (start, end) of the best span over all windows, or None."""
    length = start_logits.shape[1]
    of_context = offsets[..., 1] > offsets[..., 0]
    scores = start_logits.unsqueeze(2) + end_logits.unsqueeze(1)
    within = torch.ones(length, length, dtype=torch.bool).triu().tril(max_answer_tokens - 1)
    valid = within & of_context.unsqueeze(2) & of_context.unsqueeze(1)
    scores = scores.masked_fill(~valid, -torch.inf)
    null = (start_logits[:, 0] + end_logits[:, 0]).min()
    if scores.max() <= null:
        return None
    place = scores.argmax().item()
    window, start, end = place // length**2, place // length % length, place % length
    return offsets[window, start, 0].item(), offsets[window, end, 1].item()


def span_loss(start_logits, end_logits, starts, ends):
    """The mean of the cross entropies of both ends."""
    loss = nn.functional.cross_entropy
    return (loss(start_logits, starts) + loss(end_logits, ends)) / 2


def normalize(text):
    """Lower case, no punctuation, no articles, single spaces."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(prediction, answers):
    """1.0 if the prediction is one of the answers after normalization."""
    return float(normalize(prediction or "") in [normalize(answer) for answer in answers or [""]])


def f1(prediction, answers):
    """The best F1 of words over the answers."""
    return max(word_f1(normalize(prediction or "").split(), normalize(answer).split()) for answer in answers or [""])


def word_f1(found, expected):
    if not found or not expected:
        return float(found == expected)
    common = sum((Counter(found) & Counter(expected)).values())
    return 2 * common / (len(found) + len(expected))


class Reader(nn.Module):
    """A BERT with a logit for the start and one for the end on each piece."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        # Without dropout: there are too few steps to overfit.
        self.bert = AutoModel.from_pretrained(
            folder, add_pooling_layer=False, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        self.bert.embeddings.requires_grad_(False)
        self.bert.encoder.layer[:2].requires_grad_(False)
        self.head = nn.Linear(self.bert.config.hidden_size, 2)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, features):
        names = ("input_ids", "token_type_ids", "attention_mask")
        hidden = self.bert(**{name: features[name] for name in names}).last_hidden_state
        start, end = self.head(hidden).unbind(-1)
        return start, end

    @torch.no_grad()
    def logits(self, features):
        return self(features)

    def answer(self, question, context):
        features = make_features(self.folder, question, context, None, MAX_LENGTH, STRIDE)
        found = best_span(*self.logits(features), features["offsets"], MAX_ANSWER)
        return None if found is None else context[found[0] : found[1]]


def together(parts):
    """Windows of several contexts as one batch, padded on the right."""
    width = max(part["input_ids"].shape[1] for part in parts)
    batch = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        if name in ("input_ids", "token_type_ids", "attention_mask"):
            values = [nn.functional.pad(value, (0, width - value.shape[1])) for value in values]
        if name != "offsets":
            batch[name] = torch.cat(values)
    return batch


def batches(windows):
    """Batches of windows of like length, for little padding, in random order."""
    drawn = [windows[row] for row in torch.randperm(len(windows))]
    drawn.sort(key=lambda window: window["input_ids"].shape[1])
    found = [drawn[first : first + BATCH] for first in range(0, len(drawn), BATCH)]
    return [found[row] for row in torch.randperm(len(found))]


class Rate:
    """What the learning rate is multiplied with: rises, stays until the losses say that the model reads, falls to 0.

    Most models begin to read the question within 50 steps, one in twenty later: at a rate that has fallen by then, two
    epochs are too few for it.
    """

    def __init__(self, usual):
        self.usual, self.losses, self.fall = usual, deque(maxlen=RECENT), None

    def __call__(self, step):
        if self.fall is None and len(self.losses) == RECENT and fmean(self.losses) < ENOUGH:
            self.fall = step, max(self.usual, step + COOLING)
        if self.fall is None:
            return min((step + 1) / WARMUP, 1)
        first, last = self.fall
        return (last - step) / (last - first)


def fit(folder, examples, seed):
    """A reader that has learnt from the examples: mostly in EPOCHS, in any case in MOST_EPOCHS."""
    torch.manual_seed(seed)
    model = Reader(folder).train()
    windows = [make_features(folder, *example, MAX_LENGTH, STRIDE) for example in examples]
    groups = [
        {"params": [p for p in model.bert.parameters() if p.requires_grad], "lr": PEAK},
        {"params": model.head.parameters(), "lr": HEAD_PEAK},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    rate = Rate(EPOCHS * -(-len(windows) // BATCH))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for group in (group for _ in range(MOST_EPOCHS) for group in batches(windows)):
        batch = together(group)
        loss = span_loss(*model(batch), batch["starts"], batch["ends"])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.losses.append(loss.item())
        schedule.step()
        if schedule.get_last_lr()[0] == 0:
            break
    return model.eval()
