"""Functions and objects of the suite in the candidate's hands: exactly these, while their call runs."""

SUITE = """
import operator, pytest, solution
from grader.suite import lend

class World:
    def __init__(self): self.at, self.secret = 0, "secret"
    def reset(self): self.at = 0; return self.at
    def step(self, action): self.at += action; return self.at, self.at >= 3
class Stop(Exception): pass
class StopEarly(ValueError): pass

def test_a_function_is_called_with_values_and_answers_with_values():
    seen = []
    assert solution.apply(lambda x: seen.append(x) or x * 2, [1, 2]) == [2, 4] and seen == [1, 2]
    assert solution.apply(len, ["ab"]) == [2] and solution.apply(str.upper, ["a"]) == ["A"]
    assert solution.reduce(operator.add, [1, 2, 3]) == 6
    assert solution.keyword(key=lambda a, *, b=1: a + b) == 3

def test_bound_methods_and_classes_of_the_suite():
    world = World()
    assert solution.apply(world.step, [2]) == [(2, False)] and world.at == 2
    assert solution.sort_by(["bb", "a"], key=len) == ["a", "bb"]

def test_a_handle_comes_back_into_the_callback_as_the_same_object():
    item = solution.Item(3)
    assert solution.apply(lambda x: x is item, [item]) == [True]
    assert solution.apply(lambda x: x.value, [item, solution.Item(4)]) == [3, 4]

def test_a_callback_may_call_the_solution_again():
    assert solution.apply(lambda x: solution.double(x), [1, 2]) == [2, 4]
    def descend(n): return 0 if n == 0 else 1 + solution.call(descend, n - 1)
    assert descend(5) == 5

def test_a_function_of_the_solution_is_itself_again():
    assert solution.apply(solution.double, [3]) == [6] and solution.same(solution.double) is solution.double
    ours = lambda x: x
    assert solution.same(ours) is ours

def test_what_a_callback_raises_comes_out_as_it_was():
    def stop(x): raise Stop("now")
    with pytest.raises(Stop, match="now"):
        solution.apply(stop, [1])
    def early(x): raise StopEarly(x)
    assert solution.guarded(early) == "caught ValueError"
    with pytest.raises(ZeroDivisionError):
        solution.apply(lambda x: 1 / x, [0])
    assert solution.guarded(lambda x: {}[x]) == "caught KeyError"

def test_a_failed_assertion_of_the_suite_cannot_be_swallowed():
    def check(x): assert x > 5, "x must be more than 5"
    solution.guarded(check)
def test_nor_turned_into_something_else():
    def check(x): pytest.fail("called at all")
    solution.guarded(check)
def test_nor_a_skip():
    def check(x): pytest.skip("not today")
    solution.guarded(check)

def test_a_lent_object():
    world = World()
    assert solution.play(lend(world, "reset", "step")) == 3 and world.at == 3

def test_only_its_lent_methods():
    with pytest.raises(AttributeError, match="secret"):
        solution.peek(lend(World(), "reset", "step"))
    with pytest.raises(AttributeError):
        lend(World(), "fly")

def test_an_object_that_was_not_lent():
    with pytest.raises(TypeError, match="grader.suite.lend"):
        solution.play(World())

def test_wrappers_generators_and_objects_go_on_using_what_they_were_made_with():
    calls = []
    def slow(x): calls.append(x); return x * x
    fast = solution.memoize(slow)
    assert fast(3) == 9 and fast(3) == 9 and calls == [3]
    assert list(solution.lazy(lambda x: x + 1, [1, 2])) == [2, 3]
    assert solution.compose(lambda x: x + 1, lambda x: x * 2)(5) == 11
    machine = solution.Machine(lambda: 7)
    assert machine.run() == 7 and machine.runner.run() == 7
    @solution.memoize
    def square(x): return x * x
    assert square(4) == 16

def test_a_kept_function_is_refused_with_a_clear_error():
    solution.keep(lambda: 1)
    with pytest.raises(RuntimeError, match="only while the call runs that it came with"):
        solution.use_kept()

def test_iterators_of_the_suite_are_pulled():
    def numbers():
        yield 1
        yield 2
    assert solution.total(numbers()) == 3 and solution.total(iter([4, 5])) == 9 and solution.total(x for x in [1]) == 1
    endless = iter(int, 1)
    assert solution.first(endless) == 0 and solution.total(map(abs, [-1, -2])) == 3
    assert solution.total({1: 2}.keys()) == 1 and solution.total(reversed([1, 2])) == 3
    assert list(solution.lazy(str, iter([1]))) == ["1"]

def test_depth_is_bounded():
    def forever(n): return solution.call(forever, n + 1)
    with pytest.raises(RecursionError):
        forever(0)

def test_threads_may_not_call():
    with pytest.raises(RuntimeError, match="in its thread"):
        solution.in_thread(lambda: 1)
"""
SOLUTION = """
import functools, threading
class Item:
    def __init__(self, value): self.value = value
def apply(f, items): return [f(x) for x in items]
def reduce(f, items): return functools.reduce(f, items)
def keyword(key): return key(1, b=2)
def sort_by(items, key): return sorted(items, key=key)
def double(x): return 2 * x
def call(f, *args): return f(*args)
def same(x): return x
def guarded(f):
    try: f(1)
    except BaseException as error: return f"caught {type(error).__name__}"
    return "nothing"
def play(world):
    total, done = world.reset(), False
    while not done: total, done = world.step(1)
    return total
def peek(world): return world.secret
def memoize(f):
    known = {}
    @functools.wraps(f)
    def wrapper(x):
        if x not in known: known[x] = f(x)
        return known[x]
    return wrapper
def lazy(f, items):
    for item in items: yield f(item)
def compose(f, g): return lambda x: f(g(x))
class Machine:
    def __init__(self, f): self.f = f
    def run(self): return self.f()
    @property
    def runner(self): return self
def keep(f): global kept; kept = f
def use_kept(): return kept()
def total(items): return sum(items)
def first(items): return next(items)
def in_thread(f):
    errors = []
    def run():
        try: f()
        except Exception as error: errors.append(error)
    thread = threading.Thread(target=run); thread.start(); thread.join()
    raise errors[0]
"""


def test_callables_and_lent_objects(grade):
    flaws = grade(SUITE, SOLUTION).flaws
    assert flaws.pop("test_a_failed_assertion_of_the_suite_cannot_be_swallowed") == "failed: x must be more than 5"
    assert flaws.pop("test_nor_turned_into_something_else") == "failed: called at all"
    assert flaws.pop("test_nor_a_skip") == "skipped: skipped by the suite"
    assert flaws == {}


FORGED = """
import solution, pytest
def test_forged(): assert solution.forge(lambda: 1)
def test_goes_on(): assert solution.fine() == 1
"""
FORGER = """
import gc, random
def forge(f):
    f._number = random.getrandbits(60)
    return f()
def fine(): return 1
"""


def test_a_call_of_something_that_was_never_lent_breaks_the_protocol(grade):
    shown = grade(FORGED, FORGER).shown
    assert shown["test_forged"].startswith("crashed: the process broke the protocol")
    assert shown["test_goes_on"] == "passed"
