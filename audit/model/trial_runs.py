"""What a few rows show of a model before all are run: that a row's vector is its own, and what a mean would hide."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.model_input import ModelInput, each, parts, rows_of, split, take
from audit.errors import BottleneckError, DataError
from audit.model.forward import PROBES, Encoder, Pass, device_of, run_model
from audit.model.layers import Taps, changed
from audit.model.structure.call import arguments, call, cast, named
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.layout import MASK, Layout, Pooling, hidden
from audit.model.structure.outputs import picked, tensors
from audit.model.structure.positions import LEAVES, UNSEEN, UNTRIED

BLOCK = 3
"""Rows of the smaller batches in which they are run again."""
TRIES = 32
"""Passes over them where chance is to be averaged out."""
TOLERANCES = {
    torch.qint8: (0.2, 0.05),
    torch.bfloat16: (0.05, 0.01),
    torch.float16: (0.02, 2e-3),
    torch.float32: (1e-3, 1e-5),
}
"""How far two runs of a row may lie apart by rounding: as a share of the spread of the rows, and of their size.

On a CPU, batches of 8 and of 3 rows of four networks lie 1e-6 of the spread apart in float32, 1e-3 in bfloat16. Layers
that quantise what they are given do so over a batch.
"""
QUANTISED = ("torch.ao.nn.quantized.dynamic.", "torch.ao.nn.intrinsic.quantized.dynamic.")
"""Where torch keeps layers that quantise what they are given, by the largest and the smallest number of a batch."""
SURE = 4.0
"""Standard errors beyond which the means of two kinds of batches differ."""

Sway = Literal["order", "more", "mean"]
"""What of the positions at a layer changes a model's answer: their order, more of them than their mean, or that."""
BEYOND: Mapping[Sway | None, str] = {
    "order": "; the model's answer depends on their order, which a mean hides",
    "more": "; the model's answer depends on more of them than their mean, which a mean hides",
    "mean": "",
    None: "; whether the model takes no more than their mean could not be tried",
}


def require_own_answer(encoder: Encoder, x: ModelInput, taps: Taps, *, passes: int = 1, output: bool = False) -> bool:
    """Return whether what a row gives depends on chance; refuse it if only one pass is made, or if it is on neighbours.

    The rows x, (b, …), are run twice, and once more in smaller batches, which holds the same rows beside others.

    Args:
        passes: Over how many passes the caller is to average; 0 if it cannot.
        output: Whether the model's output counts, too.

    Raises:
        BottleneckError: A row depends on the rows beside it, or on chance where a single pass is to be made.
    """
    if encoder.fixed_batch:
        x = split(x, encoder.fixed_batch)[0]
    rows, precision = rows_of(x), _precision(encoder.model)

    def run(size: int) -> dict[str, Tensor]:
        found: list[Mapping[str, Tensor]] = []
        for block in split(x, size):
            made = run_model(encoder, block, taps)
            own = made.output.float() if output and isinstance(made.output, Tensor) else None
            found.append(made.z | ({} if own is None else {"": own.reshape(rows_of(block), -1)}))
        return {name: torch.cat([one[name] for one in found]).nan_to_num() for name in found[0]}

    one, again = run(rows), run(rows)
    random = [name for name, z in one.items() if _apart(z, again[name], precision)]
    if random and passes <= 1:
        ways = "name a layer before it, or average with --passes 16" if passes else "or name a layer before it"
        raise BottleneckError(
            f"{_what(random[0])} differs each time that the same rows are run: it depends on chance, as dropout that "
            f"stays on or a random sample does. Take that out of forward(), {ways}."
        )
    if rows == 1 or encoder.fixed_batch == 1:
        return bool(random)
    if random:
        many, fewer = ([run(size) for _ in range(TRIES)] for size in (rows, BLOCK))
        moved = [name for name in one if _means_apart([a[name] for a in many], [b[name] for b in fewer])]
    else:
        beside = run(BLOCK)
        moved = [name for name, z in one.items() if _apart(z, beside[name], precision)]
    if moved:
        raise BottleneckError(
            f"{_what(moved[0])} differs for the same row beside other rows: it depends on its batch, as a norm over "
            "the batch does. Take that out of forward(), or name a layer before it."
        )
    return bool(random)


