"""The rows of one fine-tuning: those that train, those a method is fitted on, and those that choose the epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from torch.utils.data import ConcatDataset

from audit.data.columns import AnyColumn, Column, Ints, Quantity, Undecided
from audit.data.labelled import LabelledData
from audit.errors import DataError
from sanitizer.job import TrainingJob
from sanitizer.training import reweighting
from sanitizer.training.reweighting import Doubles, draw, take_drawn

HELD_OUT = 0.15
"""Share of the training groups that only choose the epoch and check the training adversary."""
HELD_FROM_TEACHER = 0.25
"""The same where a teacher labels more rows: it does not see them either, and they tell how often it errs."""
ORIGIN = "irene.origin"
"""A column of training rows some of which a teacher labelled."""
ORIGINS = ("learned", "unseen", "taught")
"""Its classes: truly labelled rows that the teacher learned from, those that it did not see, and those that it labelled
itself."""


@dataclass(frozen=True)
class TrainingRows:
    """The rows of one run, n in all."""

    fit: LabelledData
    """Rows of the training steps."""
    probabilities: Doubles | None
    """Sampling probability of each of them, (n of `fit`,); None for one pass per epoch."""
    full: LabelledData
    """Rows that a method is fitted on (resampled if reweighting): all, where no epoch has to be chosen."""
    drawn: Ints | None
    """Which rows of `fit` these are, (n,), if they were resampled."""
    held_out: LabelledData
    """Rows that choose the epoch (resampled if reweighting)."""
    effective_share: float
    """Independent rows that the held-out rows are equivalent to, as a share of them."""

    @staticmethod
    def of(job: TrainingJob) -> "TrainingRows":
        """Split the rows of a job by its recipe; a DataError if they fill no batch, or cannot be resampled as asked."""
        recipe = job.recipe
        fit, held_out = held_from_training(job)
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
            drawn = draw(ours, seed=recipe.seed)
            chosen = take_drawn(held_out, draw(others, seed=recipe.seed))
            rows = TrainingRows(fit, ours, take_drawn(fit, drawn), drawn, chosen, reweighting.effective_share(others))
        elif job.taught is not None:
            more = {"learned": fit, "taught": job.taught.data}
            fit = joined(more, job)
            full = fit if recipe.epochs else joined({**more, "unseen": held_out}, job)
            rows = TrainingRows(fit, None, full, None, held_out, 1.0)
        else:
            rows = TrainingRows(fit, None, fit if recipe.epochs else job.data, None, held_out, 1.0)
        if len(fit) < recipe.batch_size:
            raise DataError(
                f"{len(fit)} training rows do not fill one batch of {recipe.batch_size}. "
                "Give more rows or a smaller batch (--batch-size; in Python, batch_size)."
            )
        return rows


def held_from_training(job: TrainingJob, *, teaches: bool = False) -> tuple[LabelledData, LabelledData]:
    """Return a job's truly labelled rows that train, also a teacher if it has or `teaches` one, and those that choose.

    Each column has its classes of all rows: of an intersection, some rows alone would have others.
    """
    if job.taught is None and not teaches:
        return hold_out(job.data, job.recipe.seed)
    columns = {name: job.data.attribute(name, "labelled") for name in job.named}
    data = replace(job.data, columns={**job.data.columns, **columns})
    return hold_out(data, job.recipe.seed, HELD_FROM_TEACHER)


def hold_out(data: LabelledData, seed: int, share: float = HELD_OUT) -> tuple[LabelledData, LabelledData]:
    """Return the rows that train and the rows that choose, whole groups each; these are such a share of the groups."""
    splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    fit, held_out = next(splitter.split(np.arange(len(data)), groups=data.groups()))
    return data.take(fit), data.take(held_out)


def joined(rows: Mapping[str, LabelledData], job: TrainingJob) -> LabelledData:
    """Return rows of several origins, by their names in ORIGINS, as one; it has the job's columns, and ORIGIN."""
    every = list(rows.values())
    names = [*job.named, *([job.keep_identity] if job.keep_identity else [])]
    columns = {name: _chained([_decided(one, name) for one in every]) for name in names}
    origin = np.repeat([ORIGINS.index(name) for name in rows], [len(one) for one in every])
    groups = [one.groups() for one in every]
    before = np.cumsum([0, *(int(one.max()) + 1 for one in groups)])
    return replace(
        every[0],
        inputs=ConcatDataset([one.inputs for one in every]),  # type: ignore[misc]  # takes whatever has rows
        columns={**columns, ORIGIN: Column(origin.astype(np.int64), ORIGINS)},
        group=np.concatenate([own + first for own, first in zip(groups, before, strict=False)]),
    )


def _decided(data: LabelledData, name: str) -> AnyColumn:
    column = data.columns[name]
    return column.column if isinstance(column, Undecided) else column


def _chained(columns: Sequence[AnyColumn]) -> AnyColumn:
    """Return the column of rows one after the other; the last has the classes of all."""
    first = columns[0]
    if isinstance(first, Quantity):
        return Quantity(np.concatenate([one.values for one in columns if isinstance(one, Quantity)]))
    own = [one for one in columns if isinstance(one, Column)]
    longest = max((one.classes for one in own), key=len)
    return Column(np.concatenate([one.codes for one in own]), longest)
