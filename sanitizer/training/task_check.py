"""A look at the task before a step is trained: a model that does not do it would be trained on wrong labels."""

from functools import partial

import numpy as np
import torch
from torch import nn

from audit.bootstrap import resample
from audit.data.class_order import better_order
from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.data.model_input import to
from audit.errors import DataError
from audit.evidence.headline import not_above
from audit.model.structure.eval_mode import evaluating
from audit.protocol.task_performance import performance
from sanitizer.job import TrainingJob
from sanitizer.training.batches import batches
from sanitizer.training.forward import AT_ONCE, ForwardPass

MOST = 2000
"""Training rows that are looked at."""
TIMES = 200
"""Resamples for the interval of the accuracy."""
REMEDY = "Nothing was trained. Mend that, or give --allow-chance (allow_chance=True) to train it all the same."


def require_task(model: nn.Module, job: TrainingJob) -> None:
    """Raise a DataError if a model is no better at its task than a constant answer, or far better in another order."""
    if job.task is None:
        return
    seed = job.recipe.seed
    rows = job.data.limited(MOST, seed=seed)
    target, groups = rows.column(job.task, "task"), rows.groups()
    predicted = _answers(model, rows, job)
    half = np.random.default_rng(seed).permutation(len(rows))
    if order := better_order(target, predicted, half[::2], half[1::2]):
        told = order.describe(job.task)
        raise DataError(f"{told[0].upper()}{told[1:]}. {REMEDY}")
    drawn = partial(resample, times=TIMES, seed=seed, key=b"")  # these figures are not published
    task = performance(job.task, target, predicted, np.arange(len(rows)), lambda own: drawn(groups[own]))
    if task.is_at_chance:
        told = not_above(task)
        raise DataError(f"{told[0].upper()}{told[1:]}. {REMEDY}")


def _answers(model: nn.Module, rows: LabelledData, job: TrainingJob) -> Ints:
    """Return the class that the model answers for each row, (n,)."""
    forward = ForwardPass.of(model, job, job.device)
    blocks = np.array_split(np.arange(len(rows)), max(1, -(-len(rows) // AT_ONCE)))
    with evaluating(model), torch.no_grad():
        found = [
            forward.scores(to(x, job.device)).argmax(dim=1).cpu().numpy()
            for x, _ in batches(rows, job.named[:1], blocks)
        ]
    return np.concatenate(found).astype(np.int64)
