"""Tap a model's layers, and find out which axis of what they give is what, leaving the model as it was found.

A layer is named as in `model.named_modules()`: `avgpool` is the output of that module, `fc:input` is its
input, `lstm[0]` is the first part of an output that is a tuple, and `logits` is the output of the model.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from audit.data.model_input import ModelInput, odd, parts
from audit.errors import BottleneckError, UnknownNameError
from audit.model.structure.call import arguments, named
from audit.model.structure.layout import (
    MASK,
    NAMED,
    Layout,
    Pool,
    Pooling,
    Tokens,
    has_positions,
    pooled,
    unknown_axes,
)
from audit.model.structure.listing import OUTPUT, Seen, watch
from audit.model.structure.outputs import tensors
from audit.model.structure.positions import LEAVES, fate_of

SIZES = (2, 3)
"""Rows of the batches that show which axis holds the rows."""
PLACE = re.compile(r"(?P<module>[^:\[\]]*)(?P<colon>:(?P<side>[^\[\]]*))?(?P<elements>(?:\[[^\[\]]+\])*)")


@dataclass(frozen=True)
class Place:
    """The place in a model that a layer's name points to."""

    module: str
    side: Literal["input", "output"]
    elements: tuple[str, ...]
    """Positions or keys in the tuples and mappings at that place, outermost first."""


class Taps:
    """The values at the tapped layers in the last forward pass."""

    def __init__(self, pooling: Pooling) -> None:
        self._pooling = pooling
        self._seen: dict[str, list[object]] = {}
        self._rows: int | None = None
        self._filled: Tensor | None = None

    def enter(self, given: Mapping[str, object]) -> None:
        """Note how many rows the model is given, by the names of its arguments, and which tokens are padding."""
        first = next((value for value in given.values() if isinstance(value, Tensor) and value.ndim), None)
        self._rows = None if first is None else len(first)
        self._filled = self._pooling.filled(given)

    def record(self, name: str, value: object) -> None:
        """Keep a value that a hook was given. Raises BottleneckError if the name points to a part that is not there."""
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
            features[name] = _vectors(name, values[0], self._pooling, self._filled)
            if self._rows is not None and len(features[name]) != self._rows:
                raise BottleneckError(
                    f"Layer {name!r} gives {len(features[name])} rows for {self._rows} inputs; a bottleneck gives one "
                    "row an input. Choose another."
                )
        self.expect(list(self._seen))
        return features


@contextmanager
def tap(model: nn.Module, names: Sequence[str], pooling: Pooling | None = None) -> Iterator[Taps]:
    """Hook the named layers for the length of a block.

    Raises UnknownNameError for a layer that is not there; BottleneckError when values are taken that are no features.
    """
    taps = Taps(pooling or Pooling())
    entered = model.register_forward_pre_hook(
        lambda _model, args, kwargs: taps.enter(named(model, args, kwargs)), with_kwargs=True
    )
    try:
        with _hooked(model, names, taps.record):
            taps.expect(names)
            yield taps
    finally:
        entered.remove()


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


