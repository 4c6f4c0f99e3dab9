"""One forward pass of a stranger's model: on its own device, at its own batch size, its inputs left as they were."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audit.data.labelled import LabelledData
from audit.data.loading import first_readable
from audit.errors import DataError, first_line
from audit.model.layers import Taps, evaluating, require_evaluating


@dataclass(frozen=True)
class Pass:
    """The result of one forward pass over b inputs."""

    output: object
    """The model's output: the first b rows if it is a tensor."""
    z: dict[str, Tensor]
    """Representations by layer, (b, d)."""
    changed_inputs: bool
    """Whether the model changed its inputs in place."""


def run_model(model: nn.Module, x: Tensor, taps: Taps, fixed_batch: int | None) -> Pass:
    """Run a tapped model on a copy of x, (b, …), padded to `fixed_batch` rows if it takes no other number."""
    b = len(x)
    padded = torch.cat([x, x[-1:].expand(fixed_batch - b, *x.shape[1:])]) if fixed_batch and b < fixed_batch else x
    given = padded.to(device_of(model), copy=True)
    output = model(given)
    require_evaluating(model)
    same = torch.equal(given.view(torch.uint8), padded.to(given.device).view(torch.uint8))  # NaN is not equal to NaN
    z = {name: rows[:b] for name, rows in taps.take().items()}
    return Pass(output[:b] if isinstance(output, Tensor) else output, z, not same)


def first_input(model: nn.Module, data: LabelledData, *, rows: int = 1) -> Tensor:
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


def class_scores(output: object, classes: int, task: str) -> Tensor:
    """Return a model's output as the scores of the task's classes, (n, classes); a single logit counts for class 1."""
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of class scores. "
            "Wrap it in a factory that does, or leave the task out."
        )
    scores = output.unsqueeze(1) if output.ndim == 1 else output
    if scores.ndim == 2 and scores.shape[1] == 1 and classes == 2:
        return torch.cat([torch.zeros_like(scores), scores], dim=1)
    if scores.ndim != 2 or scores.shape[1] != classes:
        raise DataError(
            f"The model's output has shape {list(output.shape)} and task {task!r} has {classes} classes. "
            "Name the task that the model was trained for, or none; or all of its classes in the order of the outputs "
            "(--task-classes), those that no row has, too."
        )
    return scores


def is_single(output: object) -> bool:
    """Return whether a model's output is one number a row, (n,) or (n, 1)."""
    return isinstance(output, Tensor) and (output.ndim == 1 or output.shape[1:] == (1,))


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
