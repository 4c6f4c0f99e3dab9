"""Find a model's layers and tap them, leaving the model as it was found.

A layer is named as in `model.named_modules()`: `avgpool` is what that module returns, `fc:input` is what
it is given. The suggested bottleneck is the input of the last linear layer.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from audit.errors import BottleneckError, UnknownNameError

Pool = Literal["mean", "flatten"]
"""How (n, c, h, w) maps and (n, t, d) tokens become one row: their mean over positions, or all of it."""


@dataclass(frozen=True)
class Layer:
    """One module as seen in one forward pass."""

    name: str
    kind: str
    """The module's class."""
    shape: tuple[int, ...] | None
    """Of its output without the batch dimension; None where it returns no single tensor."""
    fired: int
    """How often it ran in one pass; only a layer that ran once can be tapped."""
    order: int
    """Its place among the runs of all layers, by the last time that it ended; -1 where it never ran."""


class Taps:
    """What the tapped layers gave in the last forward pass."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: dict[str, list[Any]] = {}

    def record(self, name: str, value: Any) -> None:
        """Keep what a hook saw."""
        # a copy, because a ReLU in place would change it before the pass is over
        self._seen[name].append(value.clone() if isinstance(value, Tensor) else value)

    def expect(self, names: Sequence[str]) -> None:
        """Forget the last pass and wait for the next one."""
        self._seen = {name: [] for name in names}

    def take(self) -> dict[str, Tensor]:
        """Return each layer's features, (n, d), attached to the graph, and wait for the next pass.

        Raises:
            BottleneckError: A layer ran never or more than once, or gave no tensor of floats.
        """
        features = {}
        for name, values in self._seen.items():
            if len(values) != 1:
                raise BottleneckError(
                    f"Layer {name!r} ran {len(values)} times in one forward pass; a bottleneck runs exactly once. "
                    "Choose another: irene layers lists how often each fires."
                )
            features[name] = _pooled(name, values[0], self._pool)
        self.expect(list(self._seen))
        return features


@contextmanager
def tap(model: nn.Module, names: Sequence[str], *, pool: Pool = "mean") -> Iterator[Taps]:
    """Hook the named layers for the length of a block.

    Raises:
        UnknownNameError: The model has no such layer.
        BottleneckError: A hooked layer cannot give features (when they are taken).
    """
    modules = dict(model.named_modules())
    taps = Taps(pool)
    handles = []
    try:
        for name in dict.fromkeys(names):
            module_name, side = split(name)
            if module_name not in modules or not module_name:
                raise UnknownNameError("layer", module_name, [known for known in modules if known])
            handles.append(_hook(modules[module_name], name, side, taps))
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


def split(name: str) -> tuple[str, str]:
    """Return the module's dotted name and the side of it that is meant, `output` or `input`.

    Raises:
        BottleneckError: The part behind the colon is neither.
    """
    module, _, side = name.partition(":")
    if side not in ("", "input", "output"):
        raise BottleneckError(f"Layer {name!r} ends in {side!r}. Write {module!r} for its output or '{module}:input'.")
    return module, side or "output"


def layers(model: nn.Module, x: Tensor) -> list[Layer]:
    """List every named module with what it gives for the batch `x`, (n, …), in order of definition."""
    named = {name: module for name, module in model.named_modules() if name}
    shapes: dict[str, list[tuple[int, ...] | None]] = {name: [] for name in named}
    ended: list[str] = []

    def note(name: str, value: Any) -> None:
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
        Layer(
            name,
            type(module).__name__,
            shapes[name][0] if shapes[name] else None,
            len(shapes[name]),
            order.get(name, -1),
        )
        for name, module in named.items()
    ]


def suggest(model: nn.Module, x: Tensor) -> str:
    """Return the name of the input of the linear layer that runs last, the usual bottleneck.

    Raises:
        BottleneckError: No linear layer runs exactly once.
    """
    modules = dict(model.named_modules())
    ran = [layer for layer in layers(model, x) if layer.fired == 1 and isinstance(modules[layer.name], nn.Linear)]
    if not ran:
        raise BottleneckError(
            "The model has no linear layer that runs once, so no bottleneck can be suggested. "
            "Name one with --layer; irene layers lists them."
        )
    return f"{max(ran, key=lambda layer: layer.order).name}:input"


def _hook(module: nn.Module, name: str, side: str, taps: Taps) -> Any:
    if side == "input":
        return module.register_forward_pre_hook(lambda _module, given: taps.record(name, given[0] if given else None))
    return module.register_forward_hook(lambda _module, _given, output: taps.record(name, output))


def _pooled(name: str, value: Any, pool: Pool) -> Tensor:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim < 2:
        kind = (
            f"a {value.dtype} tensor of {value.ndim} dimensions"
            if isinstance(value, Tensor)
            else f"a {type(value).__name__}"
        )
        raise BottleneckError(
            f"Layer {name!r} gives {kind}; a bottleneck gives floats, (n, d) or more. Choose another."
        )
    if value.ndim == 3 and pool == "mean":
        return value.mean(dim=1)  # (n, t, d) -> (n, d)
    if value.ndim > 3 and pool == "mean":
        return value.flatten(2).mean(dim=2)  # (n, c, …) -> (n, c)
    return value.flatten(1)
