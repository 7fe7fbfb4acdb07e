"""The untrained classifier: what it returns, how it treats padding, and that attention does the pooling."""

import pytest
import solution
import torch

from grader.suite import in_guest

VOCABULARY, WIDTH, CLASSES, PAD = 20, 32, 3, 7


def sentences(seed, rows=5, length=9):
    """Tokens (B, T) padded with PAD, which is not 0; lengths from 3 to T - 1. Token 0 is an ordinary word."""
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randint(VOCABULARY - 1, (rows, length), generator=g)
    tokens += tokens >= PAD  # every word but PAD
    lengths = torch.randint(3, length, (rows,), generator=g)
    tokens[:, 1] = 0
    return torch.where(torch.arange(length) < lengths.unsqueeze(1), tokens, PAD)


def classifier(seed):
    """The candidate's classifier, with dropout 0.5 and weights that we draw, in evaluation mode.

    Fresh weights may be zero in places (a query, a last layer), which would hide what the model does.
    """
    model = solution.TextClassifier(VOCABULARY, WIDTH, CLASSES, pad_id=PAD, dropout=0.5)
    g = torch.Generator().manual_seed(seed + 1)
    weights = {name: 0.25 * torch.randn(value.shape, generator=g) for name, value in model.named_parameters()}
    model.load_state_dict(weights, strict=False)
    model.eval()
    return model


def classify(model, tokens):
    """Call the classifier and see to it that two tensors of the right shapes come back."""
    try:
        logits, weights = model(tokens)
    except Exception as error:
        pytest.fail(
            f"TextClassifier.forward raised {type(error).__name__}: {str(error)[:200]}\nIt is called with tokens (B, "
            "T), already padded, and must return (logits, weights). Every layer that forward uses has to be made in "
            "__init__, and the query of the attention has to exist before it is used: a learned vector does."
        )
    assert tuple(logits.shape) == (len(tokens), CLASSES), f"logits must be (B, C) = {(len(tokens), CLASSES)}"
    assert tuple(weights.shape) == tuple(tokens.shape), f"weights must be (B, T) = {tuple(tokens.shape)}"
    assert len(tokens) == 1 or not torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-6), (
        "all sentences got the same logits"
    )
    return logits, weights


@pytest.mark.points(2)
def test_returns_logits_and_weights(seed):
    """The classifier returns float32 logits (B, C) and attention weights (B, T)"""
    for rows, length in [(1, 4), (6, 5), (2, 12)]:
        logits, weights = classify(classifier(seed), sentences(seed, rows, length))
        assert logits.dtype == weights.dtype == torch.float32, "logits and weights are float32"


@pytest.mark.points(3)
def test_masks_what_equals_pad_id(seed):
    """Exactly the tokens equal to pad_id get no weight; token 0 is a word if pad_id is another one"""
    tokens = sentences(seed)
    _, weights = classify(classifier(seed), tokens)
    assert (weights[tokens == PAD] == 0).all(), "tokens equal to pad_id got attention: the mask is tokens != pad_id"
    assert (weights[tokens != PAD] > 0).all(), "a real word got no attention; is pad_id taken to be 0 always?"


@pytest.mark.points(3)
def test_more_padding_changes_nothing(seed):
    """The same sentences padded to twice the length get the same logits"""
    tokens = sentences(seed)
    model = classifier(seed)
    logits, _ = classify(model, tokens)
    longer, _ = classify(model, torch.nn.functional.pad(tokens, (0, 9), value=PAD))
    assert torch.allclose(logits, longer, atol=1e-5), (
        f"padding moved the logits by up to {(logits - longer).abs().max().item():.3g}: no part of the model may look "
        "at padded positions, neither a mean over all T nor the last position"
    )


@pytest.mark.points(2)
def test_neighbours_do_not_matter(seed):
    """A sentence alone, without padding, gets the same logits as in a padded batch"""
    tokens = sentences(seed)
    model = classifier(seed)
    together, _ = classify(model, tokens)
    for row, sentence in enumerate(tokens):
        alone, _ = classify(model, sentence[sentence != PAD].unsqueeze(0))
        assert torch.allclose(together[row], alone[0], atol=1e-5), "the logits depend on the other sentences' lengths"


@pytest.mark.points(2)
def test_word_order_does_not_matter(seed):
    """Words in another order give the same logits, since each word is encoded by itself"""
    tokens = sentences(seed)
    model = classifier(seed)
    logits, weights = classify(model, tokens)
    order = torch.randperm(tokens.shape[1], generator=torch.Generator().manual_seed(seed + 1))
    logits_2, weights_2 = classify(model, tokens[:, order])
    assert torch.allclose(weights[:, order], weights_2, atol=1e-6), "a word's weight depends on where it stands"
    assert torch.allclose(logits, logits_2, atol=1e-5), "the logits depend on where the words stand"


@pytest.mark.points(3)
def test_logits_are_raw_scores(seed):
    """The logits are scores before softmax, as cross_entropy takes them, and of both signs"""
    tokens = sentences(seed, rows=12)
    logits = torch.cat([classify(classifier(seed + k), tokens)[0] for k in range(8)])
    assert (logits < 0).any(), (
        f"eight classifiers with random weights gave logits from {logits.min().item():.3g} to "
        f"{logits.max().item():.3g}, none below 0. Are they probabilities? cross_entropy applies log-softmax itself: a "
        "softmax or a sigmoid before it squashes the gradients and keeps the loss far from 0. No activation follows "
        "the last layer"
    )


