"""List a model's layers, and suggest where it is to be audited: its bottleneck, or what leaves it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.model_input import ModelInput, each, parts, rows_of, take
from audit.errors import BottleneckError
from audit.model.structure.call import call, cast
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.flow import Flow, watching
from audit.model.structure.layout import has_positions
from audit.model.structure.modules import kind_of, tell
from audit.model.structure.operations import POOLED, RESHAPED, SAME_NUMBERS, SLICED, UNARY, follow
from audit.model.structure.outputs import picked, tensors

OUTPUT = "logits"
"""The output of the model, unless it has a module of that name."""
LINEAR = ("Linear", "NonDynamicallyQuantizableLinear")
CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
FEW = 16
"""Without a task, a last linear layer of at most so many outputs is taken to give class scores."""


@dataclass(frozen=True)
class Layer:
    """One module as seen in one forward pass."""

    name: str
    kind: str
    shape: tuple[int, ...] | None
    """Of its output without the rows; None where it returns no single tensor."""
    width: int | None
    """Features a row after mean pooling: the channels of (n, c, …) and (n, t, d); None where nobody knows these."""
    fired: int
    """How often it ran in one pass; only a layer that ran once can be tapped."""


@dataclass(frozen=True)
class Seen:
    """One forward pass of a few rows, watched."""

    model: nn.Module
    x: ModelInput
    """What the model was given, in its own type of floats."""
    output: object
    """What it returned, or the part of that which was asked for."""
    flow: Flow
    calls: Mapping[str, list[object]]
    """What each module returned, by its name, each time that it ran."""
    order: list[str]
    """The names of modules as they ended."""

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return rows_of(self.x)

    def holds_rows(self, value: Tensor, axis: int) -> bool:
        """Return whether an axis of a value is known to be that of the rows of what the model was given."""
        return any(one.ndim > 0 and self.flow.are_same(value, axis, one, 0) for one in parts(self.x).values())

    def last(self, *kinds: str) -> Iterator[str]:
        """Yield the modules of some kinds that ran once, the last one first."""
        modules = dict(self.model.named_modules())
        for name in reversed(self.order):
            if name and len(self.calls[name]) == 1 and kind_of(modules[name]) in kinds:
                yield name


def watch(model: nn.Module, x: ModelInput, rows: int | None = None, output: str | None = None) -> Seen:
    """Run a model in eval mode on x, (n, …), repeated or cut to so many rows, and watch what becomes of the axes.

    Of what it returns the part that `output` names is looked at (audit.model.structure.outputs).
    """
    given = x if rows is None else take(x, np.arange(rows) % rows_of(x))
    given = each(torch.clone, cast(model, given))
    calls: dict[str, list[object]] = {name: [] for name, _ in model.named_modules()}
    order: list[str] = []

    def told(flow: Flow, module: nn.Module, name: str, taken: tuple[object, ...], output: object) -> None:
        calls[name].append(output)
        order.append(name)
        tell(flow, module, name, taken, output)

    with evaluating(model), torch.inference_mode(), watching(model, told, follow) as flow:
        for one in parts(given).values():
            flow.number(one)
        made = picked(call(model, given), output)
    return Seen(model, given, made, flow, calls, order)


def layers(model: nn.Module, x: ModelInput, *, fixed_batch: int | None = None) -> list[Layer]:
    """List every named module with the shape of its output for a batch like `x`, (n, …), in order of definition."""
    seen = watch(model, x, None if fixed_batch else 3)
    found = []
    for name, module in model.named_modules():
        if not name:
            continue
        made = next(iter(seen.calls[name]), None)
        shape, width = _shape(seen, made) if isinstance(made, Tensor) else (None, None)
        found.append(Layer(name, type(module).__name__, shape, width, len(seen.calls[name])))
    return found


def _shape(seen: Seen, made: Tensor) -> tuple[tuple[int, ...], int | None]:
    """Return a value's shape without its rows, and its width after mean pooling."""
    if not made.ndim:
        return (), None
    candidates = [axis for axis, length in enumerate(made.shape) if length == seen.rows] or [0]
    rows = next((axis for axis in candidates if seen.holds_rows(made, axis)), candidates[0])
    shape = tuple(length for axis, length in enumerate(made.shape) if axis != rows)
    known = [axis for axis in seen.flow.channel_axes(made) if axis != rows]
    if not has_positions(made.shape, rows):
        return shape, made.numel() // made.shape[rows] if shape else None
    return shape, made.shape[known[0]] if len(known) == 1 else None


