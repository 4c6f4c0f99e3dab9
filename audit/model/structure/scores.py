"""What a model's output says of its task: scores of classes, thresholds between ordered ones, or a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard, get_args

import torch
from torch import Tensor

from audit.data.cells import number
from audit.data.columns import Quantity
from audit.data.labelled import LabelledData
from audit.errors import DataError, require_known, require_text
from audit.model.structure.listing import Seen, is_scores, scoring_parts, squashed
from audit.model.structure.outputs import tensors

Scores = Literal["logits", "probabilities", "ordinal"]
"""What the model's output holds for each class; `ordinal`: for each step from one of K ordered classes to the next, the
logit of being beyond it, K − 1 in all (Cao, Mirjalili and Raschka, Rank consistent ordinal regression, 2020)."""
SMALLEST = 1e-6
"""A probability below it counts as it, so that its logarithm is finite."""


def require_scores(scores: object, output: object) -> None:
    """Raise an IreneError for scores that there are not, or a part of the output that is not named by a text."""
    if scores is not None:
        require_known("kind of scores", scores, get_args(Scores))
    require_text("The part of the model's output", output)


@dataclass(frozen=True)
class Answer:
    """What a model is to answer for each row: one of some classes, or a number."""

    task: str
    classes: Sequence[str] | None
    """In the order of the model's outputs; None: the task is a quantity."""
    scores: Scores | None = None
    """What the user says that the output holds; None: as the model makes known."""

    @staticmethod
    def of(data: LabelledData, task: str, scores: Scores | None) -> "Answer":
        """Return what a model is to answer to a column: a class, or a number if it is a quantity.

        Raises:
            DataError: The user says of the output what does not go with the column, or nothing orders its classes.
        """
        column = data.attribute(task, "task")
        if isinstance(column, Quantity):
            if scores is not None:
                raise DataError(
                    f"Task {task!r} is a quantity, and --scores {scores} is of classes. Leave --scores out, or read "
                    f"the column as classes (--classes {task})."
                )
            return Answer(task, None)
        if scores == "ordinal" and task not in data.ordered and any(number(one) is None for one in column.classes):
            raise DataError(
                f"The classes of {task!r} are {', '.join(column.classes[:5])} in the alphabet's order, and thresholds "
                "stand between ordered classes. Name all of them in their order with --task-classes."
            )
        return Answer(task, column.classes, scores)

    @property
    def is_ordinal(self) -> bool:
        """Whether the outputs are thresholds between the classes."""
        return self.classes is not None and self.scores == "ordinal"

    @property
    def outputs(self) -> int:
        """Columns that such an output has; one for two classes may be one for both."""
        return 1 if self.classes is None else len(self.classes) - self.is_ordinal

    @property
    def told(self) -> str:
        """What the output holds, in words: `the scores of 10 classes`."""
        if self.classes is None:
            return f"the value of {self.task!r}"
        return f"the {'thresholds' if self.is_ordinal else 'scores'} of {len(self.classes)} classes"

    def read(self, output: object, kind: Scores = "logits") -> Tensor:
        """Return what a model's output holds of the answer, (n, outputs); of classes, logits of each, (n, classes).

        Raises:
            DataError: The output is of another shape, or no numbers.
        """
        if self.classes is not None and not self.is_ordinal:
            return class_scores(output, len(self.classes), self.task, kind, self._other_ways(output))
        found = _numbers(output)
        if self.classes is None:
            if not is_single(found):
                raise DataError(
                    f"The model's output has shape {list(found.shape)} and task {self.task!r} is a quantity, which is "
                    "one number a row. Name the output that is it, for instance --model-output 0; or, if the model "
                    f"scores classes, read the column as such (--classes {self.task})."
                )
        elif found.shape[1:] != (self.outputs,) and not (self.outputs == 1 and is_single(found)):
            raise DataError(
                f"The model's output has shape {list(found.shape)}, and {len(self.classes)} ordered classes of "
                f"{self.task!r} have {self.outputs} thresholds. Name all of its classes in their order "
                "(--task-classes), those that no row has, too; or leave --scores ordinal out."
            )
        found = found.reshape(len(found), -1)
        return torch.logit(found.float(), SMALLEST) if kind == "probabilities" else found

    def _other_ways(self, output: object) -> str:
        """Return what the user may say if an output is none of class scores: `; or say --scores ordinal, if …`."""
        classes = self.classes or ()
        ways = []
        if is_single(output) and all(number(one) is not None for one in classes):
            ways.append(f"--continuous {self.task}, if the model predicts a quantity")
        if isinstance(output, Tensor) and output.shape[1:] == (len(classes) - 1,):
            ways.append("--scores ordinal, if these are thresholds between ordered classes")
        return f"; or say {', or '.join(ways)}" if ways else ""

    def said(self, found: Tensor) -> Tensor:
        """Return the answer of each row by what was read, (n,): the class's place, how many thresholds are passed, or
        the number.
        """
        if self.classes is None:
            return found[:, 0].double()
        return (found > 0).sum(dim=1) if self.is_ordinal else found.argmax(dim=1)

    def kind_of_thresholds(self, seen: Seen) -> Scores:
        """Return whether the thresholds are logits, or probabilities, which a sigmoid made."""
        return "probabilities" if self.is_ordinal and squashed(seen) else "logits"

    def require_logits(self, low: float, high: float) -> None:
        """Raise a DataError for thresholds, from `low` to `high`, that may be probabilities and are not known to be."""
        if self.is_ordinal and 0 <= low <= high <= 1:
            raise DataError(
                f"The model's thresholds of {self.task!r} run from {low:.3g} to {high:.3g}, as probabilities do, and "
                "would all be passed as logits. Make the model return logits."
            )


