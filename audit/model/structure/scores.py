"""What a model's output says of the classes of its task."""

from typing import Literal, TypeGuard

import torch
from torch import Tensor

from audit.errors import DataError
from audit.model.structure.listing import Seen, is_scores, scoring_parts, squashed
from audit.model.structure.outputs import tensors

Scores = Literal["logits", "probabilities"]
"""What the model's output holds for each class."""
SMALLEST = 1e-6
"""A probability below it counts as it, so that its logarithm is finite."""


def place_of_scores(output: object, classes: int, asked: str | None) -> str | None:
    """Return where the task's scores are in a model's output (audit.model.structure.outputs); None for all of it.

    Args:
        asked: What the user says, if anything.

    Raises:
        DataError: Nobody says, and several parts of the output may be the scores, or none.
    """
    if asked is not None or isinstance(output, Tensor):
        return asked
    found = scoring_parts(output, classes)
    if len(found) == 1:
        return found[0]
    named = found or [name for name, _ in tensors(output)]
    raise DataError(
        f"The model returns a {type(output).__name__}, and {'several parts' if found else 'no part'} of it may be the "
        f"scores of {classes} classes. Say which: --model-output {named[0] if named else 'NAME'}"
        + (f", of {', '.join(named[:8])}." if len(named) > 1 else ", or leave the task out.")
    )


def class_scores(output: object, classes: int, task: str, scores: Scores = "logits") -> Tensor:
    """Return a model's output as logits of the task's classes, (n, classes); a single score counts for class 1."""
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of class scores. "
            "Wrap it in a factory that does, or leave the task out."
        )
    if output.dtype == torch.bool:
        raise DataError("The model returns what is true or false, and scores are numbers. Make it return these.")
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


def require_rows(output: object, rows: int) -> None:
    """Raise a DataError unless a model returns one row of scores for each of its inputs."""
    if isinstance(output, Tensor) and (not output.ndim or len(output) != rows):
        raise DataError(
            f"The model's output for {rows} inputs has shape {list(output.shape)}, and scores are one row an input. "
            "Make it return these, or leave the task out."
        )


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
