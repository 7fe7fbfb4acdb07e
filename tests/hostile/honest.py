# ruff: noqa: E501  (a solution that fits on a line is easier to read than one that is folded)
"""Honest solutions that are unusual, each with a hidden suite of its own that consumes what it gives."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from grader.catalog.model import Boundary, Exercise
from sandbox.limits import Limits

LIMITS = Limits(cpu_s=10, wall_s=30, memory_mb=128, processes=16, files_mb=8, output_kb=16)


@dataclass(frozen=True)
class Honest:
    """`suite`: the body of one test, with `solution` and pytest at hand."""

    name: str
    files: dict[str, str]
    suite: str
    answers: tuple[str, ...] = ()
    runtime: str = "python"

    def exercise(self, folder: Path) -> Exercise:
        """The exercise with this suite, made in `folder`."""
        tests = folder / "tests"
        tests.mkdir()
        imports = "import pytest, solution\n" + ("import torch\n" if self.runtime == "torch" else "")
        (tests / "test_hidden.py").write_text(f"{imports}def test_it():\n" + textwrap.indent(self.suite, "    "))
        about = {"runtime": self.runtime, "limits": LIMITS, "boundary": Boundary(answers=self.answers)}
        return Exercise(folder, self.name, self.name, "sha256:honest", **about)


def honest(name: str, source: str, suite: str, *answers: str, runtime: str = "python", **modules: str) -> Honest:
    """`modules`: the solution's further files; a dot of their names is written as `ǀ`."""
    files = {"solution.py": source} | {path.replace("ǀ", "/") + ".py": text for path, text in modules.items()}
    return Honest(name, files, suite, answers, runtime)


