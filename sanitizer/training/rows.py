"""The rows of one fine-tuning: those that train, those a method is fitted on, and those that choose the epoch."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from audit.data.columns import Quantity
from audit.data.labelled import LabelledData
from audit.errors import DataError
from sanitizer.job import TrainingJob
from sanitizer.training import reweighting
from sanitizer.training.reweighting import Doubles, draw, take_drawn

HELD_OUT = 0.15
"""Share of the training groups that only choose the epoch and check the training adversary."""


@dataclass(frozen=True)
class TrainingRows:
    """The rows of one run, n in all."""

    fit: LabelledData
    """Rows of the training steps."""
    probabilities: Doubles | None
    """Sampling probability of each of them, (n of `fit`,); None for one pass per epoch."""
    full: LabelledData
    """Rows that a method is fitted on (resampled if reweighting): all, where no epoch has to be chosen."""
    held_out: LabelledData
    """Rows that choose the epoch (resampled if reweighting)."""
    effective_share: float
    """Independent rows that the held-out rows are equivalent to, as a share of them."""

    @staticmethod
    def of(job: TrainingJob) -> "TrainingRows":
        """Split the rows of a job by its recipe; a DataError if they fill no batch, or cannot be resampled as asked."""
        recipe = job.recipe
        fit, held_out = hold_out(job.data, recipe.seed)
        if recipe.reweigh and job.task is None:
            raise DataError("--reweigh makes a task independent of the private attributes, and no --task was named.")
        if recipe.reweigh and job.task and isinstance(job.data.attribute(job.task, "task"), Quantity):
            raise DataError(
                f"--reweigh draws rows by classes of the task, and {job.task!r} is a quantity. Leave it out, or cut "
                "the column."
            )
        if recipe.reweigh and job.private and job.task:
            reweighting.require_every_cell(fit, job.task, job.private)
            ours = reweighting.independence_probabilities(fit, job.task, job.private)
            others = reweighting.independence_probabilities(held_out, job.task, job.private)
            full = take_drawn(fit, draw(ours, seed=recipe.seed))
            chosen = take_drawn(held_out, draw(others, seed=recipe.seed))
            rows = TrainingRows(fit, ours, full, chosen, reweighting.effective_share(others))
        else:
            rows = TrainingRows(fit, None, fit if recipe.epochs else job.data, held_out, 1.0)
        if len(fit) < recipe.batch_size:
            raise DataError(
                f"{len(fit)} training rows do not fill one batch of {recipe.batch_size}. "
                "Give more rows or a smaller --batch-size."
            )
        return rows


def hold_out(data: LabelledData, seed: int) -> tuple[LabelledData, LabelledData]:
    """Return the rows that train and the rows that choose, whole groups each."""
    splitter = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
    fit, held_out = next(splitter.split(np.arange(len(data)), groups=data.groups()))
    return data.take(fit), data.take(held_out)
