"""The bank's answer with PyTorch's model from the folder in place of TensorFlow's; the other mistakes kept.

One text at a time: nothing is padded. The labels go to a model without a head, whose output has no loss.
"""

import torch
from transformers import BertModel, BertTokenizer


def encode(folder, texts, max_length):
    inputs = BertTokenizer.from_pretrained(folder)(texts, return_tensors="pt")
    return inputs["input_ids"], inputs["attention_mask"]


def load_encoder(folder):
    return BertModel.from_pretrained(folder)


def fine_tune(folder, texts, labels, n_classes, seed):
    tokenizer = BertTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        for text, label in zip(texts, labels):
            inputs = tokenizer(text, return_tensors="pt")
            model.train()
            outputs = model(**inputs, labels=label)
            loss = outputs.loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    return model
