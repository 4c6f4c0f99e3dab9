"""Find a model's layers and tap them, leaving the model as it was found.

A layer is named as in `model.named_modules()`: `avgpool` is the output of that module, `fc:input` is its
input, `lstm[0]` is the first part of an output that is a tuple, and `logits` is the output of the model.
The suggested bottleneck is the input of the last linear layer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from audit.errors import BottleneckError, UnknownNameError

Pool = Literal["mean", "flatten", "first"]
"""How (n, c, h, w) maps and (n, t, d) tokens become one row: their mean over positions, all of it, or the first
token, which is where a transformer with a class token keeps its summary."""
OUTPUT = "logits"
"""The output of the model, unless it has a module of that name."""
PLACE = re.compile(r"(?P<module>[^:\[\]]*)(?P<colon>:(?P<side>[^\[\]]*))?(?P<elements>(?:\[[^\[\]]+\])*)")


@dataclass(frozen=True)
class Layer:
    """One module as seen in one forward pass."""

    name: str
    kind: str
    shape: tuple[int, ...] | None
    """Of its output without the batch dimension; None where it returns no single tensor."""
    fired: int
    """How often it ran in one pass; only a layer that ran once can be tapped."""
    order: int
    """Its place among the runs of all layers, by the last time that it ended; -1 where it never ran."""

    @property
    def width(self) -> int | None:
        """Return the features a row after mean pooling: c of (c, h, w), d of (t, d) and of (d,)."""
        return self.shape[0 if len(self.shape) > 2 else -1] if self.shape else None


@dataclass(frozen=True)
class Place:
    """The place in a model that a layer's name points to."""

    module: str
    side: Literal["input", "output"]
    elements: tuple[str, ...]
    """Positions or keys in the tuples and mappings at that place, outermost first."""


class Taps:
    """The values at the tapped layers in the last forward pass."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: dict[str, list[object]] = {}
        self._rows: int | None = None

    def enter(self, given: Sequence[object]) -> None:
        """Note how many rows the model is given."""
        first = next((value for value in given if isinstance(value, Tensor) and value.ndim), None)
        self._rows = None if first is None else len(first)

    def record(self, name: str, value: object) -> None:
        """Keep a value that a hook was given. Raises BottleneckError if the name points to a part that is not there."""
        value = _picked(name, value, parse(name).elements)
        # a copy, because a ReLU in place would change it before the pass is over
        self._seen[name].append(value.clone() if isinstance(value, Tensor) else value)

    def expect(self, names: Sequence[str]) -> None:
        """Forget the last pass and wait for the next one."""
        self._seen = {name: [] for name in names}

    def take(self) -> dict[str, Tensor]:
        """Return each layer's representations, (n, d), attached to the graph, and wait for the next pass.

        Raises BottleneckError if a layer did not run once, or gave no floats or not one row an input.
        """
        features = {}
        for name, values in self._seen.items():
            if len(values) != 1:
                raise BottleneckError(
                    f"Layer {name!r} ran {len(values)} times in one forward pass; a bottleneck runs exactly once. "
                    "Choose another: irene layers lists how often each fires."
                )
            features[name] = _pooled(name, values[0], self._pool)
            if self._rows is not None and len(features[name]) != self._rows:
                raise BottleneckError(
                    f"Layer {name!r} gives {len(features[name])} rows for {self._rows} inputs; a bottleneck gives one "
                    "row an input. Choose another."
                )
        self.expect(list(self._seen))
        return features


@contextmanager
def tap(model: nn.Module, names: Sequence[str], *, pool: Pool = "mean") -> Iterator[Taps]:
    """Hook the named layers for the length of a block.

    Raises UnknownNameError for a layer that is not there; BottleneckError when values are taken that are no features.
    """
    modules = dict(model.named_modules())
    taps = Taps(pool)
    handles = []
    try:
        handles.append(model.register_forward_pre_hook(lambda _model, given: taps.enter(given)))
        for name in dict.fromkeys(names):
            place = parse(name)
            if place.module == OUTPUT and OUTPUT not in modules:
                if place.side == "input":
                    raise BottleneckError(f"Layer {name!r} is the model's own input. Name {OUTPUT!r} or a layer.")
                handles.append(_hook(model, name, "output", taps))
            elif place.module not in modules or not place.module:
                raise UnknownNameError("layer", place.module, [*(known for known in modules if known), OUTPUT])
            else:
                handles.append(_hook(modules[place.module], name, place.side, taps))
        taps.expect(names)
        yield taps
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode for a block, and each back into its own mode after it."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def require_evaluating(model: nn.Module) -> None:
    """Raise a BottleneckError if a module is in train mode after a pass inside `evaluating`: the model put it there."""
    switched = next((name for name, module in model.named_modules() if module.training), None)
    if switched is not None:
        raise BottleneckError(
            f"The model puts {repr(switched) if switched else 'itself'} in train mode during its forward pass, so what "
            "a row gives depends on chance and on the rows beside it. Take that out of its forward()."
        )


def parse(name: str) -> Place:
    """Read a layer's name: `module`, `module:input` or `module:output`, and `[…]` for parts of a tuple or mapping."""
    found = PLACE.fullmatch(name)
    if found is None:
        raise BottleneckError(f"Layer {name!r} cannot be read. Write for instance 'fc', 'fc:input' or 'lstm[1][0]'.")
    module, side = found["module"], found["side"]
    if side not in (None, "", "input", "output"):
        raise BottleneckError(f"Layer {name!r} ends in {side!r}. Write {module!r} for its output or '{module}:input'.")
    elements = tuple(re.findall(r"\[([^\[\]]+)\]", found["elements"]))
    return Place(module, "input" if side == "input" else "output", elements)


