"""Follow the axes of tensors through one forward pass: which are the same axis, and which hold channels.

Modules and functions whose axes are known (a convolution, a linear layer, a norm) say where the channels are. What
comes between them (activations, sums, transposes, means over some axes) says which axis of a result is which axis of
its operands. An operation that is not known here breaks the thread: its result is of unknown axes, never of wrong ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Axis = tuple[int, int]
"""A tensor, by its number in the pass, and the position of an axis in it."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set of names."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Step:
    """The operation that made a tensor of one other alone."""

    name: str
    source: int
    """The number of the other tensor."""


@dataclass(frozen=True)
class Call:
    """One operation as it was run, or a layer of a program, whose operations cannot be seen."""

    name: str
    args: Sequence[object]
    kwargs: Mapping[str, object]
    operands: tuple[Tensor, ...]
    numbers: tuple[int, ...]
    """Of the operands."""
    made: Tensor
    number: int
    """Of what it made."""
    place: int = 0
    """Of that among all that it returned."""
    is_module: bool = False


def _is_dense(value: Tensor) -> bool:
    """Return whether a tensor has axes and numbers that can be looked at; a nested or a sparse one has not."""
    return not value.is_nested and value.layout == torch.strided and not value.is_meta


class Flow:
    """The tensors of one forward pass, and what is known of their axes."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets the id of one that is gone
        self._parent: dict[Axis, Axis] = {}
        self._channels: dict[Axis, list[str]] = {}
        self._said: dict[Axis, str] = {}
        self._steps: dict[int, Step] = {}
        self.calls: list[Call] = []
        """The operations of the pass, in their order."""
        self.takers: dict[int, str] = {}
        """The first module that took a tensor, by its number."""
        self.made_by: dict[int, list[str]] = {}
        """Names of the modules that returned a tensor, by its number, the innermost first."""
        self.directions: dict[int, int] = {}
        """Directions of a recurrent layer's last state, (layers · directions, n, d), by its number."""
        self.padding: list[tuple[Tensor, int]] = []
        """What an embedding was given, and which token it takes for padding."""
        self.tokens: list[Tensor] = []
        """What embeddings were given."""

    def number(self, value: Tensor) -> int:
        """Return the number of a tensor; a new one if it was not seen before."""
        key = id(value)
        if key not in self._numbers:
            self._numbers[key] = len(self._kept)
            self._kept.append(value)
        return self._numbers[key]

    def knows(self, value: Tensor) -> bool:
        """Return whether an operation or a module was seen to take or make this tensor."""
        return id(value) in self._numbers

    def changed(self, value: Tensor) -> None:
        """Note that a tensor was changed in place by something unknown: it may have other axes now."""
        self._numbers.pop(id(value), None)

    def like(self, value: Tensor) -> Tensor | None:
        """Return a tensor seen before that holds the very same numbers, not all alike; programs hand on copies."""
        if not _is_dense(value):
            return None
        for other in filter(_is_dense, reversed(self._kept)):
            if other.shape == value.shape and other.dtype == value.dtype and torch.equal(other, value):
                flat = value.flatten()
                return other if value.numel() > 1 and bool((flat != flat[0]).any()) else None
        return None

    def same(self, one: Tensor, axis: int, other: Tensor, other_axis: int) -> None:
        """Note that an axis of one tensor is an axis of another, whole or in part."""
        a, b = self._root(self._axis(one, axis)), self._root(self._axis(other, other_axis))
        if a != b:
            self._parent[a] = b
            self._channels[b] = [*dict.fromkeys(self._channels.pop(a, []) + self._channels.get(b, []))]

    def aligned(self, one: Tensor, other: Tensor) -> None:
        """Note that two tensors have the same axes, counted from the last one, wherever these are as long."""
        for axis in range(-1, -min(one.ndim, other.ndim) - 1, -1):
            if one.shape[axis] == other.shape[axis]:
                self.same(one, axis, other, axis)

    def note(
        self,
        name: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        operands: Sequence[Tensor],
        made: Sequence[Tensor],
        *,
        is_module: bool = False,
    ) -> None:
        """Note an operation, and what it made."""
        numbers = tuple(map(self.number, operands))
        for place, one in enumerate(made):
            own = self.number(one)
            self.calls.append(Call(name, args, kwargs, tuple(operands), numbers, one, own, place, is_module))

    def channels(self, value: Tensor, axis: int, source: str) -> None:
        """Note that an axis holds channels, and who says so."""
        own = self._axis(value, axis)
        self._said[own] = source
        root = self._root(own)
        self._channels[root] = [*dict.fromkeys([*self._channels.get(root, []), source])]

    def step(self, result: Tensor, name: str, source: Tensor) -> None:
        """Note what made a tensor of one other alone."""
        if result is not source:
            self._steps[self.number(result)] = Step(name, self.number(source))

    def channel_axes(self, value: Tensor) -> dict[int, list[str]]:
        """Return the axes of a tensor that hold channels, and who says so, its own maker first."""
        if not self.knows(value):
            return {}
        axes = {axis: self._axis(value, axis) for axis in range(value.ndim)}
        found = {axis: self._channels.get(self._root(own), []) for axis, own in axes.items()}
        return {axis: [self._said.get(axes[axis], sources[0]), *sources] for axis, sources in found.items() if sources}

    def are_same(self, one: Tensor, axis: int, other: Tensor, other_axis: int) -> bool:
        """Return whether two axes are known to be the same."""
        return self._root(self._axis(one, axis)) == self._root(self._axis(other, other_axis))

    def history(self, value: Tensor) -> Iterator[tuple[int, str]]:
        """Yield the tensors that this one was made of, one after the other, with the operation that came after each."""
        number, seen = self.number(value), set()
        while number in self._steps and number not in seen:
            seen.add(number)
            step = self._steps[number]
            yield step.source, step.name
            number = step.source

    def _axis(self, value: Tensor, axis: int) -> Axis:
        return self.number(value), axis % value.ndim

    def _root(self, axis: Axis) -> Axis:
        while axis in self._parent:
            axis = self._parent[axis]
        return axis


Told = Callable[[Flow, nn.Module, str, tuple[object, ...], object], None]
"""What is called after each module: the flow, the module, its name, what it took and what it returned."""
Operation = Callable[[Flow, str, Sequence[object], Mapping[str, object], object], None]
"""What is called after each function of torch's: the flow, its name, its arguments, and its result."""


class _Functions(TorchFunctionMode):
    """Tells a flow of every function of torch's that runs in a block."""

    def __init__(self, flow: Flow, operation: Operation) -> None:
        super().__init__()
        self._flow, self._operation = flow, operation

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function, and note what is known of it."""
        result = func(*args, **(kwargs or {}))
        name = str(getattr(func, "__name__", "")).partition(".")[0].strip("_")
        given = [one for one in (*args, *(kwargs or {}).values(), result) if isinstance(one, Tensor)]
        if all(map(_is_dense, given)):
            self._operation(self._flow, name, args, kwargs or {}, result)
        return result


@contextmanager
def watching(model: nn.Module, told: Told, operation: Operation) -> Iterator[Flow]:
    """Follow the axes in the forward passes of a block; it is for one pass of few rows."""
    flow = Flow()
    handles = [
        module.register_forward_hook(
            lambda module, args, kwargs, output, name=name: told(flow, module, name, (*args, *kwargs.values()), output),
            with_kwargs=True,
        )
        for name, module in model.named_modules()
    ]
    try:
        with _Functions(flow, operation):
            yield flow
    finally:
        for handle in handles:
            handle.remove()
