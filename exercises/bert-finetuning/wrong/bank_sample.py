"""The question bank's own answer (task 1), fitted to this exercise's names, its mistakes kept.

The mistakes: a model of TensorFlow is trained with PyTorch's calls (train, backward, optimizer.step); it comes from a hub and
not from the folder; labels are passed to a model that has no head and returns no loss; nothing is padded or truncated; there is
no optimizer, no number of epochs and no evaluation.
"""

import tensorflow as tf  # noqa: F401
from transformers import BertTokenizer, TFBertModel

tokenizer = BertTokenizer.from_pretrained("bert-base-uncased")
model = TFBertModel.from_pretrained("bert-base-uncased")


def encode(folder, texts, max_length):
    inputs = tokenizer(texts, return_tensors="tf")
    return inputs["input_ids"], inputs["attention_mask"]


def load_encoder(folder):
    return model


def fine_tune(folder, texts, labels, n_classes, seed):
    for epoch in range(num_epochs):  # noqa: F821
        for batch in zip(texts, labels):
            inputs = tokenizer(batch[0], return_tensors="tf")
            model.train()
            outputs = model(inputs, labels=batch[1])
            loss = outputs.loss
            loss.backward()
            optimizer.step()  # noqa: F821
            optimizer.zero_grad()  # noqa: F821
    model.eval()
    return model