def require_same_rows(encoder: Encoder, x: ModelInput, made: Pass, taps: Taps, *, output: bool = False) -> None:
    """Refuse a batch, (b, …), of which a layer gives the rows in an order of its own, as one that sorts texts does.

    The batch is run once more with its rows the other way round, which takes as long as the pass itself.

    Args:
        made: What the batch gave.
        output: Whether the model's output counts, too.

    Raises BottleneckError if a row gives something else there.
    """
    precision = _precision(encoder.model)

    def differing(other: Pass, *, flipped: bool) -> str | None:
        pairs = {name: (z, other.z[name]) for name, z in made.z.items()}
        if output and isinstance(made.output, Tensor) and isinstance(other.output, Tensor):
            pairs[""] = (made.output.reshape(rows_of(x), -1), other.output.reshape(rows_of(x), -1))
        for name, (one, found) in pairs.items():
            same = found.flip(0) if flipped else found
            if _apart(one.float().nan_to_num(), same.float().nan_to_num(), precision):
                return name
        return None

    name = differing(run_model(encoder, each(lambda one: one.flip(0), x), taps), flipped=True)
    if name is None:
        return
    if differing(run_model(encoder, x, taps), flipped=False) is not None:
        raise BottleneckError(
            f"{_what(name)} differs when the same rows are run again: the model keeps something from pass to pass that "
            "changes its answer, as a counter does. Take that out of forward(), or name a layer before it."
        )
    raise BottleneckError(
        f"{_what(name)} differs for the same row in another order of the rows: the model may sort its rows, as "
        "by their lengths, and the layer's are not in the order of the inputs. Name a layer whose are."
    )


def require_alike(
    model: nn.Module, x: ModelInput, pooling: Pooling, *, output: str | None = None, fixed_batch: int | None = None
) -> Pooling:
    """Refuse a mean over positions that hides what the model takes at one place, or by a weight of each place.

    The rest of the model is run on a few rows whose positions at the layer were moved: an answer that stays the same
    is of a function that treats all alike. Where it changes, the mean is refused if the model was seen to take
    positions by their places, or could not be followed. A model that can neither be followed nor tried, as a program
    of TorchScript behind the layer, is asked about. Of a model that mixes neighbours, as convolutions do, and then
    takes all alike, the layout says that their order counts; and where the answer changes as each position is given
    the mean of all, as before a maximum, a deviation or a ReLU, that more than their mean counts.

    Args:
        x: A few rows that the model takes.
        output: The part of the model's output that counts.

    Raises BottleneckError for such a mean.
    """
    rows = fixed_batch or min(rows_of(x), BLOCK)
    given = cast(model, take(x, np.arange(rows) % rows_of(x)))
    layouts = dict(pooling.layouts)
    for name, layout in pooling.layouts.items():
        if layout.fate is None:
            continue
        by, fate = _goes_by(model, given, name, layout, pooling, output), layout.fate
        if by in ("order", None) and fate.taken:
            raise hidden(name, layout)
        if not fate.seen and (by == "order" or (by is None and not fate.kept)):
            raise hidden(name, replace(layout, fate=replace(fate, taken=UNSEEN if by else UNTRIED)))
        layouts[name] = replace(layout, beyond=LEAVES if fate.kept else BEYOND[by])
    return replace(pooling, layouts=layouts)


def _goes_by(
    model: nn.Module, x: ModelInput, name: str, layout: Layout, pooling: Pooling, output: str | None
) -> Sway | None:
    """Return what of the positions at a layer changes the model's answer; None if it cannot be tried."""
    filled = pooling.filled(named(model, *arguments(model, x)))

    def answers(change: Callable[[Tensor], Tensor]) -> Tensor | None:
        with evaluating(model), torch.inference_mode(), torch.random.fork_rng(devices=[]), changed(model, name, change):
            torch.manual_seed(0)  # what is drawn by chance is drawn alike
            made = picked(call(model, each(torch.clone, x)), output)
        found = [one.reshape(rows_of(x), -1).float() for _, one in tensors(made) if _has_rows(one, rows_of(x))]
        return torch.cat(found, dim=1).nan_to_num() if found else None

    precision = _precision(model)
    try:
        still, moved = answers(layout.stirred), answers(lambda value: layout.moved(layout.stirred(value), filled))
        if still is None or moved is None:
            return None
        if _apart(still, moved, precision):
            return "order"
        level = answers(lambda value: layout.levelled(layout.stirred(value), filled))
        if level is not None and _apart(still, level, precision):
            return "more"
        gone = answers(lambda value: torch.full_like(value, torch.nan))
    except DataError:  # a model that refuses what it never saw
        return None
    return "mean" if gone is not None and not torch.equal(gone, still) else None


