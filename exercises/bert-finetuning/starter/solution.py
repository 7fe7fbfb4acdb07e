"""Fine-tuning a pretrained BERT. README.md says what each part has to do."""


def encode(folder, texts, max_length):
    """Word pieces of a list of texts: input_ids (B, T) and attention_mask (B, T), int64."""
    raise NotImplementedError


def load_encoder(folder):
    """The pretrained encoder: an nn.Module from (input_ids, attention_mask) to hidden states (B, T, H)."""
    raise NotImplementedError


def mean_pool(hidden, attention_mask):
    """hidden: (B, T, H), attention_mask: (B, T). Returns the mean (B, H) over the real tokens."""
    raise NotImplementedError


def learning_rate(step, total_steps, warmup_steps, peak):
    """Linear warm-up to `peak`, then linear decay to 0. Returns a float."""
    raise NotImplementedError


def parameter_groups(model, weight_decay):
    """Groups for torch.optim.AdamW: no decay on biases and LayerNorms. Returns a list of dicts."""
    raise NotImplementedError


def fine_tune(folder, texts, labels, n_classes, seed):
    """Fine-tune on texts (a list of N strings) and labels (N,). Returns an object with `logits(texts)`."""
    raise NotImplementedError
