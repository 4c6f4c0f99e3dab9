"""Rows drawn as if the task and the private attributes had nothing to do with each other.

Where they go together by accident of how the rows were collected, a model learns to answer its task by the private
attribute, and gives it away by the answers alone. Source: Kamiran and Calders, Data preprocessing techniques for
classification without discrimination, Knowledge and Information Systems 2012: reweighing, here as sampling.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score

from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.errors import DataError

Doubles = NDArray[np.float64]
SPEAKS = 0.1
"""Share of what two columns say from which on a user should ask why they have it in common."""


def reweighed(data: LabelledData, task: str, private: Sequence[str]) -> Doubles:
    """Return the chance of each row to be drawn, (n,): p(y) p(v) / p(y, v), v being all private attributes together."""
    of_y, of_v, counts = _cells(data, task, private)
    odds = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / np.maximum(counts, 1)
    found = odds[of_y, of_v]
    return np.asarray(found / found.sum())


def require_every_cell(data: LabelledData, task: str, private: Sequence[str]) -> None:
    """Fail where no drawing can make the task independent of the attributes.

    Raises:
        DataError: No row has some class of the task together with some classes of the attributes.
    """
    of_y, of_v, counts = _cells(data, task, private)
    for y, v in np.argwhere(counts == 0)[:1]:
        row, column = np.flatnonzero(of_v == v)[0], np.flatnonzero(of_y == y)[0]
        seen = {name: data.column(name, "labelled").classes[data.codes(name)[row]] for name in private}
        seen |= {task: data.column(task, "labelled").classes[data.codes(task)[column]]}
        raise DataError(
            f"No training row has {' and '.join(f'{name} {told!r}' for name, told in seen.items())}, so no drawing "
            f"makes {task!r} independent of {', '.join(private)}. Give such rows, or leave --reweigh out."
        )


def together(data: LabelledData, task: str, private: Sequence[str]) -> dict[str, float]:
    """Return which attributes go together with the task to speak of, and by how much.

    That is the information that two columns have in common, as a share of the smaller one's entropy.
    """
    known = data.complete([task, *private])
    shares = {
        name: float(normalized_mutual_info_score(known.codes(task), known.codes(name), average_method="min"))
        for name in private
    }
    return {name: share for name, share in shares.items() if share > SPEAKS}


def drawn(chances: Doubles, *, seed: int, turn: int = 0) -> Ints:
    """Return as many rows as there are, (n,), each drawn by its chance; every turn draws others."""
    return np.random.default_rng((seed, turn)).choice(len(chances), size=len(chances), p=chances).astype(np.int64)


def taken(data: LabelledData, rows: Ints) -> LabelledData:
    """Return the rows that were drawn; a row that was drawn twice is one group."""
    return replace(data, group=data.groups()).take(rows)


def worth(chances: Doubles) -> float:
    """Return how many independent rows tell as surely as those drawn, as a share of them (Kish, Survey Sampling)."""
    return float(1 / (len(chances) * np.square(chances).sum()))


def _cells(data: LabelledData, task: str, private: Sequence[str]) -> tuple[Ints, Ints, Doubles]:
    """Return the class of the task and of all attributes together of each row, (n,) each, and the rows of each pair."""
    of_y = np.unique(data.codes(task), return_inverse=True)[1]
    codes = np.stack([data.codes(name) for name in private], axis=1)
    of_v = np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.zeros((of_y.max() + 1, of_v.max() + 1))
    np.add.at(counts, (of_y, of_v), 1)
    return of_y, of_v, counts
