# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Bomb: values that are small to make and ruinous to send, to rebuild, to compare or to report."""

import pytest

from tests.hostile.case import case, titled, values_only

EVERYTHING = "add = code = squares = half = mapped = root = Point"
ANY_WAY = ("failed", "crashed", "memory_limit", "time_limit")  # refused here, refused there, or too dear to make
NO_NUMPY = ("failed", "crashed")  # a judge without numpy cannot read an array


def giving(expression: str, before: str = "") -> str:
    """A submission whose every function returns this."""
    return f"{before}\ndef give(*_): return {expression}\n{EVERYTHING} = give\n"


PERIOD = "P = (1 << 61) - 1\n"  # of the hashes of ints
CASES = [
    case("an_int_of_a_million_digits", giving("10 ** 1_000_000"), "failed", "time_limit"),
    case("a_negative_int_of_many_bits", giving("-(1 << 131_072)")),
    case("many_ints_of_many_bits", giving("[1 << 100_000] * 20_000"), *ANY_WAY),
    case("a_decimal_with_a_huge_exponent", giving("D('1e999999999')", "from decimal import Decimal as D")),
    case("a_decimal_of_many_digits", giving("D(10 ** 100_000)", "from decimal import Decimal as D"), *ANY_WAY),
    case("a_fraction_of_many_digits", giving("F(3 ** 50_000, 2 ** 50_000)", "from fractions import Fraction as F")),
    case("a_range_without_an_end", giving("range(10 ** 4000)")),
    case("a_range_of_a_trillion", giving("range(10 ** 12)")),
    case("a_list_in_itself", giving("x", "x = []\nx.append(x)")),
    case("a_dict_in_itself", giving("x", "x = {}\nx['x'] = x")),
    case("lists_that_share_and_double", giving("x", "x = []\nfor _ in range(60): x = [x, x]"), *ANY_WAY),
    case("tuples_a_thousand_deep", giving("x", "x = ()\nfor _ in range(1000): x = (x,)")),
    case("dicts_a_thousand_deep", giving("x", "x = {}\nfor _ in range(1000): x = {1: x}")),
    case("two_million_items", giving("[None] * 2_000_001"), *ANY_WAY),
    case("two_million_keys", giving("dict.fromkeys(range(1_000_001))"), *ANY_WAY),
    case("keys_that_collide", giving("dict.fromkeys(k * P for k in range(2000))", PERIOD)),
    case("members_that_collide", giving("{k * P for k in range(2000)}", PERIOD)),
    case(
        "counted_keys_that_collide",
        giving("Counter(k * P for k in range(2000))", PERIOD + "from collections import Counter"),
        "failed",
        "time_limit",
    ),
    case(
        "ordered_keys_that_collide",
        giving("OrderedDict.fromkeys(k * P for k in range(2000))", PERIOD + "from collections import OrderedDict"),
        "failed",
        "time_limit",
    ),
    case(
        "a_deque_of_everything",
        giving("deque(range(2_000_001), maxlen=None)", "from collections import deque"),
        *ANY_WAY,
    ),
    case("bytes_of_half_a_gigabyte", giving("bytes(1 << 29)"), *ANY_WAY),
    case("a_mask_of_bytes", giving("memoryview(bytearray(1 << 20))[::-3]")),
    case("an_array_of_four_exabytes", giving("numpy.broadcast_to(numpy.zeros(()), (1 << 59,))", "import numpy")),
    case("an_array_of_nothing_in_many_dimensions", giving("numpy.zeros((0,) * 33)", "import numpy")),
    case("an_array_of_objects_in_itself", giving("x", "import numpy\nx = numpy.empty(1, object)\nx[0] = x")),
    case("a_record_of_many_fields", giving("numpy.zeros(1, [(f'f{i}', 'i8') for i in range(2000)])", "import numpy")),
    case("texts_of_an_array", giving("numpy.zeros(3, 'U1000000')", "import numpy"), *ANY_WAY),
    case("dates_out_of_time", giving("numpy.array(['NaT', -(1 << 62)], 'M8[as]')", "import numpy"), *NO_NUMPY),
    case("all_kinds_of_nothing", giving("numpy.array([numpy.nan, numpy.inf, -0.0])", "import numpy"), *NO_NUMPY),
    case(
        "a_message_without_an_end",
        f"class E(Exception):\n    def __str__(self):\n        while True: pass\ndef give(*_): raise E()\n{EVERYTHING} = give\n",
        "failed",
        "time_limit",
    ),
    case(
        "a_message_that_raises",
        f"class E(Exception):\n    def __str__(self): raise E()\ndef give(*_): raise E()\n{EVERYTHING} = give\n",
    ),
    case(
        "causes_without_an_end",
        f"def give(*_):\n    e = ValueError(); e.__cause__ = e.__context__ = e\n    raise e\n{EVERYTHING} = give\n",
    ),
    case(
        "causes_a_thousand_deep",
        f"def give(n=1000, *_):\n    try: give(n - 1) if isinstance(n, int) and 0 < n <= 1000 else 1 / 0\n    except Exception as e: raise ValueError(n) from e\n{EVERYTHING} = lambda *_: give()\n",
        "failed",
        "crashed",
    ),
    case(
        "a_group_of_groups",
        f"def give(*_):\n    e = ValueError()\n    for _ in range(200): e = ExceptionGroup('x', [e, e])\n    raise e\n{EVERYTHING} = give\n",
    ),
    case(
        "arguments_of_an_exception",
        f"def give(*_): raise ValueError(*range(1_000_000))\n{EVERYTHING} = give\n",
        *ANY_WAY,
    ),
    case(
        "a_warning_for_each_line",
        f"import warnings\nwarnings.simplefilter('always')\ndef give(*_):\n    for n in range(20_000): warnings.warn('x' * 500)\n{EVERYTHING} = give\n",
        "output_limit",
        "time_limit",
    ),
]