CLASSES = [
    honest(
        "slots",
        "class P:\n    __slots__ = ('x', 'y')\n    def __init__(self, x, y): self.x, self.y = x, y",
        "p = solution.P(1, 2)\np.x += 4\nassert (p.x, p.y) == (5, 2)\nwith pytest.raises(AttributeError): p.z = 1",
    ),
    honest(
        "metaclass",
        "class M(type):\n    made = []\n    def __new__(m, name, bases, d):\n        m.made.append(name)\n        return super().__new__(m, name, bases, d)\n    @property\n    def label(cls): return cls.__name__.lower()\nclass A(metaclass=M): x = 1\nclass B(A): pass\ndef made(): return M.made",
        "assert solution.made() == ['A', 'B']\nassert solution.B().x == 1 and solution.B.label == 'b'\nassert isinstance(solution.B(), solution.A)",
    ),
    honest(
        "init_subclass",
        "REG = {}\nclass Base:\n    def __init_subclass__(cls, key): REG[key] = cls\nclass One(Base, key='one'):\n    def go(self): return 1\ndef make(key): return REG[key]()",
        "assert solution.make('one').go() == 1",
    ),
    honest(
        "frozen_dataclass",
        "from dataclasses import dataclass, field\n@dataclass(frozen=True, order=True)\nclass P:\n    x: int\n    y: list = field(default_factory=list)\ndef make(): return P(1)",
        "import dataclasses\np = solution.make()\nassert p.x == 1 and p.y == []\nwith pytest.raises(dataclasses.FrozenInstanceError): p.x = 3\nassert [f.name for f in dataclasses.fields(p)] == ['x', 'y']",
    ),
    honest(
        "dataclass_equality",
        "from dataclasses import dataclass\n@dataclass(slots=True)\nclass P:\n    x: int",
        "assert solution.P(1) == solution.P(1) and solution.P(1) != solution.P(2)",
        "__eq__",
        "__ne__",
    ),
    honest(
        "named_tuple",
        "from typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n    y: int = 2\n    def total(self): return self.x + self.y",
        "p = solution.P(1)\nassert p == (1, 2) and p.y == 2 and p.total() == 3\nx, y = p\nassert y == 2",
    ),
    honest(
        "enums",
        "import enum\nclass C(enum.Enum):\n    RED = 'r'\n    BLUE = enum.auto()\nclass N(enum.IntEnum): ONE = 1\nclass S(enum.StrEnum): A = 'a'\nclass F(enum.IntFlag):\n    R = 1\n    W = 2\ndef red(): return C.RED\ndef both(): return F.R | F.W",
        "assert solution.red() is solution.C.RED and solution.red().value == 'r' and solution.C('r').name == 'RED'\nassert solution.N.ONE == 1 and solution.S.A == 'a' and solution.both() == 3 and [c.name for c in solution.C] == ['RED', 'BLUE']",
    ),
    honest(
        "callable_object",
        "class Adder:\n    def __init__(self, n): self.n = n\n    def __call__(self, x): return x + self.n\nadd = Adder(3)",
        "assert solution.add(4) == 7 and list(map(solution.Adder(1), [1, 2])) == [2, 3]",
    ),
    honest(
        "getattr_delegation",
        "class Proxy:\n    def __init__(self, inner): self._inner = inner\n    def __getattr__(self, name): return getattr(self._inner, name)\ndef wrapped(): return Proxy('text')",
        "assert solution.wrapped().upper() == 'TEXT'\nwith pytest.raises(AttributeError): solution.wrapped().nothing",
    ),
    honest(
        "getattribute",
        "class Counted:\n    def __init__(self): self.seen = 0\n    def __getattribute__(self, name):\n        d = object.__getattribute__(self, '__dict__')\n        if name == 'seen': return d['seen']\n        d['seen'] += not name.startswith('__')\n        return object.__getattribute__(self, name)\n    def go(self): return 1",
        "c = solution.Counted()\nassert c.go() == 1 and c.seen == 1",
    ),
    honest(
        "properties_and_descriptors",
        "class Positive:\n    def __set_name__(self, owner, name): self.name = '_' + name\n    def __get__(self, obj, owner=None): return self if obj is None else getattr(obj, self.name)\n    def __set__(self, obj, value):\n        if value <= 0: raise ValueError('not positive')\n        setattr(obj, self.name, value)\nclass Box:\n    side = Positive()\n    def __init__(self, side): self.side = side\n    @property\n    def area(self): return self.side ** 2\n    @area.setter\n    def area(self, value): self.side = int(value ** 0.5)\n    @classmethod\n    def unit(cls): return cls(1)\n    @staticmethod\n    def twice(x): return 2 * x",
        "b = solution.Box(3)\nassert b.area == 9\nb.area = 16\nassert b.side == 4 and solution.Box.unit().side == 1 and solution.Box.twice(4) == 8\nwith pytest.raises(ValueError, match='not positive'): b.side = -1",
    ),
    honest(
        "operator_overloading",
        "import functools\n@functools.total_ordering\nclass V:\n    def __init__(self, *c): self.c = c\n    def __add__(self, o): return V(*(a + b for a, b in zip(self.c, o.c)))\n    def __rmul__(self, k): return V(*(k * a for a in self.c))\n    def __mul__(self, k): return self.__rmul__(k)\n    def __neg__(self): return V(*(-a for a in self.c))\n    def __eq__(self, o): return isinstance(o, V) and self.c == o.c\n    def __lt__(self, o): return self.c < o.c\n    def __hash__(self): return hash(self.c)\n    def __len__(self): return len(self.c)\n    def __getitem__(self, i): return self.c[i]\n    def __iter__(self): return iter(self.c)\n    def __contains__(self, x): return x in self.c\n    def __bool__(self): return any(self.c)\n    def __abs__(self): return sum(a * a for a in self.c) ** 0.5\n    def __repr__(self): return f'V{self.c}'",
        "V = solution.V\nv = V(3, 4)\nassert v + V(1, 1) == V(4, 5) and 2 * v == v * 2 == V(6, 8) and -v == V(-3, -4)\nassert V(1, 2) < v >= V(3, 4) and len(v) == 2 and v[1] == 4 and list(v) == [3, 4] and 4 in v\nassert not V(0, 0) and abs(v) == 5.0 and repr(v) == 'V(3, 4)' and len({v, V(3, 4)}) == 1 and sorted([v, V(0, 1)])[0] == V(0, 1)",
        "*",
    ),
    honest(
        "generics_and_protocols",
        "from __future__ import annotations\nfrom typing import Generic, Protocol, TypeVar, overload\nT = TypeVar('T')\nclass Sized(Protocol):\n    def size(self) -> int: ...\nclass Stack(Generic[T]):\n    def __init__(self) -> None: self.items: list[T] = []\n    def push(self, item: T) -> Stack[T]:\n        self.items.append(item)\n        return self\n    def size(self) -> int: return len(self.items)\n@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\ndef f(x): return x * 2",
        "s = solution.Stack().push(1).push(2)\nassert s.size() == 2 and s.items == [1, 2] and solution.f('a') == 'aa'",
    ),
    honest(
        "abstract_classes",
        "import abc\nclass Shape(abc.ABC):\n    @abc.abstractmethod\n    def area(self): ...\nclass Square(Shape):\n    def __init__(self, a): self.a = a\n    def area(self): return self.a ** 2",
        "assert solution.Square(3).area() == 9 and isinstance(solution.Square(1), solution.Shape)\nwith pytest.raises(TypeError): solution.Shape()",
    ),
    honest(
        "mixins_and_super",
        "class A:\n    def who(self): return ['A']\nclass B(A):\n    def who(self): return ['B', *super().who()]\nclass C(A):\n    def who(self): return ['C', *super().who()]\nclass D(B, C): pass",
        "assert solution.D().who() == ['B', 'C', 'A'] and issubclass(solution.D, solution.C)",
    ),
    honest(
        "subclasses_of_builtins",
        "class Bag(dict):\n    def __missing__(self, key): return 0\nclass L(list):\n    def second(self): return self[1]\ndef bag(): return Bag(a=1)\ndef l(): return L([1, 2])",
        "assert solution.bag() == {'a': 1} and solution.l() == [1, 2] and solution.l().second() == 2",
    ),
    honest(
        "own_exceptions",
        "class Bad(ValueError):\n    def __init__(self, code): super().__init__(f'code {code}'); self.code = code\ndef go():\n    try: 1 / 0\n    except ZeroDivisionError as e: raise Bad(7) from e",
        "with pytest.raises(solution.Bad, match='code 7') as e: solution.go()\nassert e.value.code == 7",
    ),
    honest(
        "del_and_weakref",
        "import weakref, gc\nclass T:\n    def __del__(self): print('gone')\ndef go():\n    t = T(); r = weakref.ref(t); del t; gc.collect()\n    return r() is None",
        "assert solution.go() is True",
    ),
    honest(
        "namespace",
        "from types import SimpleNamespace\ndef make(): return SimpleNamespace(a=1, b=[2])",
        "n = solution.make()\nassert n.a == 1 and n.b == [2]",
    ),
]
FUNCTIONS = [
    honest(
        "generator",
        "def count(n):\n    for i in range(n): yield i * i",
        "assert list(solution.count(4)) == [0, 1, 4, 9] and sum(solution.count(3)) == 5 and next(solution.count(1)) == 0",
    ),
    honest(
        "generator_without_an_end",
        "import itertools\ndef primes():\n    for n in itertools.count(2):\n        if all(n % d for d in range(2, n)): yield n",
        "import itertools\nassert list(itertools.islice(solution.primes(), 4)) == [2, 3, 5, 7]",
    ),
    honest(
        "generator_that_is_sent_to",
        "def mean():\n    total, n, value = 0, 0, None\n    while True:\n        x = yield value\n        total, n = total + x, n + 1\n        value = total / n",
        "g = solution.mean()\nassert next(g) is None\nassert g.send(4) == 4 and g.send(8) == 6\ng.close()",
    ),
    honest(
        "iterator_class",
        "class Down:\n    def __init__(self, n): self.n = n\n    def __iter__(self): return self\n    def __next__(self):\n        if not self.n: raise StopIteration\n        self.n -= 1\n        return self.n",
        "assert list(solution.Down(3)) == [2, 1, 0]",
        "__iter__",
        "__next__",
    ),
    honest(
        "lazy_builtins",
        "def f(xs): return map(str, filter(None, xs))\ndef g(xs): return zip(xs, reversed(xs))\ndef h(xs): return enumerate(xs)",
        "assert list(solution.f([0, 1, 2])) == ['1', '2'] and list(solution.g([1, 2])) == [(1, 2), (2, 1)] and dict(solution.h('ab')) == {0: 'a', 1: 'b'}",
    ),
    honest(
        "views_of_a_dict",
        "def unique(xs): return dict.fromkeys(xs).keys()\ndef values(): return {'a': 1, 'b': 1}.values()\ndef items(): return {'a': [1]}.items()",
        "u = solution.unique([3, 1, 3])\nassert len(u) == 2 and 3 in u and list(u) == list(u) == [3, 1] and u == {1, 3}\nassert sum(solution.values()) == 2 and len(solution.values()) == 2 and dict(solution.items()) == {'a': [1]} and len(solution.items()) == 1",
    ),
    honest(
        "views_of_an_ordered_dict",
        "from collections import OrderedDict, Counter, UserDict\ndef u(): return UserDict({1: 2}).keys()\ndef f(): return OrderedDict(a=1).keys()\ndef g(): return Counter('aab').values()",
        "assert len(solution.f()) == 1 and sorted(solution.u()) == [1] and sorted(solution.g()) == [1, 2] and max(solution.g()) == 2",
    ),
    honest(
        "arrays_of_the_standard_library",
        "from array import array\ndef f(n): return array('i', range(n))\ndef g(): return array('d', [0.5])",
        "from array import array\nassert list(solution.f(3)) == [0, 1, 2] and len(solution.f(2)) == 2 and sum(solution.f(4)) == 6 and solution.f(2) == array('i', [0, 1]) and solution.g()[0] == 0.5",
    ),
    honest(
        "bytes_and_memoryviews",
        "def f(): return bytes(memoryview(b'abc')[1:])\ndef g(): return bytearray(b'ab')",
        "assert solution.f() == b'bc' and solution.g() == b'ab'",
    ),
    honest(
        "lru_cache",
        "import functools\n@functools.lru_cache(maxsize=None)\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n@functools.cache\ndef g(x): return [x]",
        "assert solution.fib(80) == 23416728348467685\nassert solution.fib.cache_info().hits > 10 and solution.g(1) == [1]\nsolution.fib.cache_clear()\nassert solution.fib.cache_info().currsize == 0",
    ),
    honest(
        "cached_property",
        "import functools\nclass C:\n    calls = 0\n    @functools.cached_property\n    def x(self):\n        C.calls += 1\n        return 5",
        "c = solution.C()\nassert c.x == c.x == 5 and solution.C.calls == 1",
    ),
    honest(
        "lambdas_and_closures",
        "add = lambda a, b=2: a + b\ndef counter():\n    n = 0\n    def step():\n        nonlocal n\n        n += 1\n        return n\n    return step\ndef compose(*fs):\n    def all_of(x):\n        for f in fs: x = f(x)\n        return x\n    return all_of",
        "assert solution.add(1) == 3\nstep = solution.counter()\nassert (step(), step()) == (1, 2) and solution.counter()() == 1\nassert solution.compose(lambda x: x + 1, str)(4) == '5' and sorted([3, 1], key=solution.compose(lambda x: -x)) == [3, 1]",
    ),
    honest(
        "partial_and_singledispatch",
        "import functools\n@functools.singledispatch\ndef f(x): return 'other'\n@f.register\ndef _(x: int): return 'int'\n@f.register(list)\ndef _(x): return 'list'\ntwice = functools.partial(pow, exp=2)",
        "assert [solution.f(x) for x in (1, [], 'a')] == ['int', 'list', 'other'] and solution.twice(3) == 9",
    ),
    honest(
        "decorators_with_wraps",
        "import functools\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        inner.calls += 1\n        return f(*a, **k)\n    inner.calls = 0\n    return inner\n@logged\ndef add(a, b):\n    'Adds.'\n    return a + b",
        "import inspect\nassert solution.add(1, b=2) == 3 and solution.add.calls == 1 and solution.add.__name__ == 'add' and solution.add.__doc__ == 'Adds.'\nassert list(inspect.signature(solution.add).parameters) == ['a', 'b']",
    ),
    honest(
        "decorator_that_is_the_task",
        "import functools\ndef retry(n):\n    def outer(f):\n        @functools.wraps(f)\n        def inner(*a):\n            for k in range(n):\n                try: return f(*a)\n                except ValueError:\n                    if k == n - 1: raise\n        return inner\n    return outer",
        "calls = []\n@solution.retry(3)\ndef flaky(x):\n    calls.append(x)\n    if len(calls) < 3: raise ValueError('again')\n    return x\nassert flaky(5) == 5 and calls == [5, 5, 5]",
    ),
    honest(
        "context_managers",
        "import contextlib\n@contextlib.contextmanager\ndef tag(name, out):\n    out.append(f'<{name}>')\n    try: yield name\n    finally: out.append(f'</{name}>')\ndef page():\n    out = []\n    with contextlib.ExitStack() as s:\n        for n in 'ab': s.enter_context(tag(n, out))\n    return out",
        "assert solution.page() == ['<a>', '<b>', '</b>', '</a>']",
    ),
    honest(
        "context_manager_that_is_the_task",
        "import contextlib\n@contextlib.contextmanager\ndef opened(log):\n    log('in')\n    try: yield 5\n    finally: log('out')",
        "seen = []\nwith solution.opened(seen.append) as x: assert x == 5 and seen == ['in']\nassert seen == ['in', 'out']",
        "__enter__",
        "__exit__",
    ),
    honest(
        "walrus_match_star",
        "def f(v):\n    match v:\n        case {'kind': 'circle', 'r': r}: return 3 * r * r\n        case [x, *rest] if (n := len(rest)) > 1: return n\n        case str() as s: return s.upper()\n        case _: return None",
        "assert [solution.f(v) for v in ({'kind': 'circle', 'r': 2}, [1, 2, 3], 'a', 5)] == [12, 2, 'A', None]",
    ),
    honest(
        "keyword_only_and_defaults",
        "def f(a, /, b, *args, c, d=4, **rest): return [a, b, args, c, d, rest]\ndef g(x, seen=[]):\n    seen.append(x)\n    return list(seen)",
        "assert solution.f(1, 2, 3, c=4, e=5) == [1, 2, (3,), 4, 4, {'e': 5}]\nassert solution.g(1) == [1] and solution.g(2) == [1, 2]",
    ),
    honest(
        "deep_recursion",
        "import sys\nsys.setrecursionlimit(50_000)\ndef depth(n): return 0 if n == 0 else 1 + depth(n - 1)",
        "assert solution.depth(8000) == 8000",
    ),
    honest(
        "non_ascii_names",
        "π = 3.14\nclass Größe:\n    def fläche(self, ä): return ä * π\ndef 加(a, b): return a + b",
        "assert solution.加(1, 2) == 3 and solution.Größe().fläche(2) == 6.28 and solution.π == 3.14",
    ),
    honest(
        "star_imports_and_main",
        "from math import *\nimport sys\ndef main(): sys.exit(3)\ndef f(x): return floor(sqrt(x))\nif __name__ == '__main__': main()",
        "assert solution.f(10) == 3",
    ),
    honest(
        "eval_and_exec",
        "space = {}\nexec('def f(x): return x + 1', space)\nf = space['f']\ng = eval('lambda x: x * 2')\nP = type('P', (), {'x': 5})",
        "assert solution.f(1) == 2 and solution.g(2) == 4 and solution.P().x == 5",
    ),
    honest(
        "huge_ints_and_exact_numbers",
        "from decimal import Decimal, localcontext\nfrom fractions import Fraction\nimport math\ndef f(n): return math.factorial(n)\ndef d():\n    with localcontext() as c:\n        c.prec = 50\n        return Decimal(1) / Decimal(7)\ndef q(): return sum(Fraction(1, k) for k in range(1, 30))\ndef z(): return complex(1, -0.0)",
        "import math\nfrom decimal import Decimal\nfrom fractions import Fraction\nassert solution.f(300) == math.factorial(300) and str(solution.d()).startswith('0.142857') and len(str(solution.d())) == 52\nassert solution.q() == sum(Fraction(1, k) for k in range(1, 30)) and solution.z() == 1",
    ),
]
MACHINE = [
    honest(
        "asyncio_inside",
        "import asyncio\nasync def one(n):\n    await asyncio.sleep(0.001)\n    return n\nasync def numbers():\n    for n in range(3): yield n\nasync def all_of(ns): return await asyncio.gather(*map(one, ns)) + [n async for n in numbers()]\ndef f(ns): return asyncio.run(all_of(ns))",
        "assert solution.f([3, 4]) == [3, 4, 0, 1, 2] and solution.f([]) == [0, 1, 2]",
    ),
    honest(
        "threads_and_queues",
        "import queue, threading\nfrom concurrent.futures import ThreadPoolExecutor\ndef f(xs):\n    q, lock, seen = queue.Queue(), threading.Lock(), []\n    def work():\n        while (x := q.get()) is not None:\n            with lock: seen.append(x * x)\n    ts = [threading.Thread(target=work) for _ in range(3)]\n    for t in ts: t.start()\n    for x in [*xs, None, None, None]: q.put(x)\n    for t in ts: t.join()\n    return sorted(seen)\ndef g(xs):\n    with ThreadPoolExecutor(4) as pool: return list(pool.map(abs, xs))",
        "assert solution.f([1, 2, 3]) == [1, 4, 9] and solution.g([-1, 2]) == [1, 2]",
    ),
    honest(
        "a_thread_that_goes_on_printing",
        "import threading, time\ndef tick():\n    while True: print('tick'); time.sleep(0.01)\nthreading.Thread(target=tick, daemon=True).start()\ndef f(x): return x + 1",
        "assert [solution.f(n) for n in range(30)] == list(range(1, 31))",
    ),
    honest(
        "multiprocessing",
        "import multiprocessing as mp\ndef square(x): return x * x\ndef f(xs):\n    with mp.get_context('fork').Pool(2) as pool: return pool.map(square, xs)\ndef g(x):\n    near, far = mp.Pipe()\n    child = mp.Process(target=far.send, args=(x,))\n    child.start(); got = near.recv(); child.join()\n    return got, child.exitcode",
        "assert solution.f([1, 2, 3]) == [1, 4, 9] and solution.g('x') == ('x', 0)",
    ),
    honest(
        "process_pool_executor",
        "from concurrent.futures import ProcessPoolExecutor\ndef cube(x): return x ** 3\ndef f(xs):\n    with ProcessPoolExecutor(2) as pool: return list(pool.map(cube, xs))",
        "assert solution.f([1, 2]) == [1, 8]",
    ),
    honest(
        "subprocess",
        "import subprocess, sys\ndef f(text): return subprocess.run([sys.executable, '-c', 'print(input()[::-1])'], input=text, capture_output=True, text=True, check=True).stdout.strip()",
        "assert solution.f('abc') == 'cba'",
    ),
    honest(
        "a_child_by_fork",
        "import os\ndef f():\n    r, w = os.pipe()\n    if (pid := os.fork()) == 0:\n        os.write(w, b'child'); print('printed by the child', flush=True); os._exit(0)\n    os.waitpid(pid, 0)\n    return os.read(r, 9)",
        "assert solution.f() == b'child' and solution.f() == b'child'",
    ),
    honest(
        "logging_and_warnings",
        "import logging, warnings\nlogging.basicConfig(level=logging.DEBUG)\nlog = logging.getLogger('solution')\ndef f(x):\n    log.debug('called with %s', x)\n    warnings.warn('old', DeprecationWarning)\n    return x",
        "assert solution.f(3) == 3",
    ),
    honest(
        "stdout_redirected",
        "import contextlib, io, sys\ndef f():\n    out = io.StringIO()\n    with contextlib.redirect_stdout(out): print('caught')\n    return out.getvalue()\nsys.stdout.write('written\\n'); sys.stdout.flush()\ndef g(text):\n    old, sys.stdin = sys.stdin, io.StringIO(text)\n    try: return input()\n    finally: sys.stdin = old\ndef h():\n    sys.stdout.close()\n    return 1",
        "assert solution.f() == 'caught\\n' and solution.g('line\\nmore') == 'line' and solution.h() == 1 and solution.f() == 'caught\\n'",
    ),
    honest(
        "atexit_and_finalizers",
        "import atexit, weakref\natexit.register(print, 'bye')\nclass T: pass\nt = T()\nweakref.finalize(t, print, 'finalized')\ndef f(): return 1",
        "assert solution.f() == 1",
    ),
    honest(
        "alarms",
        "import signal\nclass Late(Exception): pass\ndef ring(*_): raise Late\ndef f():\n    old = signal.signal(signal.SIGALRM, ring)\n    try:\n        signal.setitimer(signal.ITIMER_REAL, 0.05)\n        while True: pass\n    except Late: return 'late'\n    finally:\n        signal.setitimer(signal.ITIMER_REAL, 0)\n        signal.signal(signal.SIGALRM, old)",
        "assert solution.f() == 'late' and solution.f() == 'late'",
    ),
    honest(
        "temporary_files",
        "import json, os, pathlib, shutil, sqlite3, tempfile, zipfile\ndef f():\n    with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile('w+') as t:\n        p = pathlib.Path(d) / 'x.json'\n        p.write_text(json.dumps({'a': 1}))\n        shutil.copy(p, p.with_suffix('.bak'))\n        with zipfile.ZipFile(p.with_suffix('.zip'), 'w') as z: z.write(p, 'x')\n        t.write('y'); t.flush()\n        return sorted(os.listdir(d)), json.loads(p.read_text()), os.path.getsize(t.name)\ndef g():\n    c = sqlite3.connect('own.db')\n    c.execute('create table if not exists t (x)'); c.execute('insert into t values (5)'); c.commit()\n    return c.execute('select x from t').fetchone()",
        "assert solution.f() == (['x.bak', 'x.json', 'x.zip'], {'a': 1}, 1) and solution.g() == (5,)",
    ),
    honest(
        "seeded_random_numbers",
        "import random\nrandom.seed(42)\nown = random.Random(7)\ndef f():\n    random.seed(1)\n    return random.random()\ndef g(): return own.choice(range(1000))",
        "assert solution.f() == solution.f() and 0 <= solution.g() < 1000",
    ),
    honest(
        "module_state",
        "STATE = {'n': 0}\nTABLE = [n * n for n in range(20_000)]\ndef bump():\n    STATE['n'] += 1\n    return STATE['n']\ndef look(n): return TABLE[n]",
        "assert [solution.bump() for _ in range(3)] == [1, 2, 3] and solution.STATE == {'n': 3} and solution.look(100) == 10_000",
    ),
    honest(
        "own_package",
        "from pack import total\nfrom pack.sub.deep import NAME, Deep\nimport helper",
        "assert solution.total([1, 2]) == 3 and solution.NAME == 'pack.sub.deep' and solution.Deep().up() == 3 and solution.helper.late() == 9",
        packǀ__init__="from .sums import total",
        packǀsums="def total(xs): return sum(xs)",
        packǀsubǀ__init__="",
        packǀsubǀdeep="from ..sums import total\nNAME = __name__\nclass Deep:\n    def up(self): return total([1, 2])",
        helper="def late():\n    from pack.sub import deep\n    return len(deep.NAME) - 4",
    ),
    honest(
        "inspects_itself",
        "import inspect, importlib, pathlib\nfrom importlib import resources\ndef f(a, b=2): 'doc'\ndef g(): return inspect.getsource(f), str(inspect.signature(f)), pathlib.Path(__file__).name\ndef h(): return importlib.import_module('json').dumps([1])",
        "source, signature, name = solution.g()\nassert 'doc' in source and signature == '(a, b=2)' and name == 'solution.py' and solution.h() == '[1]'",
    ),
    honest(
        "collector_and_tracing",
        "import gc, sys, tracemalloc, contextvars, copy, pickle, time\ngc.disable()\nvar = contextvars.ContextVar('var', default=1)\nclass P:\n    def __init__(self): self.x = [1]\ndef f():\n    tracemalloc.start(); p = pickle.loads(pickle.dumps(copy.deepcopy(P()))); tracemalloc.stop()\n    time.sleep(0.01)\n    return p.x, var.get(), sys.getrecursionlimit() > 100",
        "assert solution.f() == ([1], 1, True)",
    ),
    honest(
        "timing_and_profiling",
        "import cProfile, io, pstats, sys, timeit\ndef f():\n    p = cProfile.Profile()\n    p.runcall(sorted, [3, 1])\n    sys.settrace(lambda *a: None); sys.settrace(None)\n    return timeit.timeit('1 + 1', number=10) >= 0",
        "assert solution.f() is True",
    ),
]
NUMPY = [
    honest(
        "numpy_inside",
        "import numpy as np\ndef mean(xs): return float(np.mean(xs))\ndef rows(n): return np.eye(n).tolist()",
        "assert solution.mean([1, 2]) == 1.5 and solution.rows(2) == [[1, 0], [0, 1]]",
    ),
    honest(
        "numpy_scalars",
        "import numpy as np\ndef mean(xs): return np.mean(xs)\ndef total(xs): return np.sum(xs)\ndef close(a, b): return np.isclose(a, b)\ndef half(): return np.float32(0.5)",
        "assert solution.mean([1, 2]) == pytest.approx(1.5) and solution.total([1, 2]) == 3 and solution.half() == 0.5\nassert solution.close(1, 1) and not solution.close(1, 2)\nassert [1, 2][solution.total([0, 1])] == 2",
    ),
    honest(
        "numpy_arrays",
        "import numpy as np\ndef squares(n): return np.arange(n) ** 2\ndef grid(): return np.ones((2, 3))[:, ::2]\ndef flags(): return np.array([True, False])\ndef pair(): return {'a': np.zeros(2)}",
        "assert list(solution.squares(4)) == [0, 1, 4, 9] and len(solution.squares(7)) == 7 and solution.squares(3)[-1] == 4\nassert [sum(row) for row in solution.grid()] == [2, 2] and list(solution.flags()) == [True, False] and max(solution.pair()['a']) == 0",
    ),
]
TORCH = [
    honest(
        "tensors_in_place",
        "import torch\ndef f(x):\n    y = x.clone()\n    y.mul_(2).add_(1)\n    y[0] = 0\n    return y",
        "assert torch.equal(solution.f(torch.ones(3)), torch.tensor([0.0, 3.0, 3.0]))",
        runtime="torch",
    ),
    honest(
        "tensors_of_float64_and_views",
        "import torch\ndef f(x): return x.double().t()\ndef g(x): return x[::2].flip(0)\ndef h(x): return x.expand(3, -1)\ndef t(x): return (x.numpy() * 2)\ndef s(x): return x.sum().item(), x.shape, x.dtype",
        "x = torch.arange(6.0).reshape(2, 3)\nassert torch.equal(solution.f(x), x.double().t()) and solution.f(x).dtype == torch.float64\nassert torch.equal(solution.g(x), x[::2].flip(0)) and solution.h(torch.ones(2)).shape == (3, 2) and solution.t(x).shape == (2, 3)\nassert solution.s(x) == (15.0, torch.Size([2, 3]), torch.float32)",
        runtime="torch",
    ),
    honest(
        "modules_with_buffers",
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.lin = nn.Linear(3, 2)\n        self.bn = nn.BatchNorm1d(2)\n        self.register_buffer('seen', torch.zeros((), dtype=torch.long))\n        self.scale = nn.Parameter(torch.ones(1))\n    def forward(self, x):\n        self.seen += len(x)\n        return self.scale * self.bn(self.lin(x))",
        "net = solution.Net()\nopt = torch.optim.Adam(net.parameters(), lr=0.1)\nx = torch.randn(8, 3)\nfirst = None\nfor _ in range(3):\n    loss = net(x).pow(2).mean()\n    first = first or loss.item()\n    opt.zero_grad(); loss.backward(); opt.step()\nassert loss.item() < first and int(net.seen) == 24 and {n for n, _ in net.named_buffers()} >= {'seen', 'bn.running_mean'}\nassert isinstance(net, torch.nn.Module) and net.eval()(x).shape == (8, 2) and 'scale' in net.state_dict()",
        runtime="torch",
    ),
    honest(
        "functional_transforms",
        "import torch\ndef f(x):\n    with torch.no_grad(): return torch.vmap(lambda r: r @ r)(x)\ndef g(x):\n    y = x.detach().clone().requires_grad_(True)\n    (y ** 2).sum().backward()\n    return y.grad\ndef h(): return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())",
        "x = torch.ones(2, 2)\nassert torch.equal(solution.f(x), torch.tensor([2.0, 2.0])) and torch.equal(solution.g(x), 2 * x) and len(list(solution.h().parameters())) == 2",
        runtime="torch",
    ),
    honest(
        "numpy_beside_torch",
        "import numpy as np, torch\ndef f(x): return np.float64(x.mean())\ndef g(x): return np.asarray(x)[None]\ndef h(): return torch.from_numpy(np.arange(3)), np.dtype([('a', 'i4')]), np.dtype('f4')",
        "import numpy as np\nassert solution.f(torch.ones(2)) == 1 and solution.g(torch.ones(2)).shape == (1, 2)\nt, record, f4 = solution.h()\nassert t.tolist() == [0, 1, 2] and f4 == np.float32 and list(record.names) == ['a']",
        runtime="torch",
    ),
]
ALL = [*CLASSES, *FUNCTIONS, *MACHINE, *NUMPY, *TORCH]
IN_A_FRESH_SANDBOX = [one for one in ALL if one.name in ("multiprocessing", "temporary_files", "modules_with_buffers")]