def layers(model: nn.Module, x: Tensor) -> list[Layer]:
    """List every named module with the shape of its output for the batch `x`, (n, …), in order of definition."""
    named = {name: module for name, module in model.named_modules() if name}
    shapes: dict[str, list[tuple[int, ...] | None]] = {name: [] for name in named}
    ended: list[str] = []

    def note(name: str, value: object) -> None:
        shapes[name].append(tuple(value.shape[1:]) if isinstance(value, Tensor) else None)
        ended.append(name)

    handles = [
        module.register_forward_hook(lambda _m, _i, output, name=name: note(name, output))
        for name, module in named.items()
    ]
    try:
        with evaluating(model), torch.inference_mode():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    order = {name: place for place, name in enumerate(ended)}
    return [
        Layer(name, type(module).__name__, next(iter(seen), None), len(seen), order.get(name, -1))
        for (name, module), seen in zip(named.items(), shapes.values(), strict=True)
    ]


def suggest(model: nn.Module, x: Tensor) -> str:
    """Return the usual bottleneck, the input of the linear layer that runs last, or raise a BottleneckError."""
    modules = dict(model.named_modules())
    ran = [
        layer
        for layer in layers(model, x)
        # in a program a stand-in has the name of the layer's class alone
        if layer.fired == 1 and (layer.kind == "Linear" or isinstance(modules[layer.name], nn.Linear))
    ]
    if not ran:
        raise BottleneckError(
            "The model has no linear layer that runs once, so no bottleneck can be suggested. "
            "Name one with --layer; irene layers lists them."
        )
    return f"{max(ran, key=lambda layer: layer.order).name}:input"


def _hook(module: nn.Module, name: str, side: str, taps: Taps) -> RemovableHandle:
    if side == "input":
        return module.register_forward_pre_hook(lambda _module, given: taps.record(name, given[0] if given else None))
    return module.register_forward_hook(lambda _module, _given, output: taps.record(name, output))


def _picked(name: str, value: object, elements: Sequence[str]) -> object:
    """Return the named part of nested tuples and mappings."""
    for element in elements:
        if isinstance(value, Mapping):
            known = [str(key) for key in value]
            found = next((value[key] for key in value if str(key) == element), None)
        elif isinstance(value, tuple | list):
            known = [str(place) for place in range(len(value))]
            number = int(element) if re.fullmatch(r"-?\d+", element) else len(value)
            found = value[number] if -len(value) <= number < len(value) else None
        else:
            raise BottleneckError(
                f"Layer {name!r} gives {_kind(value)} where it is to have parts. Leave [{element}] out."
            )
        if found is None:
            raise BottleneckError(f"Layer {name!r} has no part [{element}]. Choose among {', '.join(known)}.")
        value = found
    return value


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {value.dtype} tensor of {value.ndim} dimensions"
    parts = f" of {len(value)}" if isinstance(value, tuple | list | Mapping) else ""
    return f"a {type(value).__name__}{parts}"


def _pooled(name: str, value: object, pool: Pool) -> Tensor:
    if isinstance(value, tuple | list | Mapping) and value:
        first = next(iter(value)) if isinstance(value, Mapping) else 0
        raise BottleneckError(f"Layer {name!r} gives {_kind(value)}; name an element, for instance '{name}[{first}]'.")
    if isinstance(value, Tensor) and value.ndim == 1 and parse(name).module == OUTPUT:
        value = value.unsqueeze(1)  # one score a row
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim < 2:
        raise BottleneckError(
            f"Layer {name!r} gives {_kind(value)}; a bottleneck gives floats, (n, d) or more. Choose another."
        )
    if pool == "first" and value.ndim > 3:
        raise BottleneckError(
            f"Layer {name!r} gives maps of shape {list(value.shape[1:])}, which have no first token. Pool them by "
            "mean or flatten."
        )
    if value.ndim == 3 and pool == "first":
        return value[:, 0]  # (n, t, d) -> (n, d)
    if value.ndim == 3 and pool == "mean":
        return value.mean(dim=1)  # (n, t, d) -> (n, d)
    if value.ndim > 3 and pool == "mean":
        return value.flatten(2).mean(dim=2)  # (n, c, …) -> (n, c)
    return value.flatten(1)