def staircase(thresholds: Tensor) -> Tensor:
    """Return a score for each of K ordered classes, (n, K), from the logits of the steps between them, (n, K − 1).

    The highest is that of the class whose thresholds are passed, where these fall from one to the next.
    """
    return torch.cat([torch.zeros_like(thresholds[:, :1]), thresholds.cumsum(dim=1)], dim=1)


def place_of_scores(output: object, answer: Answer, asked: str | None) -> str | None:
    """Return where the task's scores are in a model's output (audit.model.structure.outputs); None for all of it.

    Args:
        answer: What they are of.
        asked: What the user says of the place, if anything.

    Raises:
        DataError: Nobody says, and several parts of the output may be the scores, or none.
    """
    if asked is not None or isinstance(output, Tensor):
        return asked
    found = scoring_parts(output, answer.outputs)
    if len(found) == 1:
        return found[0]
    named = found or [name for name, _ in tensors(output)]
    raise DataError(
        f"The model returns a {type(output).__name__}, and {'several parts' if found else 'no part'} of it may be "
        f"{answer.told}. Say which: --model-output {named[0] if named else 'NAME'}"
        + (f", of {', '.join(named[:8])}." if len(named) > 1 else ", or leave the task out.")
    )


def class_scores(output: object, classes: int, task: str, scores: Scores = "logits", others: str = "") -> Tensor:
    """Return a model's output as logits of the task's classes, (n, classes); a single score counts for class 1.

    `others` ends the error for an output of another shape: what else it may be.
    """
    output = _numbers(output)
    if not is_scores(output, classes):
        raise DataError(
            f"The model's output has shape {list(output.shape)} and task {task!r} has {classes} classes. "
            "Name the task that the model was trained for, or none; or all of its classes in the order of the outputs "
            f"(--task-classes), those that no row has, too{others}."
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


def _numbers(output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of class scores. "
            "Wrap it in a factory that does, or leave the task out."
        )
    if output.dtype == torch.bool:
        raise DataError("The model returns what is true or false, and scores are numbers. Make it return these.")
    return output


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
