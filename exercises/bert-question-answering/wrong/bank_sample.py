"""The question bank's own answer (task 13), fitted to this exercise's names, its mistakes kept.

The mistakes: questions are encoded without their contexts; the targets are the ids of the answer's words, not the positions of its
ends; a PyTorch model is compiled and fitted with Keras' calls and optimizer, which it does not have; weights come from a hub and not
from the folder; nothing turns logits into an answer; there are no windows, no "no answer" and no metrics.
"""

import tensorflow as tf
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

model_name = "bert-base-uncased"
tokenizer = AutoTokenizer.from_pretrained(model_name)
model = AutoModelForQuestionAnswering.from_pretrained(model_name)


def make_features(folder, question, context, answer, max_length, stride):
    return tokenizer([question], padding=True, truncation=True, return_tensors="pt")


def fit(folder, examples, seed):
    train_questions = [question for question, _, _ in examples]
    train_answers = [context[slice(*answer)] if answer else "" for _, context, answer in examples]
    inputs = tokenizer(train_questions, padding=True, truncation=True, return_tensors="pt")
    targets = tokenizer(train_answers, padding=True, truncation=True, return_tensors="pt")
    dataset = TensorDataset(
        inputs["input_ids"], inputs["attention_mask"], targets["input_ids"], targets["attention_mask"]
    )
    train_loader = DataLoader(dataset, batch_size=32)
    optimizer = tf.keras.optimizers.Adam(learning_rate=3e-5)
    model.compile(
        optimizer=optimizer, loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    model.fit(train_loader, epochs=3)
    return model
