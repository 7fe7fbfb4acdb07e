"""Gradients through the wall, the guest's half: graphs stay here, the judge holds ends of them.

A tensor that comes over with `requires_grad` becomes a leaf here. A tensor that goes over with a graph stays here
under a handle, and the judge is told which leaves it knows that graph to end in. Nothing of torch is imported: if the
runtime has it, it is in sys.modules.
"""

from __future__ import annotations

import sys
from typing import Any

from sandbox.guest.objects import Objects


class Gradients:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._inputs: dict[int, tuple[int, Any]] = {}  # id(leaf) -> (the judge's number, the leaf itself)
        self._by_number: dict[int, Any] = {}

    def forget(self) -> None:
        """Forget the leaves of earlier tests; graphs that still use them keep them alive."""
        self._inputs.clear()
        self._by_number.clear()

    def take(self, number: int, value: Any, parameter: bool) -> Any:
        """A tensor of the judge's that wants a gradient, as a leaf."""
        leaf = sys.modules["torch"].nn.Parameter(value) if parameter else value.requires_grad_(True)
        self._inputs[id(leaf)] = (number, leaf)
        self._by_number[number] = leaf
        return leaf

    def tell(self, tensor: Any) -> tuple[str, Any]:
        """How a tensor crosses: as a plain value, as a leaf that can be written to, or as the end of a graph."""
        torch = sys.modules["torch"]
        with torch._C.DisableTorchFunctionSubclass():  # a subclass may have its own idea of detach()
            return self._tell(torch, tensor)

    def _tell(self, torch: Any, tensor: Any) -> tuple[str, Any]:
        plain = tensor.detach().as_subclass(torch.Tensor)
        parameter = isinstance(tensor, torch.nn.Parameter)
        if not tensor.requires_grad and not parameter:
            return "plain", plain
        handle, _ = self._objects.refer(tensor)
        if tensor.grad_fn is None:
            grad = None if tensor.grad is None else tensor.grad.detach().as_subclass(torch.Tensor)
            told = {"handle": handle, "value": plain, "grad": grad, "parameter": parameter}
            return "leaf", told | {"wants": tensor.requires_grad}
        return "graph", {"handle": handle, "value": plain, "ends": [end for end, _ in self._ends(tensor) if end]}

    def backward(self, tensor: Any, grad: Any, ends: list[Any], accumulate: bool, create_graph: bool) -> list[Any]:
        """Gradients of `ends`, as `torch.autograd.grad` gives them, and what each had in `.grad` before.

        With `accumulate` the guest's own leaves get theirs added to `.grad`, as `Tensor.backward` does.
        """
        torch = sys.modules["torch"]
        leaves = [self._leaf(end) for end in ends]
        given = {id(leaf) for leaf in self._by_number.values()}
        rest = [leaf for _, leaf in self._ends(tensor) if id(leaf) not in given] if accumulate else []
        earlier = [None if leaf.grad is None else leaf.grad.detach() for leaf in leaves]
        targets = leaves + rest
        if not targets:
            return [[], []]
        grads = torch.autograd.grad(
            tensor, targets, grad, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
        for leaf, slope in zip(rest, grads[len(leaves) :], strict=True):
            if slope is not None:
                leaf.grad = slope if leaf.grad is None else leaf.grad + slope
        return [list(grads[: len(leaves)]), earlier]

    def push(self, leaf: Any, value: Any, grad: Any, wants: bool) -> None:
        """The judge changed its copy of a leaf in place (an optimizer's step, say): the same here."""
        leaf.data.copy_(value)
        leaf.grad = grad
        leaf.requires_grad_(wants)

    def _leaf(self, end: tuple[str, int]) -> Any:
        where, number = end
        return self._by_number[number] if where == "input" else self._objects.object(number)

    def _ends(self, tensor: Any) -> list[tuple[Any, Any]]:
        """The leaves of the tensor's graph, each with the name that the judge knows it by, if any."""
        found: dict[int, tuple[Any, Any]] = {}
        seen, stack = set(), [tensor.grad_fn]
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if (leaf := getattr(node, "variable", None)) is not None:
                found[id(leaf)] = (self._name(leaf), leaf)
            stack.extend(next_node for next_node, _ in node.next_functions)
        return list(found.values())

    def _name(self, leaf: Any) -> tuple[str, int] | None:
        if id(leaf) in self._inputs:
            return "input", self._inputs[id(leaf)][0]
        handle = self._objects.known(leaf)
        return None if handle is None else ("leaf", handle)