TENSORS = [
    case(
        "a_tensor_of_an_exabyte", "import torch\ndef double(x): return torch.zeros(()).expand(1 << 58)", runtime="torch"
    ),
    case(
        "a_tensor_that_overlaps",
        "import torch\ndef double(x): return torch.zeros(8).as_strided((1 << 20, 1 << 20), (0, 0))",
        runtime="torch",
    ),
    case("a_tensor_of_many_dimensions", "import torch\ndef double(x): return torch.zeros((1,) * 60)", runtime="torch"),
    case("a_tensor_without_data", "import torch\ndef double(x): return x.to('meta')", runtime="torch"),
    case("a_sparse_tensor", "import torch\ndef double(x): return (x.detach() * 2).to_sparse()", runtime="torch"),
    case(
        "a_sparse_tensor_of_everything",
        "import torch\ndef double(x): return torch.sparse_coo_tensor(torch.zeros(1, 1).long(), torch.ones(1), (1 << 60,))",
        runtime="torch",
    ),
    case(
        "a_quantized_tensor",
        "import torch\ndef double(x): return torch.quantize_per_tensor(torch.ones(3), 1.0, 0, torch.qint8)",
        runtime="torch",
    ),
    case(
        "a_nested_tensor",
        "import torch\ndef double(x): return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])",
        runtime="torch",
    ),
    case(
        "a_conjugate_view",
        "import torch\ndef double(x): return torch.ones(3, dtype=torch.complex64).conj().imag",
        runtime="torch",
    ),
    case(
        "a_graph_without_an_end",
        "import torch\ndef double(x):\n    y = x.float() * 0 + torch.ones((), requires_grad=True)\n    for _ in range(20_000): y = y + 1\n    return y",
        "failed",
        "time_limit",
        "memory_limit",
        runtime="torch",
    ),
    case(
        "a_backward_that_floods",
        "import torch\nclass F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return x * 3\n    @staticmethod\n    def backward(ctx, g): return torch.zeros(1 << 26)\ndef double(x): return F.apply(x.float())",
        *ANY_WAY,
        runtime="torch",
    ),
    case(
        "a_hook_that_hangs",
        "import torch\ndef double(x):\n    y = (x.float() * 3).requires_grad_() if not x.requires_grad else x * 3\n    def hook(g):\n        while True: pass\n    y.register_hook(hook)\n    return y",
        "failed",
        "time_limit",
        runtime="torch",
    ),
]


@values_only
@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_a_value_that_costs_much_earns_nothing(attempt, submission):
    assert attempt(submission).judge_cpu_s < 30


@values_only
@pytest.mark.parametrize("submission", TENSORS, ids=titled)
def test_a_tensor_that_costs_much_earns_nothing(attempt, submission):
    assert attempt(submission).judge_cpu_s < 30