def suggest(
    model: nn.Module,
    x: ModelInput,
    *,
    classes: int | None = None,
    fixed_batch: int | None = None,
    output: str | None = None,
) -> str:
    """Return where a model is to be audited.

    For a model that returns class scores it is the input of the layer that makes them; for any other model it is what
    leaves it. Scores are what has a column for each of the task's classes; without a task, what a last linear layer of
    few outputs gives.

    Args:
        x: A batch that the model takes, (n, …).
        classes: Columns that the scores of the task have, if the model has one: one for each class (Answer.outputs).
        fixed_batch: Rows that the model takes, if it takes no other number.
        output: Which part of what the model returns holds the scores (audit.model.structure.outputs); None: all of it,
            or the one part that may be them.

    Raises:
        BottleneckError: The model returns several values, several that may be the scores, nothing that could be
            audited, or scores that no layer alone makes.
    """
    rows = None if fixed_batch else 2
    seen = watch(model, x, rows, output)
    if not isinstance(seen.output, Tensor) and classes is not None:
        found = scoring_parts(seen.output, classes)
        if len(found) > 1:
            raise BottleneckError(
                f"The model returns {len(found)} parts that may be the scores of the task. Say which: --model-output "
                f"{found[0]}, of {', '.join(found[:8])}."
            )
        seen = watch(model, x, rows, found[0]) if len(found) == 1 else seen
    if not isinstance(seen.output, Tensor):
        return _part(seen.output, seen.rows)
    scorer = _scorer(seen, scores=classes is not None)
    if classes is None:
        width = 1 if seen.output.ndim < 2 else seen.output.shape[-1]
        maps = seen.output.ndim > 2 and scorer not in {*seen.last(*LINEAR)}  # an image, say, that a convolution made
        return f"{scorer}:input" if scorer and width <= FEW and not maps else OUTPUT
    if not is_scores(seen.output, classes):
        return OUTPUT
    if scorer is None:
        raise BottleneckError(
            "No linear layer or convolution alone makes the model's class scores, so no bottleneck can be suggested. "
            f"Name one with --layer ({OUTPUT} for the scores themselves); irene layers lists them."
        )
    return f"{scorer}:input"


def is_scores(output: Tensor, classes: int) -> bool:
    """Return whether an output, (n, classes), or one score a row for two classes, may be the scores of a task.

    Of one "class", a quantity or a single threshold, it is one number a row.
    """
    single = output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1)
    return single if single and classes in (1, 2) else output.ndim == 2 and output.shape[1] == classes


def scoring_parts(output: object, classes: int) -> list[str]:
    """Return which parts of an output may be the scores of a task (audit.model.structure.outputs).

    One number a row may be anything, as a depth is, where the model returns other vectors too.
    """
    flat = [(name, value) for name, value in tensors(output) if value.ndim <= 2]
    return [
        name
        for name, value in flat
        if is_scores(value, classes) and (len(flat) == 1 or value.shape[1:2] == (classes,) != (1,))
    ]


def squashed(seen: Seen) -> bool:
    """Return whether a sigmoid or a softmax made the output of the model, as far as can be seen."""
    if not isinstance(seen.output, Tensor):
        return False
    behind = (name for _, name in seen.flow.history(seen.output) if name not in SAME_NUMBERS)
    return next(behind, "") in ("sigmoid", "special_expit", "softmax")


def _scorer(seen: Seen, *, scores: bool) -> str | None:
    """Return the linear layer or convolution whose output is the model's, but for a softmax, a mean or the like.

    Where the output is known to be `scores`, any function of each number may be behind it, as an activation.
    """
    assert isinstance(seen.output, Tensor)

    def are_scores(step: tuple[int, str]) -> bool:
        return scores or step[1] in UNARY | RESHAPED | SLICED or POOLED.fullmatch(step[1]) is not None

    steps = takewhile(are_scores, seen.flow.history(seen.output))
    line = [seen.flow.number(seen.output), *(number for number, _ in steps)]
    once = set(seen.last(*LINEAR, *CONVOLUTIONS))
    made = [name for number in line for name in seen.flow.made_by.get(number, ()) if name in once]
    return next(iter(made), None)


def _part(output: object, rows: int, path: str = OUTPUT) -> str:
    """Return the one part of an output that could be audited, or raise a BottleneckError that names all parts."""
    found = list(_parts(output, rows, path))
    if len(found) == 1:
        return found[0]
    if not found:
        raise BottleneckError(
            f"The model returns a {type(output).__name__} without floats of one row an input, so no bottleneck can be "
            "suggested. Name one with --layer; irene layers lists them."
        )
    raise BottleneckError(
        f"The model returns {len(found)} values. Name with --layer the one that is released: {', '.join(found[:8])}."
    )


def _parts(output: object, rows: int, path: str) -> Iterator[str]:
    if isinstance(output, Mapping):
        for key, value in output.items():
            yield from _parts(value, rows, f"{path}[{key}]")
    elif isinstance(output, tuple | list):
        for place, value in enumerate(output):
            yield from _parts(value, rows, f"{path}[{place}]")
    elif isinstance(output, Tensor) and output.is_floating_point() and rows in output.shape:
        yield path
