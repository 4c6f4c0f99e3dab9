"""The rows of one fine-tuning: those that train, those a method is fitted on, and those that choose the epoch."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from audit.data.labelled import LabelledData
from audit.errors import DataError
from sanitizer.job import TrainingJob
from sanitizer.training.reweighting import (
    Doubles,
    draw,
    effective_share,
    independence_probabilities,
    require_every_cell,
    take_drawn,
)

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
    """Rows used when a method is fitted on the full training set (resampled if reweighting)."""
    held_out: LabelledData
    """Rows that choose the epoch (resampled if reweighting)."""
    effective_share: float
    """Independent rows that the held-out rows are equivalent to, as a share of them."""

    @staticmethod
    def of(job: TrainingJob) -> "TrainingRows":
        """Split the rows of a job by its recipe.

        Raises:
            DataError: They do not fill one batch, or no resampling can make task and attributes independent.
        """
        recipe = job.recipe
        fit, held_out = hold_out(job.data, recipe.seed)
        if recipe.reweigh and job.private:
            require_every_cell(fit, job.task, job.private)
            ours, others = (independence_probabilities(part, job.task, job.private) for part in (fit, held_out))
            full, chosen = (
                take_drawn(part, draw(by, seed=recipe.seed)) for part, by in ((fit, ours), (held_out, others))
            )
            rows = TrainingRows(fit, ours, full, chosen, effective_share(others))
        else:
            rows = TrainingRows(fit, None, fit, held_out, 1.0)
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
