"""A look at the task before a step is trained: a model that does not do it would be trained on wrong labels."""

from functools import partial

import numpy as np
import torch
from torch import nn

from audit.bootstrap import Resamples, resample
from audit.data.class_order import BetterOrder, better_order
from audit.data.columns import Answers, Ints, Quantity
from audit.data.labelled import LabelledData
from audit.data.model_input import to
from audit.errors import DataError
from audit.evidence.audit_result import AnyTask
from audit.evidence.headline import not_above
from audit.model.structure.eval_mode import evaluating
from audit.protocol.task_performance import BetterUnit, better_unit, performance, quantity_performance
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
    target, groups = rows.attribute(job.task, "task"), rows.groups()
    predicted = _answers(model, rows, job)
    half, every = np.random.default_rng(seed).permutation(len(rows)), np.arange(len(rows))
    drawn = partial(resample, times=TIMES, seed=seed, key=b"")  # these figures are not published

    def draw(own: Ints) -> Resamples:
        return drawn(groups[own])

    better: BetterOrder | BetterUnit | None
    task: AnyTask
    if isinstance(target, Quantity):
        better = better_unit(target, predicted, half[::2], half[1::2])
        task = quantity_performance(job.task, target, predicted, every, draw)
    else:
        answer = predicted.astype(np.int64)
        better = better_order(target, answer, half[::2], half[1::2])
        task = performance(job.task, target, answer, every, draw)
    if better or task.is_at_chance:
        told = better.describe(job.task) if better else not_above(task)
        raise DataError(f"{told[0].upper()}{told[1:]}. {REMEDY}")


def _answers(model: nn.Module, rows: LabelledData, job: TrainingJob) -> Answers:
    """Return the class, or the number, that the model answers for each row, (n,)."""
    forward = ForwardPass.of(model, job, job.device)
    blocks = np.array_split(np.arange(len(rows)), max(1, -(-len(rows) // AT_ONCE)))
    with evaluating(model), torch.no_grad():
        found = torch.cat([forward.scores(to(x, job.device)) for x, _ in batches(rows, job.named[:1], blocks)])
    if forward.aim.edges is not None:
        return forward.aim.in_unit(found).numpy()
    return found.argmax(dim=1).cpu().numpy()
