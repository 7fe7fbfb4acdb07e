"""What a runtime preloads. Imported and *used*: torch loads some 500 modules at its first calls, not at its import."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable

_COMMON: tuple[str, ...] = (
    "asyncio",
    "collections",
    "concurrent.futures",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
)
_COMMON += ("fractions", "functools", "heapq", "itertools", "json", "logging", "math", "multiprocessing", "pathlib")
_COMMON += ("random", "re", "statistics", "string", "subprocess", "tempfile", "threading", "typing", "unittest")


def preload(runtime: str) -> None:
    """Import what the exercises of this runtime import. Raises KeyError for an unknown runtime."""
    for name in _COMMON:
        importlib.import_module(name)
    RUNTIMES[runtime]()


def _python() -> None:
    with contextlib.suppress(ImportError):  # the plain runtime has numpy where its image has
        numpy = importlib.import_module("numpy")
        numpy.random.default_rng(0).normal(size=3)
        numpy.linalg.norm(numpy.ones((2, 2)) @ numpy.ones((2, 2)))


def _torch() -> None:
    _python()
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)  # before any work: a thread pool would not survive the fork
    layers = [torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.LayerNorm(2), torch.nn.Dropout(0.5)]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters())
    out = model(torch.ones(3, 2)).exp().softmax(-1)
    torch.nn.functional.cross_entropy(out, torch.zeros(3, dtype=torch.long)).backward()
    optimizer.step()
    torch.nn.LSTM(2, 2)(torch.ones(1, 1, 2))
    torch.nn.Embedding(3, 2)(torch.tensor([1]))
    torch.testing.assert_close(torch.ones(2), torch.ones(2))
    importlib.import_module("torch.utils.data")
    str(torch.randn(2))


def _transformers() -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
    _torch()
    transformers = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()  # it would count as the candidate's output
    small = {"vocab_size": 8, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = transformers.BertConfig(intermediate_size=4, max_position_embeddings=8, **small)
    torch = importlib.import_module("torch")
    for name in ("BertModel", "BertForSequenceClassification", "BertForQuestionAnswering"):
        getattr(transformers, name)(config)(torch.tensor([[1, 2]]))
    for name in ("AutoModel", "AutoTokenizer", "BertTokenizerFast", "get_linear_schedule_with_warmup"):
        getattr(transformers, name)  # the package imports its parts when they are first asked for
    importlib.import_module("safetensors.torch")
    importlib.import_module("tokenizers")


RUNTIMES: dict[str, Callable[[], None]] = {"python": _python, "torch": _torch, "transformers": _transformers}
