"""What one operation does to the positions of a value: it keeps them, joins them alike, or takes them by their places.

For each tensor it is known which of its axes hold positions. An operation that is not known here gives None: what
becomes of the positions behind it is not known.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from audit.model.structure.flow import Call, words
from audit.model.structure.operations import (
    ALIKE,
    CONVOLVED,
    JOINED,
    NORMED,
    POOLED,
    REDUCED,
    RESHAPED,
    RESIZED,
    given,
    shares,
    tensors_in,
)

ROWS, MIXED = -1, -2
"""Of an axis: it holds rows; it holds positions side by side with something else, as one that was flattened does."""
Held = tuple[frozenset[int], ...]
"""Of each axis of a tensor, which axes of the value's positions it holds, whole or in part."""
NONE: frozenset[int] = frozenset()
FEWER = 0.75
"""A slice of a smaller share of the positions is one that the model takes by their places; less goes at the edges."""
SAME_AXES = words("pad roll flip cumprod constant_pad_nd reflection_pad1d renorm")
BROADCAST = words("expand expand_as broadcast_to repeat tile")
OWN = words("layer_norm native_layer_norm rms_norm normalize softmax log_softmax dropout feature_dropout glu")
BY_INDEX = RESIZED | NORMED | SAME_AXES | OWN | JOINED
WEIGHS = "weighs each position by a weight of its own"
MODULES = {"Linear": "linear", "NonDynamicallyQuantizableLinear": "linear", "Flatten": "flatten", "Reshape": "reshape"}
"""Layers of programs, whose functions cannot be seen, by the function that they are."""


@dataclass
class Passing:
    """What is known so far, and of the last operation how it took positions by their places."""

    held: dict[int, Held]
    """By the number of a tensor."""
    fed: set[int]
    """Tensors that were made of the model's input; others are constants of its own."""
    weighed: dict[int, frozenset[int]] = field(default_factory=dict)
    """Axes of positions to each of which a tensor holds a constant of its own, added or multiplied."""
    shapes: dict[int, dict[tuple[int, ...], Held]] = field(default_factory=dict)
    """What a tensor that was reshaped held before, by its shape then."""
    by_place: str = ""
    """How the last operation took the positions that it holds no more, if not alike."""
    is_cut: bool = False
    """Whether it took a part of them."""
    pool: str = "flatten"
    """The word of --pool that keeps what it took."""
    before: frozenset[int] = NONE
    """Axes along which its operands hold constants of the model's own."""

    def of(self, operand: Tensor, call: Call) -> Held:
        """Return what an operand holds."""
        number = next((n for n, one in zip(call.numbers, call.operands, strict=True) if one is operand), -1)
        return self.held.get(number, (NONE,) * operand.ndim)


def passed(passing: Passing, call: Call) -> Held | None:
    """Return what the result of an operation holds; None if that is not known."""
    passing.by_place, passing.is_cut, passing.pool = "", False, "flatten"
    passing.before = frozenset().union(*(passing.weighed.get(number, NONE) for number in call.numbers))
    name = function_of(call)
    if call.number in call.numbers and name != "setitem":
        found: Held | None = passing.held.get(call.number)  # in place
        found = _broadcast(passing, call) if found is None else found
    else:
        found = _handler(name, call)(passing, call)
    if found is None:
        return None
    mixes = name in MIXING and all(passing.held.get(number) for number in call.numbers[:2])
    weighed = NONE if mixes else passing.before
    if (name in ALIKE and name != "prelu") or name in JOINED or name in OWN:
        weighed |= _constants(passing, call, found, joined=name in JOINED)
    passing.weighed[call.number] = weighed
    return found


def function_of(call: Call) -> str:
    """Return the name of the function that an operation is, or that a layer of a program stands for."""
    if not call.is_module:
        return call.name
    kind = re.fullmatch(r"(Adaptive)?(Max|Avg)Pool([123]d)|(Conv(?:Transpose)?[123]d).*", call.name)
    if kind is None:
        return MODULES.get(call.name, "layer_norm" if call.name in ALIKE_MODULES else "")
    return "conv2d" if kind[4] else f"{kind[2].lower()}_pool{kind[3]}"


ALIKE_MODULES = words(
    "ReLU LeakyReLU PReLU ELU SELU GELU Sigmoid Hardsigmoid Hardswish Tanh Mish Softplus Softmax LogSoftmax Identity "
    "Dropout Hardtanh LayerNorm BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm2d"
)