@pytest.mark.points(2)
def test_dropout_acts_in_training_only(seed):
    """With dropout 0.5, two passes differ in training mode and agree in evaluation mode"""
    tokens = sentences(seed)
    model = classifier(seed)
    assert torch.equal(classify(model, tokens)[0], classify(model, tokens)[0]), (
        "in evaluation mode the same tokens gave two answers: nn.functional.dropout needs training=self.training"
    )
    model.train()
    first, second = classify(model, tokens)[0], classify(model, tokens)[0]
    assert not torch.equal(first, second), "in training mode with dropout 0.5 two passes gave the same logits"


@pytest.mark.points(3)
def test_pools_with_its_attention(seed):
    """Setting attention.key_proj to zero makes the weights even over the words, and moves the logits"""
    tokens = sentences(seed)
    model = classifier(seed)
    before, _ = classify(model, tokens)
    try:
        model.attention.key_proj.load_state_dict({"weight": torch.zeros(WIDTH, WIDTH)})
    except (AttributeError, RuntimeError) as error:
        pytest.fail(f"the classifier must keep its Attention as `attention`: {str(error)[:300]}")
    logits, weights = classify(model, tokens)
    real = (tokens != PAD).float()
    even = real / real.sum(1, keepdim=True)
    assert torch.allclose(weights, even, atol=1e-6), "with equal scores each of n words must get the weight 1/n"
    assert not torch.allclose(logits, before, atol=1e-4), "the logits are not made from what the attention pools"


@pytest.mark.points(3)
def test_query_is_the_same_for_all_sentences(seed):
    """How much more attention one word gets than another does not depend on the other words of the sentence"""
    g = torch.Generator().manual_seed(seed)
    words = torch.randperm(VOCABULARY, generator=g)
    words = words[words != PAD][:3]
    tokens = sentences(seed, rows=6, length=12)
    tokens[:, :3] = words
    _, weights = classify(classifier(seed), tokens)
    assert (weights[:, :3] > 0).all(), "a real word got no attention"
    scores = weights[:, :3].double().log()
    scores -= scores[:, :1].clone()
    moved = (scores - scores[0]).abs().max().item()
    assert moved < 1e-3, (
        f"the words {words.tolist()} stand in each of six sentences, but the logarithm of how much more attention one "
        f"gets than another moved by up to {moved:.3g} from sentence to sentence. The query must be the same for all "
        "sentences, not a mean or a state of this one, and each word is encoded by itself"
    )


@in_guest
def behind_the_query(model, tokens):
    """The names of the parameters behind the attention's query, None if there is no query; runs beside the solution."""
    kind, queries = type(model.attention), []
    forward = kind.forward

    def noted(self, *args, **kwargs):
        queries.append(args[0] if args else kwargs["query"])
        return forward(self, *args, **kwargs)

    kind.forward = noted
    try:
        model(tokens)
    finally:
        kind.forward = forward
    if not queries:
        return None
    if not queries[0].requires_grad:
        return []
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(queries[0].sum(), parameters, allow_unused=True)
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is not None]


@pytest.mark.points(2)
def test_query_is_learned(seed):
    """The query that the attention gets comes from parameters of the classifier, so that training moves it"""
    try:
        names = behind_the_query(classifier(seed), sentences(seed))
    except Exception as error:
        pytest.fail(
            f"looking at the query raised {type(error).__name__}: {str(error)[:200]}. The classifier must call its "
            "`attention` with (query, keys, mask)"
        )
    assert names is not None, "forward never calls self.attention"
    assert names, (
        "no parameter of the classifier has a part in the query: a plain tensor, a buffer or something detached stays "
        "as it was drawn. Make it an nn.Parameter, so that model.parameters() has it and the optimiser moves it"
    )


@pytest.mark.points(2)
def test_sentence_of_padding_only_is_finite(seed):
    """A sentence of nothing but padding gets finite logits"""
    tokens = sentences(seed)
    tokens[1] = PAD
    logits, weights = classify(classifier(seed), tokens)
    assert logits.isfinite().all(), "a sentence of padding only gave NaN or inf"
    assert (weights[1] == 0).all(), "a sentence of padding only has no word to give weight to"


@in_guest
def embedding_gradient(model, tokens):
    """The gradient (V, H) of a loss with respect to the embedding's weight; runs beside the candidate's code."""
    logits, _ = model(tokens)
    logits.square().sum().backward()
    return model.embedding.weight.grad


@pytest.mark.points(2)
def test_gradient_reaches_the_words(seed):
    """Training moves the embedding of each word that occurs, and never that of the padding"""
    tokens = sentences(seed)
    try:  # one network may have nothing but cut-off units for a word, if its activation is a ReLU
        size = sum(embedding_gradient(classifier(seed + k), tokens).abs().sum(1) for k in range(8))
    except Exception as error:
        pytest.fail(f"backward through the classifier raised {type(error).__name__}: {str(error)[:200]}")
    words = torch.tensor(sorted(set(tokens.flatten().tolist()) - {PAD}))
    assert (size[words] > 0).all(), "some words that occur get no gradient: something is detached"
    assert size[PAD].item() == 0, "the padding's embedding gets a gradient, so the padding takes part in the logits"
