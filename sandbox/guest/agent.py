"""The agent: answers the judge's requests in the process that runs the candidate's code.

It shares that process with hostile code, so nothing here protects the score; the judge believes nothing of it. What
it does protect is the *honest* candidate: threads, children, prints and patched modules of theirs must not get in the
way of their own answers.

Ops and their operands, in the order of the protocol's tuple (`sandbox.wire`):

    files   files, assets                 write them; nothing foreign has run   -> None
    load    forbidden                     import solution                       -> None
    seed    number                        seed random, numpy, torch; a new test -> None
    find    [names]                       attributes of solution                -> [[found, value], …]
    module                                solution itself
    get     object, name                  set  object, name, value              del  object, name
    dir     object                        -> [names]
    call    function, args, kwargs        options: back (return the arguments too)
    special object, name, args            an operator, looked up on the class as the interpreter does
    next    iterator                      -> [True, value] or [False, None]
    copy    object, deep                  send  source, name, globals           -> the function
    backward tensor, grad, ends, accumulate, create_graph      push  [[leaf, value, grad, wants], …]
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import operator
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from sandbox.codec import Caps, CodecError, Decoder, Encoder
from sandbox.guest import exceptions
from sandbox.guest.forbidden import Forbidden
from sandbox.guest.gradients import Gradients
from sandbox.guest.objects import Objects
from sandbox.guest.outward import Lent, LentFunction, LentIterator, Outward
from sandbox.wire import Channel, WireClosed


def serve(channel: socket.socket, workdir: str) -> None:
    """Answer requests until the judge hangs up; then wait to be ended, since whoever exits by himself has crashed."""
    with contextlib.suppress(WireClosed):
        Agent(channel, workdir).run()
    while True:
        signal.pause()


class Agent:
    def __init__(self, channel: socket.socket, workdir: str) -> None:
        self._caps = Caps()
        self._channel = Channel(channel, self._caps.frame_bytes)
        self._workdir = workdir
        self._objects = Objects()
        self._gradients = Gradients(self._objects)
        self._outward = Outward(self._objects, self._gradients)
        self._outward.folder = workdir
        self._forbidden = Forbidden()
        self._thread = threading.get_ident()
        self._innermost: list[int] = []
        os.register_at_fork(after_in_child=self._channel.close)

    def run(self) -> None:
        while True:
            self._answer(self._receive())

    def call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of the judge's and wait for what it returns; the judge may ask of us meanwhile."""
        if threading.get_ident() != self._thread or not self._innermost:
            raise RuntimeError("a function that was passed in can be called only while that call runs, in its thread")
        self._send(("call", self._innermost[-1], number, args, kwargs))
        while True:
            message = self._receive()
            if message[0] == "return":
                return message[2]
            if message[0] == "throw":
                raise message[2]
            self._answer(message)

    def _receive(self) -> Any:
        return Decoder(self._channel.receive(), self._rebuild, self._caps).decode()

    def _send(self, message: tuple[Any, ...]) -> None:
        self._channel.send(Encoder(self._outward, self._caps).encode(message))

    def _answer(self, message: tuple[Any, ...]) -> None:
        op, number, drops, options, *operands = message
        self._objects.drop(drops)
        self._innermost.append(number)
        try:
            value = self._do(op, options, operands)
            self._forbidden.check()
            self._reply(("ok", number, value))
        except WireClosed:
            raise
        except BaseException as error:
            self._reply(("raise", number, exceptions.tell(error, self._workdir)))
        finally:
            self._innermost.pop()

    def _reply(self, message: tuple[Any, ...]) -> None:
        try:
            parts = Encoder(self._outward, self._caps).encode(message)
        except (CodecError, RecursionError) as error:
            told = exceptions.tell(TypeError(f"what it returned cannot cross the wall: {error}"), self._workdir)
            parts = Encoder(self._outward, self._caps).encode(("raise", message[1], told))
        self._channel.send(parts)

    def _do(self, op: str, options: dict[str, Any], operands: list[Any]) -> Any:
        torch = sys.modules.get("torch")
        if torch is None or op in ("files", "load", "seed"):
            return _OPS[op](self, options, *operands)
        with torch.set_grad_enabled(options["grad"]):
            return _OPS[op](self, options, *operands)

    def _rebuild(self, kind: str, told: Any) -> Any:
        """What the judge means by a value that is not plain. The judge is trusted."""
        rebuild: dict[str, Callable[[], Any]] = {
            "far": lambda: self._objects.object(told),
            "symbol": lambda: getattr(sys.modules["solution"], told),
            "member": lambda: told[0](told[1]),
            "plain": lambda: told,
            "size": lambda: sys.modules["torch"].Size(told),
            "input": lambda: self._gradients.take(*told),
            "function": lambda: LentFunction(self, *told),
            "lent": lambda: Lent(self, told),
            "iterator": lambda: LentIterator(self, told),
            "error": lambda: _error(*told),
            "name": lambda: _named(*told),
        }
        return rebuild[kind]()

    # The ops -----------------------------------------------------------------------------------------------------

    def _files(self, _: dict[str, Any], files: dict[str, bytes], assets: dict[str, bytes]) -> None:
        for folder, contents in ((self._workdir, files), (os.path.join(self._workdir, "assets"), assets)):
            for name, content in contents.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
        modules = {name.removesuffix(".py").replace("/", ".") for name in files if name.endswith(".py")}
        self._outward.own_modules = frozenset(modules | {m.removesuffix(".__init__") for m in modules} | {"__main__"})

    def _load(self, _: dict[str, Any], forbidden: list[str]) -> None:
        self._forbidden.arm(forbidden)
        sys.path.insert(0, self._workdir)  # no finder has looked there yet, so none has to look again
        importlib.import_module("solution")

    def _seed(self, _: dict[str, Any], number: int) -> None:
        self._gradients.forget()
        random.seed(number)
        if (numpy := sys.modules.get("numpy")) is not None:
            numpy.random.seed(number % 2**32)
        if (torch := sys.modules.get("torch")) is not None:
            torch.default_generator.manual_seed(number)  # torch.manual_seed formats its stack for each device

    def _find(self, _: dict[str, Any], names: list[str]) -> list[Any]:
        missing = object()
        found = [(getattr(sys.modules["solution"], name, missing)) for name in names]
        return [[False, None] if value is missing else [True, value] for value in found]

    def _call(self, options: dict[str, Any], function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        value = function(*args, **kwargs)
        return [value, args, kwargs] if options.get("back") else value

    def _special(self, _: dict[str, Any], obj: Any, name: str, args: list[Any]) -> Any:
        if name in _BUILTIN:
            return _BUILTIN[name](obj, *args)
        method = getattr(type(obj), name, None)
        if method is not None:
            return method(obj, *args)
        if args and "item" not in name:  # a binary one: the interpreter goes on to the other operand
            return NotImplemented
        raise TypeError(f"{type(obj).__name__!r} object has no {name}")

    def _next(self, _: dict[str, Any], iterator: Any) -> list[Any]:
        try:
            return [True, next(iterator)]
        except StopIteration:
            return [False, None]

    def _source(self, _: dict[str, Any], source: str, name: str, names: dict[str, Any]) -> Any:
        namespace: dict[str, Any] = {"__name__": "suite"}
        for alias, (is_module, value) in names.items():
            namespace[alias] = importlib.import_module(value) if is_module else value
        exec(compile(source, "<function of the suite>", "exec"), namespace)
        return namespace[name]

    def _backward(self, _: dict[str, Any], *operands: Any) -> Any:
        return self._gradients.backward(*operands)

    def _push(self, _: dict[str, Any], leaves: list[Any]) -> None:
        for operands in leaves:
            self._gradients.push(*operands)


# Operators that the interpreter finds a substitute for: a length for a truth, items for an iterator.
_BUILTIN: dict[str, Callable[..., Any]] = {
    "__bool__": bool,
    "__contains__": operator.contains,
    "__float__": float,
    "__index__": operator.index,
    "__int__": int,
    "__iter__": iter,
    "__reversed__": reversed,
    "__round__": round,
}


def _named(module: str, name: str) -> Any:
    """A class, function or dtype of a library, by name: `torch.float32`, `torch.nn.functional.relu`, `int`."""
    if module == "numpy.dtype":
        return importlib.import_module("numpy").dtype(name)
    value = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _error(cls: Any, args: list[Any], number: int) -> BaseException:
    """An exception of the suite's: of a class of the candidate's, or by name of the builtin that it derives from."""
    try:
        error: BaseException = (getattr(sys.modules["builtins"], cls) if isinstance(cls, str) else cls)(*args)
    except TypeError:  # UnicodeDecodeError and its like want more than they show
        error = RuntimeError(*args)
    error._thrown = number  # type: ignore[attr-defined]
    return error


_OPS: dict[str, Callable[..., Any]] = {
    "files": Agent._files,
    "load": Agent._load,
    "seed": Agent._seed,
    "find": Agent._find,
    "module": lambda agent, _: sys.modules["solution"],
    "get": lambda agent, _, obj, name: getattr(obj, name),
    "set": lambda agent, _, obj, name, value: setattr(obj, name, value),
    "dir": lambda agent, _, obj: [name for name in dir(obj) if type(name) is str],
    "del": lambda agent, _, obj, name: delattr(obj, name),
    "call": Agent._call,
    "special": Agent._special,
    "next": Agent._next,
    "copy": lambda agent, _, obj, deep: copy.deepcopy(obj) if deep else copy.copy(obj),
    "backward": Agent._backward,
    "push": Agent._push,
    "send": Agent._source,
}