def _handler(name: str, call: Call) -> "Callable[[Passing, Call], Held | None]":
    if name in HANDLERS:
        return HANDLERS[name]
    of_two = len(tensors_in(call.args[:2])) > 1
    is_view = call.made.numel() == call.operands[0].numel() and shares(call.operands[0], call.made)
    kinds = (
        (CONVOLVED.fullmatch(name) is not None, _convolved),
        (POOLED.fullmatch(name) is not None, _by_index),
        (name in BY_INDEX, _by_index),
        (name in REDUCED and not of_two, _reduced),
        (name in RESHAPED, _reshaped),
        (name in ALIKE or name in BROADCAST or name in REDUCED, _broadcast),
        (is_view, _viewed),
    )
    return next((handler for found, handler in kinds if found), _unknown)


def _unknown(_passing: Passing, _call: Call) -> Held | None:
    return None


def _broadcast(passing: Passing, call: Call) -> Held:
    """Axes counted from the last one, wherever these are as long."""
    made = call.made
    found = [NONE] * made.ndim
    for one in call.operands:
        if one is made and call.number not in passing.held:
            continue
        held = passing.of(one, call)
        for axis in range(-1, -min(one.ndim, made.ndim) - 1, -1):
            if one.shape[axis] > 1 and made.shape[axis] % one.shape[axis] == 0:
                found[axis] |= held[axis]
    if len(call.operands) == 1 and call.operands[0].shape == made.shape:
        passing.shapes[call.number] = passing.shapes.get(call.numbers[0], {})
    return tuple(found)


def _by_index(passing: Passing, call: Call) -> Held | None:
    """Each axis is that of its place among the operands' axes, and is gone where one position is left of it."""
    made = call.made
    found = [NONE] * made.ndim
    for one in call.operands:
        if one.ndim == made.ndim:
            for axis, held in enumerate(passing.of(one, call)):
                found[axis] |= held if made.shape[axis] > 1 else NONE
    return tuple(found) if call.operands[0].ndim == made.ndim or call.name in JOINED else None


def _convolved(passing: Passing, call: Call) -> Held | None:
    x, made = call.operands[0], call.made
    if x.ndim != made.ndim:
        return None
    passing.by_place = WEIGHS  # those of an axis that is gone: the channels', or one that the kernel is as long as
    held = enumerate(passing.of(x, call))
    return tuple(one if axis != 1 and made.shape[axis] > 1 else NONE for axis, one in held)


def _linear(passing: Passing, call: Call) -> Held:
    passing.by_place = WEIGHS
    operands = call.operands[1:] if call.name == "addmm" else call.operands
    return (*passing.of(operands[0], call)[: call.made.ndim - 1], NONE)


def _matmul(passing: Passing, call: Call) -> Held | None:
    x, y = call.operands[-2:]
    if call.name in ("rmatmul",):
        x, y = y, x
    made, a, b = call.made, passing.of(x, call), passing.of(y, call)
    if x.ndim < 2 or y.ndim < 2:
        if y.ndim == 1 and x.ndim > 1:
            passing.by_place = _contracted(passing, call, (x, a[-1]), (y, b[-1]))
            return a[:-1]
        return None
    passing.by_place = _contracted(passing, call, (x, a[-1]), (y, b[-2]))
    found = [NONE] * made.ndim
    for one, held in ((x, a), (y, b)):
        for axis in range(3, one.ndim + 1):
            found[-axis] |= held[-axis] if one.shape[-axis] > 1 else NONE
    found[-2], found[-1] = a[-2], b[-1]
    return tuple(found)


def _contracted(passing: Passing, call: Call, *sides: tuple[Tensor, frozenset[int]]) -> str:
    """Say how a sum of products over one axis takes positions: by weights of each place, or by what the rows say."""
    numbers = {id(one): number for one, number in zip(call.operands, call.numbers, strict=True)}
    constant = any(not held and numbers[id(one)] not in passing.fed for one, held in sides)
    return WEIGHS if constant else ""


def _einsum(passing: Passing, call: Call) -> Held | None:
    equation = call.args[0]
    if not isinstance(equation, str) or "." in equation or "->" not in equation:
        return None
    left, _, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(call.operands):
        return None
    held: dict[str, frozenset[int]] = {}
    for term, one in zip(terms, call.operands, strict=True):
        for letter, axis in zip(term, passing.of(one, call), strict=True):
            held[letter] = held.get(letter, NONE) | axis
    for letter in set(held) - set(right):
        sides = [
            (one, passing.of(one, call)[term.index(letter)])
            for term, one in zip(terms, call.operands, strict=True)
            if letter in term
        ]
        if any(axis for _, axis in sides):
            passing.by_place = passing.by_place or _contracted(passing, call, *sides)
    return tuple(held[letter] for letter in right)


def _attended(passing: Passing, call: Call) -> Held:
    query, value = passing.of(call.operands[0], call), passing.of(call.operands[2], call)
    return (*query[:-1], value[-1])