def lay_out(
    model: nn.Module,
    x: ModelInput,
    names: Sequence[str],
    pool: Pool = "mean",
    *,
    fixed_batch: int | None = None,
    output: str | None = None,
) -> tuple[Pooling, Seen]:
    """Find out which axis of the values at the named layers is what, and which token is padding.

    The model is run on batches like x, (n, …), of two sizes: the axis whose length changes holds the rows. A model
    of one batch size can be asked once. The last pass is returned, too, with the named part of the model's output.

    Raises:
        BottleneckError: A layer does not give one row an input, nothing says which axis holds its channels, or what
            says so contradicts the user. What cannot be tapped at all is left to the pass itself.
    """
    passes: list[tuple[int, dict[str, list[object]]]] = []
    for size in (fixed_batch,) if fixed_batch else SIZES:
        values: dict[str, list[object]] = {name: [] for name in names}

        def record(name: str, value: object, values: dict[str, list[object]] = values) -> None:
            values[name].append(value)

        with _hooked(model, names, record):
            seen = watch(model, x, size, output)
        passes.append((size, values))
    layouts = {}
    for name in dict.fromkeys(names):
        found = [(size, values[name][0]) for size, values in passes if len(values[name]) == 1]
        made = [(size, value) for size, value in found if isinstance(value, Tensor) and value.ndim > 1]
        if len(made) == len(passes):
            layouts[name] = _layout(name, made, seen, pool)
    texts = [tokens for tokens in seen.flow.tokens if tokens.ndim == 2 and tokens.shape[1] > 1]
    given = parts(seen.x)
    text = next((name for name, one in given.items() if any(_alike(tokens, one) for tokens in texts)), None)
    part = any(len(tokens) == seen.rows for tokens in texts)
    paddings = [token for tokens, token in seen.flow.padding if text is not None and _alike(tokens, given[text])]
    where: Tokens = "all" if text is not None else "a part" if part else "unseen"
    mask = named(model, *arguments(model, seen.x)).get(MASK)
    masked = isinstance(mask, Tensor) and mask.ndim == 2
    return Pooling(pool, layouts, next(iter(paddings), None), where, text or "", masked), seen


def _alike(tokens: Tensor, x: Tensor) -> bool:
    """Return whether two tensors hold the same numbers, whatever their types."""
    return tokens.shape == x.shape and bool((tokens == x).all())


def _layout(name: str, made: Sequence[tuple[int, Tensor]], seen: Seen, pool: Pool) -> Layout:
    """Return the layout of the values of one layer for batches of some sizes, of which the last was watched."""
    value, flow, word = made[-1][1], seen.flow, NAMED.get(pool)
    shape = tuple(value.shape)
    rows = _rows(name, made, seen)
    if state := flow.directions.get(flow.number(value)):
        return Layout(rows, directions=state, shape=shape)
    if pool == "flatten" or value.ndim == 2 or not has_positions(shape, rows):
        return Layout(rows, shape=shape)
    known = {axis: sources for axis, sources in flow.channel_axes(value).items() if axis != rows}
    if word is not None:
        channels = word[1] % value.ndim
        if word[0] != rows or channels == rows or (known and channels not in known):
            told = " and ".join(f"axis {axis} by {sources[0]}" for axis, sources in known.items())
            raise BottleneckError(
                f"Layer {name!r} gives a value of shape {list(shape)} with its rows on axis {rows} and its channels on "
                f"{told or 'another'}, which is not {pool}. Leave --pool out, or take all of it with --pool flatten."
            )
        return Layout(rows, channels, f"--pool {pool}", shape=shape)
    if len(known) != 1:
        raise unknown_axes(name, shape, known)
    ((channels, sources),) = known.items()
    layout = Layout(rows, channels, sources[0], shape=shape)
    if pool != "mean":
        return layout
    if parse(name).module == OUTPUT:
        return replace(layout, beyond=LEAVES)
    answers = [one for _, one in tensors(seen.output)]
    return replace(layout, fate=fate_of(flow, value, rows, channels, parts(seen.x).values(), answers))


def _rows(name: str, made: Sequence[tuple[int, Tensor]], seen: Seen) -> int:
    """Return the axis that holds the rows: the one that is as long as each batch."""
    value = made[-1][1]
    found = [axis for axis in range(value.ndim) if all(one.shape[axis] == size for size, one in made)]
    if len(found) > 1 and len(made) == 1:  # a length that is the batch's by accident
        channels = seen.flow.channel_axes(value)
        found = [axis for axis in found if axis not in channels] or found
        found = [axis for axis in found if seen.holds_rows(value, axis)] or found
        found = found[:1] if value.ndim == 2 else found
    if len(found) == 1:
        return found[0]
    shown = " and ".join(f"{list(one.shape)} for {size} inputs" for size, one in made)
    raise BottleneckError(
        f"Layer {name!r} gives values of shape {shown}, so {'more' if found else 'less'} than one axis may hold the "
        "rows; a bottleneck gives one row an input. Choose another."
    )


