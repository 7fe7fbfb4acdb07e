"""Also right: the encoder written out over the raw weights, windows from the tokenizer's overflow, spans from sums."""

import collections
import functools
import math
import string

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from tokenizers import Tokenizer

HEADS, LAYERS, FROZEN, EPS = 12, 6, 2, 1e-12


@functools.lru_cache(None)
def pieces(folder, max_length, stride):
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    tokenizer.no_padding()
    if max_length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_length, stride=stride, strategy="only_second")
    return tokenizer


def make_features(folder, question, context, answer, max_length, stride):
    first = pieces(folder, max_length, stride).encode(question, context)
    windows = [first, *first.overflowing]
    start = end = -1
    if answer is not None:
        whole = pieces(folder, None, 0).encode(context, add_special_tokens=False).offsets
        inside = [span for span in whole if span[0] < answer[1] and answer[0] < span[1]]
        start, end = inside[0][0], inside[-1][1]
    rows = collections.defaultdict(list)
    width = max(len(window.ids) for window in windows)
    for window in windows:
        fill = [0] * (width - len(window.ids))
        offsets = [
            span if part == 1 else (0, 0) for span, part in zip(window.offsets, window.sequence_ids, strict=True)
        ]
        begins = [i for i, (a, b) in enumerate(offsets) if b > a and a == start]
        stops = [i for i, (a, b) in enumerate(offsets) if b > a and b == end]
        there = bool(begins and stops)
        rows["input_ids"].append(window.ids + fill)
        rows["token_type_ids"].append(window.type_ids + fill)
        rows["attention_mask"].append([1] * len(window.ids) + fill)
        rows["offsets"].append(offsets + [(0, 0)] * len(fill))
        rows["starts"].append(begins[0] if there else 0)
        rows["ends"].append(stops[0] if there else 0)
    return {name: torch.tensor(values) for name, values in rows.items()}


def best_span(start_logits, end_logits, offsets, max_answer_tokens):
    start, end = start_logits.double(), end_logits.double()
    best = (start[:, 0] + end[:, 0]).min().item()
    found = None
    inside = offsets[:, :, 1] != offsets[:, :, 0]
    for more in range(min(max_answer_tokens, start.shape[1])):
        stop = start.shape[1] - more
        scores = start[:, :stop] + end[:, more:]
        scores = scores.where(inside[:, :stop] & inside[:, more:], torch.tensor(-math.inf, dtype=torch.double))
        top = scores.max().item()
        if top > best:
            best = top
            row, column = divmod(int(scores.argmax()), stop)
            found = int(offsets[row, column, 0]), int(offsets[row, column + more, 1])
    return found


def span_loss(start_logits, end_logits, starts, ends):
    both = torch.cat([start_logits, end_logits]).log_softmax(-1)
    return -both.gather(1, torch.cat([starts, ends]).unsqueeze(1)).mean()


def normalize(text):
    kept = text.lower().translate(str.maketrans("", "", string.punctuation)).split()
    return " ".join(filter(lambda word: word not in ("a", "an", "the"), kept))


def exact_match(prediction, answers):
    return max(float(normalize(prediction or "") == normalize(a)) for a in (answers or [""]))


def f1(prediction, answers):
    scores = []
    for answer in answers or [""]:
        p, a = (collections.Counter(normalize(text).split()) for text in (prediction or "", answer))
        total = p.total() + a.total()
        if not p or not a:
            scores.append(1.0 if total == 0 else 0.0)
        else:
            scores.append(2.0 * (p & a).total() / total)
    return max(scores)


class Model:
    def __init__(self, folder):
        self.folder = folder
        self.w = {k: v.float() for k, v in load_file(folder + "/model.safetensors").items() if v.is_floating_point()}
        size = self.w["embeddings.word_embeddings.weight"].shape[1]
        self.head = [(0.02 * torch.randn(2, size)).requires_grad_(), torch.zeros(2, requires_grad=True)]
        self.body = []
        for name, value in self.w.items():
            if name.startswith("encoder.layer.") and int(name.split(".")[2]) >= FROZEN:
                self.body.append(value.requires_grad_())

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], EPS)

    def run(self, f):
        ids, mask = f["input_ids"], f["attention_mask"][:, None, None, :].bool()
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "token_type_embeddings.weight"][f["token_type_ids"]]
        x = self.norm(e + "LayerNorm", x + self.w[e + "position_embeddings.weight"][: ids.shape[1]])
        b, t, size = x.shape
        for n in range(LAYERS):
            at = f"encoder.layer.{n}."
            q, k, v = (
                self.linear(f"{at}attention.self.{name}", x).view(b, t, HEADS, -1).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            mixed = F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).reshape(b, t, size)
            x = self.norm(at + "attention.output.LayerNorm", x + self.linear(at + "attention.output.dense", mixed))
            wide = F.gelu(self.linear(at + "intermediate.dense", x))
            x = self.norm(at + "output.LayerNorm", x + self.linear(at + "output.dense", wide))
        both = F.linear(x, *self.head)
        return both[..., 0], both[..., 1]

    def logits(self, features):
        with torch.no_grad():
            return self.run(features)

    def answer(self, question, context):
        features = make_features(self.folder, question, context, None, 64, 24)
        span = best_span(*self.logits(features), features["offsets"], 8)
        return span and context[slice(*span)]


def fit(folder, examples, seed):
    torch.manual_seed(seed)
    model = Model(folder)
    data = [make_features(folder, *example, 96, 32) for example in examples]
    for _ in range(3):  # a high loss says that it does not read the question yet
        if train(model, data) < 0.4:
            break
    return model


def train(model, data):
    optimizer = torch.optim.AdamW([{"params": model.body, "lr": 4e-4}, {"params": model.head, "lr": 2e-3}])
    peaks = [group["lr"] for group in optimizer.param_groups]
    batches = [rows for _ in range(3) for rows in torch.randperm(len(data)).split(8)]
    losses = []
    for step, rows in enumerate(batches):
        batch = {}
        for name in ("input_ids", "token_type_ids", "attention_mask"):
            batch[name] = torch.nn.utils.rnn.pad_sequence([data[row][name][0] for row in rows], batch_first=True)
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * min((step + 1) / 10, 1 - step / len(batches))
        starts, ends = (torch.cat([data[row][name] for row in rows]) for name in ("starts", "ends"))
        optimizer.zero_grad()
        loss = span_loss(*model.run(batch), starts, ends)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*model.body, *model.head], 1.0)
        optimizer.step()
        losses.append(loss.item())
    last = losses[-10:]
    return sum(last) / len(last)