def _attended_by_module(passing: Passing, call: Call) -> Held | None:
    """Of multi_head_attention_forward, whose query is (t, n, d)."""
    if call.place:
        return (NONE,) * call.made.ndim
    return (*passing.of(call.operands[0], call)[:-1], NONE)


def _recurrent(passing: Passing, call: Call) -> Held | None:
    x = passing.of(call.operands[0], call)
    if call.place == 0 and call.made.ndim == len(x):
        return (*x[:-1], NONE)
    passing.by_place, passing.pool = "reads its positions in their order and hands on the last state", "last"
    return (NONE,) * call.made.ndim


def _reduced(passing: Passing, call: Call) -> Held | None:
    x, made = call.operands[0], call.made
    dims = given(call.args, call.kwargs, 2 if call.name == "norm" else 1, "dim", "axis")
    if made.ndim == 0:
        return ()
    if isinstance(dims, int) and not isinstance(dims, bool):
        dims = [dims]
    if not isinstance(dims, tuple | list):
        return None
    gone = {one % x.ndim for one in dims if isinstance(one, int)}
    held = passing.of(x, call)
    if made.ndim == x.ndim:
        return tuple(NONE if axis in gone else one for axis, one in enumerate(held))
    left = tuple(one for axis, one in enumerate(held) if axis not in gone)
    return left if len(left) == made.ndim else None


def _stacked(passing: Passing, call: Call) -> Held:
    axis = given(call.args, call.kwargs, 1, "dim", "axis")
    axis = (axis if isinstance(axis, int) else 0) % call.made.ndim
    found = [NONE] * (call.made.ndim - 1)
    for one in call.operands:
        found = [a | b for a, b in zip(found, passing.of(one, call), strict=True)]
    return (*found[:axis], NONE, *found[axis:])


