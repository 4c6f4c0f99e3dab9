"""One forward pass of a stranger's model: on its own device, at its own batch size, its inputs left as they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.labelled import LabelledData
from audit.data.loading import batches, first_readable
from audit.errors import BottleneckError, DataError, first_line
from audit.model.layers import Taps
from audit.model.structure.eval_mode import evaluating, require_evaluating
from audit.model.structure.listing import Seen, is_scores, squashed

Scores = Literal["logits", "probabilities"]
"""What the model's output holds for each class."""
SMALLEST = 1e-6
"""A probability below it counts as it, so that its logarithm is finite."""
PROBES = 8
"""Rows on which it is seen whether a row depends on chance or on its neighbours."""
BLOCK = 3
"""Rows of the smaller batches in which they are run again."""
TRIES = 32
"""Passes over them where chance is to be averaged out."""
TOLERANCES = {torch.bfloat16: (0.05, 0.01), torch.float16: (0.02, 2e-3), torch.float32: (1e-3, 1e-5)}
"""How far two runs of a row may lie apart by rounding: as a share of the spread of the rows, and of their size.

On a CPU, batches of 8 and of 3 rows of four networks lie 1e-6 of the spread apart in float32, 1e-3 in bfloat16.
"""
SURE = 4.0
"""Standard errors beyond which the means of two kinds of batches differ."""


@dataclass(frozen=True)
class Pass:
    """The result of one forward pass over b inputs."""

    output: object
    """The model's output: the first b rows if it is a tensor."""
    z: dict[str, Tensor]
    """Representations by layer, (b, d)."""
    changed_inputs: bool
    """Whether the model changed its inputs in place."""


def run_model(model: nn.Module, x: Tensor, taps: Taps, fixed_batch: int | None, passes: int = 1) -> Pass:
    """Run a tapped model on a copy of x, (b, …), padded to `fixed_batch` rows if it takes no other number.

    Of several passes the representations and the output, if it is a tensor, are the means.
    """
    b = len(x)
    padded = torch.cat([x, x[-1:].expand(fixed_batch - b, *x.shape[1:])]) if fixed_batch and b < fixed_batch else x
    found = [_pass(model, padded, taps, b) for _ in range(passes)]
    if passes == 1:
        return found[0]
    z = {name: torch.stack([one.z[name] for one in found]).mean(dim=0) for name in found[0].z}
    outputs = [one.output for one in found if isinstance(one.output, Tensor) and one.output.is_floating_point()]
    output = torch.stack(outputs).mean(dim=0) if len(outputs) == passes else found[0].output
    return Pass(output, z, any(one.changed_inputs for one in found))


def _pass(model: nn.Module, padded: Tensor, taps: Taps, b: int) -> Pass:
    given = padded.to(device_of(model), copy=True)
    output = model(given)
    require_evaluating(model)
    same = torch.equal(given.view(torch.uint8), padded.to(given.device).view(torch.uint8))  # NaN is not equal to NaN
    z = {name: rows[:b] for name, rows in taps.take().items()}
    return Pass(output[:b] if isinstance(output, Tensor) and output.ndim else output, z, not same)


def first_input(model: nn.Module, data: LabelledData, *, rows: int = 2) -> Tensor:
    """Return the first readable input, `rows` times, (rows, …); raise a DataError if the model cannot take it."""
    x = first_readable(data).unsqueeze(0).repeat_interleave(rows, dim=0).to(device_of(model))
    try:
        with evaluating(model), torch.inference_mode():
            model(x.clone())
    except (RuntimeError, ValueError, AssertionError) as error:
        raise DataError(
            f"The model cannot take the inputs of {data.name}, of shape {list(x.shape[1:])} ({first_line(error)}). "
            "Give the data and the image size that it was trained on."
        ) from None
    return x


def class_scores(output: object, classes: int, task: str, scores: Scores = "logits") -> Tensor:
    """Return a model's output as logits of the task's classes, (n, classes); a single score counts for class 1."""
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of class scores. "
            "Wrap it in a factory that does, or leave the task out."
        )
    if not is_scores(output, classes):
        raise DataError(
            f"The model's output has shape {list(output.shape)} and task {task!r} has {classes} classes. "
            "Name the task that the model was trained for, or none; or all of its classes in the order of the outputs "
            "(--task-classes), those that no row has, too."
        )
    found = output.unsqueeze(1) if output.ndim == 1 else output
    if scores == "probabilities":
        low, high = (float(one) for one in found.detach().aminmax())
        if low < 0 or high > 1:
            raise DataError(
                f"The model's output runs from {low:.3g} to {high:.3g}, so it holds no probabilities. Leave --scores "
                "out, or say --scores logits."
            )
        found = torch.logit(found.float(), SMALLEST) if found.shape[1] == 1 else found.float().clamp_min(SMALLEST).log()
    return torch.cat([torch.zeros_like(found), found], dim=1) if found.shape[1] == 1 else found


