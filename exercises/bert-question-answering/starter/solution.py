"""Answering questions with BERT. README.md says what each part has to do."""


def make_features(folder, question, context, answer, max_length, stride):
    """Windows over a context: a dict of int64 tensors. answer: characters (start, end) of the context, or None."""
    raise NotImplementedError


def best_span(start_logits, end_logits, offsets, max_answer_tokens):
    """Logits (W, T), offsets (W, T, 2). Returns the characters (start, end) of the best span, or None."""
    raise NotImplementedError


def span_loss(start_logits, end_logits, starts, ends):
    """Logits (W, T), positions (W,). Returns a scalar."""
    raise NotImplementedError


def normalize(text):
    """Lower case, no punctuation, no articles, single blanks."""
    raise NotImplementedError


def exact_match(prediction, answers):
    """1.0 if the prediction (a string or None) is one of the answers (a list of strings), else 0.0."""
    raise NotImplementedError


def f1(prediction, answers):
    """The best F1 of words of the prediction over the answers."""
    raise NotImplementedError


def fit(folder, examples, seed):
    """Learn from tuples (question, context, answer). Returns an object with `logits` and `answer`."""
    raise NotImplementedError
