"""The model at its own task: how often its answers are right on some rows."""

from collections.abc import Callable

import numpy as np

from audit.bootstrap import Resamples, draws, estimate_share
from audit.data.columns import Column, Ints
from audit.evidence.audit_result import Task


def performance(name: str, target: Column, predicted: Ints, rows: Ints, draw: Callable[[Ints], Resamples]) -> Task:
    """Return how well a model does its task, with intervals over resamples of the groups.

    Args:
        name: Of the task.
        target: Its classes of all rows.
        predicted: The answers of all rows, (n,), places in `target.classes`.
        rows: Those to look at; one without a class is left out.
        draw: Resamples some rows.
    """
    rows = rows[target.known[rows]]
    answer = predicted[rows]
    present, y = np.unique(target.codes[rows], return_inverse=True)
    resamples = draw(rows)
    is_right = target.codes[rows] == answer
    right, k = resamples.means(is_right), len(present)
    return Task(
        name=name,
        classes=list(target.classes),
        accuracy=estimate_share(right, resamples.weights.shape[1]),
        balanced_accuracy=estimate_share(resamples.mean_recall(is_right, y, k), resamples.independent(y, k)),
        chance=float(np.bincount(y).max() / len(y)),
        missing=int((~target.known).sum()),
        accuracy_draws=draws(right),
        guess=1 / k,
        answered=len(np.unique(answer)),
    )