@contextmanager
def _hooked(model: nn.Module, names: Sequence[str], record: Callable[[str, object], None]) -> Iterator[None]:
    """Call `record` with the value at each of the named layers, as often as it runs in a block."""
    modules = dict(model.named_modules())
    handles = []
    try:
        for name in dict.fromkeys(names):
            place = parse(name)
            if place.module == OUTPUT and OUTPUT not in modules:
                if place.side == "input":
                    raise BottleneckError(f"Layer {name!r} is the model's own input. Name {OUTPUT!r} or a layer.")
                handles.append(_hook(model, name, place, record))
            elif place.module not in modules or not place.module:
                raise UnknownNameError("layer", place.module, [*(known for known in modules if known), OUTPUT])
            else:
                handles.append(_hook(modules[place.module], name, place, record))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(module: nn.Module, name: str, place: Place, record: Callable[[str, object], None]) -> RemovableHandle:
    def note(value: object) -> None:
        record(name, _picked(name, value, place.elements))

    if place.side == "input":
        return module.register_forward_pre_hook(
            lambda _module, args, kwargs: note(next(iter((*args, *kwargs.values())), None)), with_kwargs=True
        )
    return module.register_forward_hook(lambda _module, _given, output: note(output))


@contextmanager
def changed(model: nn.Module, name: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Hand on something else than what a layer gives, for a block; a program's layers hand on what they gave."""
    place = parse(name)
    module = dict(model.named_modules())[place.module]
    if place.side == "input":

        def enter(
            _module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]
        ) -> tuple[tuple[object, ...], dict[str, object]]:
            if args:
                return (_with(args[0], place.elements, change), *args[1:]), kwargs
            first = next(iter(kwargs))
            return args, kwargs | {first: _with(kwargs[first], place.elements, change)}

        handle = module.register_forward_pre_hook(enter, with_kwargs=True)
    else:
        handle = module.register_forward_hook(lambda _module, _given, made: _with(made, place.elements, change))
    try:
        yield
    finally:
        handle.remove()


def _with(value: object, elements: Sequence[str], change: Callable[[Tensor], Tensor]) -> object:
    """Return a value with the named part of nested tuples and mappings changed."""
    if not elements:
        return change(value) if isinstance(value, Tensor) else value
    if isinstance(value, Mapping):
        own = copy(value)
        key = next(key for key in value if str(key) == elements[0])
        own[key] = _with(value[key], elements[1:], change)  # type: ignore[index]
        return own
    assert isinstance(value, tuple | list)
    parts = [*value]
    parts[int(elements[0])] = _with(parts[int(elements[0])], elements[1:], change)
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


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
    if isinstance(value, Tensor) and value.is_quantized:
        value = value.dequantize()
    if isinstance(value, Tensor) and (kind := odd(value)):
        raise BottleneckError(
            f"Layer {name!r} gives a tensor that is {kind}; a bottleneck gives plain floats, (n, d) or more. Choose "
            "another."
        )
    return value


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {value.dtype} tensor of {value.ndim} dimensions"
    parts = f" of {len(value)}" if isinstance(value, tuple | list | Mapping) else ""
    return f"a {type(value).__name__}{parts}"


def _vectors(name: str, value: object, pooling: Pooling, filled: Tensor | None) -> Tensor:
    """Return what a layer gave as one vector a row, (n, d), or raise a BottleneckError."""
    if isinstance(value, tuple | list | Mapping) and value:
        first = next(iter(value)) if isinstance(value, Mapping) else 0
        raise BottleneckError(f"Layer {name!r} gives {_kind(value)}; name an element, for instance '{name}[{first}]'.")
    if isinstance(value, Tensor) and value.ndim == 1 and parse(name).module == OUTPUT:
        value = value.unsqueeze(1)  # one score a row
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim < 2:
        raise BottleneckError(
            f"Layer {name!r} gives {_kind(value)}; a bottleneck gives floats, (n, d) or more. Choose another."
        )
    return pooled(name, value, pooling.pool, pooling.layouts.get(name, Layout()), filled=filled)
