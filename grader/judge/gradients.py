"""Gradients through the wall, the judge's half.

A tensor with a graph in the guest arrives as the output of a custom `torch.autograd.Function`, whose inputs are the
judge's own tensors that the graph ends in. Its backward asks the guest for the gradients. Backward passes can be
recorded themselves (`create_graph=True`), since what the guest answers then has a graph too and arrives the same way.

A leaf of the guest's (a parameter) is one tensor here for as long as the suite holds it. What the suite changes in
it in place, an optimizer's step or `p.grad = None`, is pushed to the guest before the next request.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sandbox.codec import CodecError

if TYPE_CHECKING:
    from grader.judge.session import Session


_OURS = 2  # references to a leaf's tensor that are ours: the attribute's, and the argument's while they are counted


class _Leaf:
    """A parameter of the guest's, and what both sides last agreed that it is.

    Held here until a request finds that nobody else holds it and that it is unchanged: `model.weight.data.fill_(1)`
    changes a tensor that nobody holds, and so does an optimizer's last step before it goes out of scope. The values
    are compared, since a change through `.data` leaves no other trace.
    """

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        self.agree()

    def agree(self) -> None:
        self._value = self.tensor.detach().clone()
        self._wants = self.tensor.requires_grad
        self._grad = self._grad_state(self.tensor)

    def changed(self) -> bool:
        tensor = self.tensor
        same = sys.modules["torch"].equal(tensor.detach(), self._value)
        return not same or self._grad != self._grad_state(tensor) or self._wants != tensor.requires_grad

    def alone(self) -> bool:
        """Whether neither the suite nor a graph of torch's holds it."""
        return sys.getrefcount(self.tensor) <= _OURS and self.tensor._use_count() <= 1

    @staticmethod
    def _grad_state(tensor: Any) -> tuple[int, int] | None:
        return None if tensor.grad is None else (id(tensor.grad), tensor.grad._version)


class Gradients:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._inputs: dict[int, Any] = {}
        self._leaves: dict[int, _Leaf] = {}
        self._numbers = 0
        self._function: Any = None
        self._anchor: Any = None

    def reset(self) -> None:
        """A fresh guest knows none of this."""
        self._inputs.clear()
        self._leaves.clear()

    def forget(self) -> None:
        """The next test: what earlier tests passed in ends no graph any more."""
        self._inputs.clear()

    def outward(self, tensor: Any) -> tuple[str, Any]:
        """How a tensor of the judge's that wants a gradient crosses."""
        torch = sys.modules["torch"]
        for handle, leaf in self._leaves.items():
            if leaf.tensor is tensor:
                return "far", handle
        self._numbers += 1
        self._inputs[self._numbers] = tensor
        parameter = isinstance(tensor, torch.nn.Parameter)
        return "input", (self._numbers, tensor.detach().as_subclass(torch.Tensor), parameter)

    def leaf(self, told: dict[str, Any]) -> Any:
        """A parameter of the guest's: the same tensor as before, brought up to date."""
        torch = sys.modules["torch"]
        value, grad, handle = told["value"], told["grad"], told["handle"]
        _check_tensors(value, *([] if grad is None else [grad]))
        known = self._leaves.get(handle)
        if known is None or known.tensor.shape != value.shape or known.tensor.dtype != value.dtype:
            made = torch.nn.Parameter(value) if told["parameter"] is True else value.requires_grad_(True)
            known = self._leaves[handle] = _Leaf(made)
        else:
            known.tensor.data.copy_(value)
        known.tensor.requires_grad_(told["wants"] is True)
        known.tensor.grad = grad
        known.agree()
        return known.tensor

    def graph(self, told: dict[str, Any]) -> Any:
        """The end of a graph of the guest's, as a tensor with a `grad_fn` of ours."""
        torch = sys.modules["torch"]
        value = told["value"]
        _check_tensors(value)
        near = [(end, self._near(end)) for end in _exact_list(told["ends"])]
        ends = [(end, tensor) for end, tensor in near if tensor is not None]
        if self._function is None:
            self._function, self._anchor = _through_the_wall(), torch.zeros((), requires_grad=True)
        held = self._session.inward.hold(told["handle"])
        with torch.enable_grad():
            return self._function.apply((self, held, ends), value, self._anchor, *(tensor for _, tensor in ends))

    def backward(self, held: Any, ends: list[tuple[Any, Any]], grad: Any, accumulate: bool) -> list[Any]:
        """The gradients of the ends (name and tensor of each): tensors of the ends' shapes, or None."""
        create_graph = sys.modules["torch"].is_grad_enabled()
        names = [name for name, _ in ends]
        match self._session.request("backward", held, grad, names, accumulate, create_graph):
            case [list() as slopes, list() as earlier] if len(slopes) == len(earlier) == len(ends):
                pass
            case _:
                raise RuntimeError("the gradients that came back do not fit what was asked for")
        for (_, tensor), slope, grad_before in zip(ends, slopes, earlier, strict=True):
            if not all(fits is None or getattr(fits, "shape", None) == tensor.shape for fits in (slope, grad_before)):
                raise RuntimeError("a gradient came back in the wrong shape")
        if accumulate:
            self._catch_up(ends, earlier)
        return slopes

    @staticmethod
    def _catch_up(ends: list[tuple[Any, Any]], earlier: list[Any]) -> None:
        """What the guest's parameters had in `.grad` before this pass; the engine is about to add to ours."""
        for (name, tensor), grad in zip(ends, earlier, strict=True):
            if name[0] == "leaf":
                tensor.grad = grad

    def push_changes(self) -> None:
        """Tell the guest what the suite changed in its parameters since the last request."""
        changed = []
        for handle, leaf in list(self._leaves.items()):
            if leaf.changed():
                leaf.agree()
                now = [leaf.tensor.detach().clone(), leaf.tensor.grad, leaf.tensor.requires_grad]
                changed.append([self._session.inward.named(handle), *now])
            elif leaf.alone():
                del self._leaves[handle]
                self._session.inward.release(handle)
        if changed:
            self._session.request("push", changed)

    def _near(self, end: Any) -> Any:
        match end:
            case ("input", int() as number):
                return self._inputs.get(number)
            case ("leaf", int() as handle):
                leaf = self._leaves.get(handle)
                return None if leaf is None else leaf.tensor
        return None


def _check_tensors(*values: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is None or any(type(value) is not torch.Tensor for value in values):
        raise CodecError("a tensor that is none")


def _exact_list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise CodecError("a list that is none")
    return value


def _through_the_wall() -> Any:
    """The autograd function, made when torch is there."""
    import torch

    class ThroughTheWall(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, far: tuple[Gradients, Any, list[Any]], value: Any, anchor: Any, *near: Any) -> Any:
            ctx.gradients, ctx.held, ctx.ends = far
            return value.view_as(value)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            # `.backward()` runs every leaf's accumulation, `autograd.grad` only what it was asked for: the anchor, a
            # leaf of ours that nobody asks for, tells which of the two this is. Inputs here: value, anchor, near.
            accumulate = bool(torch._C._will_engine_execute_node(ctx.next_functions[1][0]))
            grads = ctx.gradients.backward(ctx.held, ctx.ends, grad, accumulate)
            return None, None, None, *grads

    return ThroughTheWall