def require_mask(encoder: Encoder, x: ModelInput, taps: Taps) -> bool:
    """Return whether rows, (b, …), show that their attention mask is 0 for padding; no row may have any.

    What stands at each place is changed, where the mask is 0 and where it is 1: padding changes no answer. Where the
    model goes by both, padding is what is one and the same token.

    Raises BottleneckError if the mask is 1 for padding, or nothing tells.
    """
    given, own = parts(x), named(encoder.model, *arguments(encoder.model, x)).get(MASK)
    key = next(name for name, one in given.items() if one is own)
    mask = given[key] == 1
    mixed = np.flatnonzero((mask.any(dim=1) & ~mask.all(dim=1)).cpu().numpy())[:PROBES]
    if not len(mixed):
        return False
    x = take(x, mixed)
    given, mask = parts(x), parts(x)[key] == 1
    found = {name: axis for name, one in given.items() if name != key and (axis := _along(one, mask)) is not None}

    def answers(places: Tensor) -> Tensor:
        stirred = given | {name: _stirred(given[name], axis, places) for name, axis in found.items()}
        made = run_model(encoder, stirred if isinstance(x, Mapping) else tuple(stirred.values()), taps).output
        seen = [_in_text(one, mask) for _, one in tensors(made) if _has_rows(one, len(mask))]
        return torch.cat(seen, dim=1).nan_to_num() if seen else torch.zeros(len(mask), 1)

    still, precision = answers(torch.zeros_like(mask)), _precision(encoder.model)
    try:
        by_padding, by_text = (_apart(still, answers(places), precision) for places in (~mask, mask))
    except DataError:  # a model that looks for a token of its own
        by_padding = by_text = True
    fillers = [given[name].movedim(axis, 1)[~mask.to(given[name].device)] for name, axis in found.items()]
    if not by_padding or (by_text and any(bool((one == one[:1]).all()) for one in fillers)):
        return True
    fact = "goes by what stands where it is 0" + ("" if by_text else ", and not by what stands where it is 1")
    raise BottleneckError(
        f"{MASK} is to be 1 for text and 0 for padding, and the model's answer {fact}, so a mean would be of padding. "
        "Let the model take such a mask, name a layer behind its own pooling, or pool by flatten."
    )


def _along(one: Tensor, mask: Tensor) -> int | None:
    """Return the axis of an input that is as long as a mask, (b, t)."""
    return next((axis for axis in range(1, one.ndim) if one.shape[axis] == mask.shape[1]), None)


def _stirred(one: Tensor, axis: int, places: Tensor) -> Tensor:
    """Return an input with other numbers of its own at some places, (b, t), of an axis."""
    turned, there = one.movedim(axis, 1), places.to(one.device)
    order = torch.randperm(one.numel(), generator=torch.Generator().manual_seed(0)).to(one.device)
    other = turned.reshape(-1)[order].reshape(turned.shape)
    wide = there.reshape(*there.shape, *(1,) * (turned.ndim - 2))
    return torch.where(wide, other, turned).movedim(1, axis)


def _in_text(one: Tensor, mask: Tensor) -> Tensor:
    """Return an answer as one vector a row, (b, d), with zeros at places of padding if it has any."""
    axis = _along(one, mask)
    if axis is not None and one.ndim > 2:
        turned = one.movedim(axis, 1).flatten(2)
        one = torch.where(mask.to(one.device)[..., None], turned, torch.zeros_like(turned))
    return one.reshape(len(one), -1).float()


def _has_rows(one: Tensor, rows: int) -> bool:
    return one.is_floating_point() and one.ndim > 0 and len(one) == rows


def _what(name: str) -> str:
    return f"What layer {name!r} gives" if name else "The model's output"


def _precision(model: nn.Module) -> torch.dtype:
    """Return the coarsest type of floats in which the model computes; a GPU may multiply float32 like halves."""
    if any(type(module).__module__.startswith(QUANTISED) for module in model.modules()):
        return torch.qint8
    kinds = {parameter.dtype for parameter in model.parameters()}
    found = next((kind for kind in TOLERANCES if kind in kinds), torch.float32)
    return torch.float16 if found == torch.float32 and device_of(model).type == "cuda" else found


def _apart(one: Tensor, other: Tensor, precision: torch.dtype) -> bool:
    """Return whether a row of one run, (b, d), is farther from itself in another than rounding explains."""
    a, b = one.double(), other.double()
    kinds = (precision, one.dtype)
    of_spread, of_size = TOLERANCES[next((kind for kind in TOLERANCES if kind in kinds), torch.float32)]
    spread = float((a - a.mean(dim=0)).square().mean().sqrt())
    size = float(a.square().mean().sqrt())
    distance = float((a - b).square().mean(dim=1).max().sqrt())
    return distance > of_spread * spread + of_size * size


def _means_apart(one: list[Tensor], other: list[Tensor]) -> bool:
    """Return whether the means of several passes, (b, d) each, differ by more than their standard errors."""
    a, b = torch.stack(one).double(), torch.stack(other).double()
    error = (a.var(dim=0) + b.var(dim=0)).sum() / len(a)
    return bool((a.mean(dim=0) - b.mean(dim=0)).square().sum() > SURE**2 * error)
