"""Also right: windows cut by hand with the tokenizers library, transformers' own model for it, spans in loops."""

import re
from functools import cache

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import AutoModelForQuestionAnswering

CLS, SEP = 101, 102
PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


@cache
def load_tokenizer(folder):
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def make_features(folder, question, context, answer, max_length, stride):
    tokenizer = load_tokenizer(folder)
    asked = tokenizer.encode(question, add_special_tokens=False).ids
    said = tokenizer.encode(context, add_special_tokens=False)
    head = [CLS, *asked, SEP]
    room = max_length - len(head) - 1
    inside = []
    if answer is not None:
        inside = [n for n, (a, b) in enumerate(said.offsets) if max(a, answer[0]) < min(b, answer[1])]
    cuts = [0]
    while cuts[-1] + room < len(said.ids):
        cuts.append(cuts[-1] + room - stride)
    width = len(head) + 1 + min(room, len(said.ids))
    out = {name: torch.zeros(len(cuts), width, dtype=torch.long) for name in
           ("input_ids", "token_type_ids", "attention_mask")}  # fmt: skip
    out["offsets"] = torch.zeros(len(cuts), width, 2, dtype=torch.long)
    out["starts"], out["ends"] = torch.zeros(2, len(cuts), dtype=torch.long)
    for row, cut in enumerate(cuts):
        ids = said.ids[cut : cut + room]
        stop = len(head) + len(ids)
        out["input_ids"][row, : stop + 1] = torch.tensor([*head, *ids, SEP])
        out["token_type_ids"][row, len(head) : stop + 1] = 1
        out["attention_mask"][row, : stop + 1] = 1
        out["offsets"][row, len(head) : stop] = torch.tensor(said.offsets[cut : cut + room])
        if inside and cut <= inside[0] and inside[-1] < cut + len(ids):
            out["starts"][row] = inside[0] - cut + len(head)
            out["ends"][row] = inside[-1] - cut + len(head)
    return out


def best_span(start_logits, end_logits, offsets, max_answer_tokens):
    candidates = []
    for starts, ends, places in zip(start_logits.tolist(), end_logits.tolist(), offsets.tolist(), strict=True):
        usable = [n for n, (a, b) in enumerate(places) if a != b]
        for i in usable:
            for j in usable:
                if i <= j < i + max_answer_tokens:
                    candidates.append((starts[i] + ends[j], places[i][0], places[j][1]))
    none = min((start_logits[:, 0] + end_logits[:, 0]).tolist())
    score, first, last = max(candidates, key=lambda c: c[0], default=(none, 0, 0))
    return (first, last) if score > none else None


def span_loss(start_logits, end_logits, starts, ends):
    return 0.5 * cross_entropy(start_logits, starts) + 0.5 * cross_entropy(end_logits, ends)


def normalize(text):
    words = PUNCTUATION.sub("", text.lower()).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})


def exact_match(prediction, answers):
    said = normalize("" if prediction is None else prediction)
    return 1.0 if any(said == normalize(answer) for answer in (answers or [""])) else 0.0


def f1(prediction, answers):
    said = normalize("" if prediction is None else prediction).split()
    best = 0.0
    for answer in answers or [""]:
        gold = normalize(answer).split()
        if not said and not gold:
            return 1.0
        common = sum(min(said.count(word), gold.count(word)) for word in set(said))
        if common:
            precision, recall = common / len(said), common / len(gold)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


class Answerer:
    def __init__(self, folder, network):
        self.folder, self.network = folder, network

    def logits(self, features):
        with torch.inference_mode():
            found = self.network(
                input_ids=features["input_ids"],
                token_type_ids=features["token_type_ids"],
                attention_mask=features["attention_mask"],
            )
        return found.start_logits.clone(), found.end_logits.clone()

    def answer(self, question, context):
        features = make_features(self.folder, question, context, None, 56, 20)
        start, end = self.logits(features)
        span = best_span(start, end, features["offsets"], 8)
        return context[span[0] : span[1]] if span else None


def fit(folder, examples, seed):
    torch.manual_seed(seed)
    network = AutoModelForQuestionAnswering.from_pretrained(
        folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    for name, parameter in network.named_parameters():
        parameter.requires_grad = not re.search(r"embeddings|layer\.[01]\.", name)
    head = [p for n, p in network.named_parameters() if n.startswith("qa_outputs")]
    body = [p for n, p in network.named_parameters() if p.requires_grad and not n.startswith("qa_outputs")]
    features = [make_features(folder, *example, 128, 32) for example in examples]
    network.train()
    for _ in range(3):
        if tune(network, body, head, features) < 0.4:
            break  # otherwise it does not read the question yet
    network.eval()
    return Answerer(folder, network)


def tune(network, body, head, features, epochs=3, size=8):
    optimizer = torch.optim.Adam([{"params": body, "lr": 5e-4}, {"params": head, "lr": 2e-3}])
    steps = epochs * ((len(features) + size - 1) // size)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [5e-4, 2e-3], total_steps=steps + 1, pct_start=0.1, anneal_strategy="linear", cycle_momentum=False
    )
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(features)).tolist()
        for first in range(0, len(order), size):
            chosen = [features[n] for n in order[first : first + size]]
            rows = {
                name: torch.nn.utils.rnn.pad_sequence([f[name][0] for f in chosen], batch_first=True)
                for name in ("input_ids", "token_type_ids", "attention_mask")
            }
            found = network(**rows)
            starts, ends = (torch.cat([f[name] for f in chosen]) for name in ("starts", "ends"))
            optimizer.zero_grad(set_to_none=True)
            loss = span_loss(found.start_logits, found.end_logits, starts, ends)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(body, 1.0)
            optimizer.step()
            rate.step()
            losses.append(loss.item())
    return sum(losses[-10:]) / len(losses[-10:])