def _reshaped(passing: Passing, call: Call) -> Held | None:
    x, made = call.operands[0], call.made
    held = passing.of(x, call)
    known = {tuple(x.shape): held} | passing.shapes.get(call.numbers[0], {})
    passing.shapes[call.number] = known
    if tuple(made.shape) in known:
        return known[tuple(made.shape)]
    found = [NONE] * made.ndim
    for old, new in _groups(x.shape, made.shape):
        both = frozenset().union(*(held[axis] for axis in old))
        beside = len(old) > 1 and any(not held[axis] for axis in old) and any(one >= 0 for one in both)
        for axis in new:
            found[axis] = both | ({MIXED} if beside else NONE)
    return tuple(found)


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Return which axes of a shape became which of another, those longer than 1, by the order of the numbers."""
    a = [axis for axis, length in enumerate(old) if length > 1]
    b = [axis for axis, length in enumerate(new) if length > 1]
    found = []
    while a and b:
        left, right = [a.pop(0)], [b.pop(0)]
        m, n = old[left[0]], new[right[0]]
        while m != n:
            if m < n and a:
                left.append(a.pop(0))
                m *= old[left[-1]]
            elif b:
                right.append(b.pop(0))
                n *= new[right[-1]]
            else:
                break
        found.append((left, right))
    return found


def _viewed(passing: Passing, call: Call) -> Held | None:
    """Axes of a view, as a transposed one: one that walks through the memory by the same stride is the same."""
    x, made = call.operands[0], call.made
    held = passing.of(x, call)
    by_stride = {(x.stride(axis), x.shape[axis]): held[axis] for axis in range(x.ndim) if x.shape[axis] > 1}
    if len(by_stride) < sum(length > 1 for length in x.shape):
        return None
    own = [(made.stride(axis), made.shape[axis]) for axis in range(made.ndim)]
    if any(one not in by_stride for one in own if one[1] > 1):
        return None
    return tuple(by_stride[one] if one[1] > 1 else NONE for one in own)


def _constants(passing: Passing, call: Call, found: Held, *, joined: bool) -> frozenset[int]:
    """Return the axes of positions along which the model adds, multiplies or joins constants of its own."""
    seen = NONE
    for number, one in zip(call.numbers, call.operands, strict=True):
        if number in passing.fed or number in passing.held or one is call.made or not one.ndim:
            continue
        for axis in range(-1, -min(one.ndim, len(found)) - 1, -1):
            own = frozenset(x for x in found[axis] if x >= 0)
            same = joined or one.shape[axis] == call.made.shape[axis]
            if own and same and one.shape[axis] > 1 and bool((one != one.narrow(axis, 0, 1)).any()):
                seen |= own
    return seen


def _cut(passing: Passing, call: Call, axis: int, kept: int, first: int | None = None) -> None:
    """Note that an operation takes so many positions of an axis, the first of them at a place if that is known."""
    x = call.operands[0]
    held = {one for one in passing.of(x, call)[axis] if one >= 0}
    of = x.shape[axis]
    if not held or kept >= FEWER * of:
        return
    if kept == 1 and first is not None:
        at = -1 if first == of - 1 else first
        passing.by_place = f"takes position {at} of its {of}"
        passing.pool = {0: "first", -1: "last"}.get(at, "flatten")
    else:
        passing.by_place = f"takes {kept} of its {of} positions"
        passing.is_cut = kept > 1 and not held & {
            one for n, own in enumerate(passing.of(x, call)) if n != axis for one in own
        }


def _getitem(passing: Passing, call: Call) -> Held | None:
    x, index = call.operands[0], call.args[1]
    items = [*index] if isinstance(index, tuple) else [index]
    if any(isinstance(one, Tensor | list) for one in items):
        return _by_number(passing, call, items)
    held, left = passing.of(x, call), sum(one is not None and one is not Ellipsis for one in items)
    found, axis = list[frozenset[int]](), 0
    for one in [*items, *([] if Ellipsis in items else [Ellipsis])]:
        if one is None:
            found.append(NONE)
        elif one is Ellipsis:
            found += held[axis : axis + x.ndim - left]
            axis += x.ndim - left
        elif isinstance(one, slice):
            places = range(*one.indices(x.shape[axis]))
            if places.step == 1:
                _cut(passing, call, axis, len(places), places.start)
            found.append(held[axis] if len(places) > 1 else NONE)
            axis += 1
        elif isinstance(one, int):
            _cut(passing, call, axis, 1, one % x.shape[axis])
            axis += 1
        else:
            return None
    return tuple(found) if len(found) == call.made.ndim else None


def _by_number(passing: Passing, call: Call, items: Sequence[object]) -> Held | None:
    """Positions by their numbers, as the last token that is no padding."""
    held = passing.of(call.operands[0], call)
    if Ellipsis in items or None in items or any(isinstance(one, Tensor) and one.ndim > 1 for one in items):
        return None
    chosen = [axis for axis, one in enumerate(items) if not isinstance(one, slice)]
    if len(chosen) == 1 and call.made.ndim == len(held):
        _cut(passing, call, chosen[0], call.made.shape[chosen[0]])
        return held
    if any(one >= 0 for axis in chosen for one in held[axis]):
        passing.by_place = "takes some of its positions by their numbers"
    rest = [one for axis, one in enumerate(held) if axis not in chosen]
    found = tuple([NONE] * (call.made.ndim - len(rest)) + rest)
    return found if chosen == [*range(len(chosen))] else None


def _selected(passing: Passing, call: Call) -> Held | None:
    x = call.operands[0]
    axis, index = (given(call.args, call.kwargs, place, name) for place, name in ((1, "dim"), (2, "index")))
    if not isinstance(axis, int) or not isinstance(index, int):
        return None
    _cut(passing, call, axis % x.ndim, 1, index % x.shape[axis])
    held = passing.of(x, call)
    return held[: axis % x.ndim] + held[axis % x.ndim + 1 :]


def _narrowed(passing: Passing, call: Call) -> Held | None:
    """Of narrow, slice, split, chunk, index_select, gather and the like: one axis is shorter than it was."""
    x, made = call.operands[0], call.made
    held = passing.of(x, call)
    if made.ndim != x.ndim:
        return None
    for axis in range(x.ndim):
        if made.shape[axis] < x.shape[axis]:
            _cut(passing, call, axis, made.shape[axis])
    return tuple(one if made.shape[axis] > 1 else NONE for axis, one in enumerate(held))


def _unbound(passing: Passing, call: Call) -> Held:
    x = call.operands[0]
    axis = given(call.args, call.kwargs, 1, "dim", "axis")
    axis = (axis if isinstance(axis, int) else 0) % x.ndim
    _cut(passing, call, axis, 1, call.place)
    held = passing.of(x, call)
    return held[:axis] + held[axis + 1 :]


MIXING = words("scaled_dot_product_attention multi_head_attention_forward matmul bmm baddbmm")
"""Behind these a constant of a place is no longer alone at its place, as that of positions of tokens."""
HANDLERS: Mapping[str, Callable[[Passing, Call], Held | None]] = {
    "linear": _linear,
    "addmm": _linear,
    "matmul": _matmul,
    "rmatmul": _matmul,
    "bmm": _matmul,
    "mm": _matmul,
    "mv": _matmul,
    "baddbmm": _matmul,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attended,
    "multi_head_attention_forward": _attended_by_module,
    "getitem": _getitem,
    "select": _selected,
    "unbind": _unbound,
    "stack": _stacked,
    "setitem": _unknown,
    **dict.fromkeys(words("lstm gru rnn_tanh rnn_relu"), _recurrent),
    **dict.fromkeys(
        words("narrow slice split split_with_sizes chunk tensor_split index_select gather take_along_dim"), _narrowed
    ),
}
