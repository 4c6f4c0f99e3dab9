"""Reweighting: training rows resampled so that the task and the private attributes are independent.

If their correlation is an artefact of sampling, a model learns to predict its task from the private attribute, and its
predictions alone leak it. Source: Kamiran and Calders, Data preprocessing techniques for classification without
discrimination, Knowledge and Information Systems 2012: reweighing, here by sampling.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score

from audit.data.columns import Ints, Quantity
from audit.data.labelled import LabelledData
from audit.errors import DataError

Doubles = NDArray[np.float64]
NOTABLE = 0.1
"""Share of two columns' common information from which a user should ask where it comes from."""


def independence_probabilities(data: LabelledData, task: str, private: Sequence[str]) -> Doubles:
    """Return each row's sampling probability, (n,), in proportion to p(y) p(v) / p(y, v); v is all private together."""
    of_y, of_v, counts = _cells(data, task, private)
    odds = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / np.maximum(counts, 1)
    found = odds[of_y, of_v]
    return np.asarray(found / found.sum())


def require_every_cell(data: LabelledData, task: str, private: Sequence[str]) -> None:
    """Raise a DataError where no row has some class of the task together with some classes of the attributes."""
    of_y, of_v, counts = _cells(data, task, private)
    for y, v in np.argwhere(counts == 0)[:1]:
        row, column = np.flatnonzero(of_v == v)[0], np.flatnonzero(of_y == y)[0]
        seen = {name: data.column(name, "labelled").classes[data.codes(name)[row]] for name in private}
        seen |= {task: data.column(task, "labelled").classes[data.codes(task)[column]]}
        raise DataError(
            f"No training row has {' and '.join(f'{name} {label!r}' for name, label in seen.items())}, so no drawing "
            f"makes {task!r} independent of {', '.join(private)}. Give such rows, or leave --reweigh out."
        )


def correlated(data: LabelledData, task: str, private: Sequence[str]) -> dict[str, float]:
    """Return notable correlations with the task: mutual information over the smaller of two entropies, in [0, 1]."""
    if isinstance(data.attribute(task, "labelled"), Quantity):
        return {}  # --reweigh draws by classes
    known = data.complete([task, *private])
    shares = {
        name: float(normalized_mutual_info_score(known.codes(task), known.codes(name), average_method="min"))
        for name in private
    }
    return {name: share for name, share in shares.items() if share > NOTABLE}


def draw(probabilities: Doubles, *, seed: int, turn: int = 0) -> Ints:
    """Draw n of n rows with replacement, (n,), by their probabilities; every turn draws others."""
    rows = len(probabilities)
    return np.random.default_rng((seed, turn)).choice(rows, size=rows, p=probabilities).astype(np.int64)


def take_drawn(data: LabelledData, rows: Ints) -> LabelledData:
    """Return the drawn rows; a row that was drawn twice is one group."""
    return replace(data, group=data.groups()).take(rows)


def effective_share(probabilities: Doubles) -> float:
    """Return the effective sample size of a weighted sample, as a share of its rows (Kish, Survey Sampling)."""
    return float(1 / (len(probabilities) * np.square(probabilities).sum()))


def _cells(data: LabelledData, task: str, private: Sequence[str]) -> tuple[Ints, Ints, Doubles]:
    """Return the class of the task and of all attributes together of each row, (n,) each, and the rows of each pair."""
    of_y = np.unique(data.codes(task), return_inverse=True)[1]
    codes = np.stack([data.codes(name) for name in private], axis=1)
    of_v = np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.zeros((of_y.max() + 1, of_v.max() + 1))
    np.add.at(counts, (of_y, of_v), 1)
    return of_y, of_v, counts