def is_single(output: object) -> TypeGuard[Tensor]:
    """Return whether an output is one score a row, (n,) or (n, 1)."""
    return isinstance(output, Tensor) and (output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1))


def kind_of_scores(seen: Seen, asked: Scores | None, single: Tensor | None, task: str) -> Scores:
    """Return whether a model's output holds logits or probabilities: as the user says, or as the model makes known.

    Args:
        seen: A pass of the model that was watched.
        asked: What the user says, if anything.
        single: The score of each row of a model that gives one, (n,), to tell what cannot be seen; else None.
        task: Its name, for the error.

    Raises:
        DataError: All single scores are from 0 to 1, and nothing tells whether they are probabilities.
    """
    if asked is not None:
        return asked
    if squashed(seen):
        return "probabilities"
    if single is not None and bool(((single >= 0) & (single <= 1)).all()):
        raise DataError(
            f"The model gives one number a row for {task!r}, from {float(single.min()):.3g} to "
            f"{float(single.max()):.3g}, and nothing tells whether it is the probability of the second class or a "
            "score that is cut at 0. Say which: --scores probabilities or --scores logits."
        )
    return "logits"


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def sample_rows(data: LabelledData, rows: int = PROBES) -> Tensor:
    """Return so many readable inputs or fewer from all over the data, (b, …)."""
    places = np.unique(np.linspace(0, len(data) - 1, rows).astype(np.int64))
    read, x = next(iter(batches(data.take(places).inputs, batch_size=len(places), workers=0)))
    return x if read else first_readable(data).unsqueeze(0)


def require_own_answer(
    model: nn.Module, x: Tensor, taps: Taps, fixed_batch: int | None, *, passes: int = 1, output: bool = False
) -> bool:
    """Return whether what a row gives depends on chance; refuse it if only one pass is made, or if it is on neighbours.

    The rows x, (b, …), are run twice, and once more in smaller batches, which holds the same rows beside others.

    Args:
        passes: Over how many passes the caller is to average; 0 if it cannot.
        output: Whether the model's output counts, too.

    Raises:
        BottleneckError: A row depends on the rows beside it, or on chance where a single pass is to be made.
    """
    if fixed_batch:
        x = x[:fixed_batch]

    def run(size: int) -> dict[str, Tensor]:
        found: list[Mapping[str, Tensor]] = []
        for block in torch.split(x, size):
            made = run_model(model, block, taps, fixed_batch)
            own = made.output.float() if output and isinstance(made.output, Tensor) else None
            found.append(made.z | ({} if own is None else {"": own.reshape(len(block), -1)}))
        return {name: torch.cat([one[name] for one in found]).nan_to_num() for name in found[0]}

    precision = _precision(model)
    one, again = run(len(x)), run(len(x))
    random = [name for name, z in one.items() if _apart(z, again[name], precision)]
    if random and passes <= 1:
        ways = "name a layer before it, or average with --passes 16" if passes else "or name a layer before it"
        raise BottleneckError(
            f"{_what(random[0])} differs each time that the same rows are run: it depends on chance, as dropout that "
            f"stays on or a random sample does. Take that out of forward(), {ways}."
        )
    if len(x) == 1 or fixed_batch == 1:
        return bool(random)
    if random:
        many, fewer = ([run(size) for _ in range(TRIES)] for size in (len(x), BLOCK))
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


def require_same_rows(
    model: nn.Module, x: Tensor, made: Pass, taps: Taps, fixed_batch: int | None, *, output: bool = False
) -> None:
    """Refuse a batch, (b, …), of which a layer gives the rows in an order of its own, as one that sorts texts does.

    The batch is run once more with its rows the other way round, which takes as long as the pass itself.

    Args:
        made: What the batch gave.
        output: Whether the model's output counts, too.

    Raises BottleneckError if a row gives something else there.
    """
    turned, precision = run_model(model, x.flip(0), taps, fixed_batch), _precision(model)
    pairs = {name: (z, turned.z[name]) for name, z in made.z.items()}
    if output and isinstance(made.output, Tensor) and isinstance(turned.output, Tensor):
        pairs[""] = (made.output.reshape(len(x), -1), turned.output.reshape(len(x), -1))
    for name, (one, other) in pairs.items():
        if _apart(one.float().nan_to_num(), other.flip(0).float().nan_to_num(), precision):
            raise BottleneckError(
                f"{_what(name)} differs for the same row in another order of the rows: the model may sort its rows, as "
                "by their lengths, and the layer's are not in the order of the inputs. Name a layer whose are."
            )


def _what(name: str) -> str:
    return f"What layer {name!r} gives" if name else "The model's output"


def _precision(model: nn.Module) -> torch.dtype:
    """Return the coarsest type of floats in which the model computes; a GPU may multiply float32 like halves."""
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
