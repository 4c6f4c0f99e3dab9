"""What of an attribute could be kept at best, if a release told nothing of the private ones beyond the task's label.

Of all predictions of u that are independent of v within each predicted label ŷ, the one nearest to the attacker's own
score in mean square is the barycentre: a score counts as its rank among the rows of its (v, ŷ), and that rank as the
mean of the scores that have it in each v, weighted by how frequent v is under ŷ (Chzhen et al., NeurIPS 2020; Le Gouic
et al., 2020). It sees v, which a release does not, so that a release keeps less. It is an estimate by one attacker on
the test rows, and of these features: an encoder that is trained for u may keep more than it told before.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from audit.attackers.scoring import ClassReading, QuantityReading, Reading
from audit.bootstrap import Doubles
from audit.data.columns import AnyColumn, Column, Ints
from audit.evidence.findings import Estimate
from audit.protocol.target import Target

BINS = 10
"""Into how many, equally frequent, a private quantity is cut."""
_TINY = 1e-12


def at_best(reading: Reading, target: Target, private: Sequence[AnyColumn]) -> Estimate | None:
    """Return the AUROC, or R², of the barycentre of what an attacker read of an attribute.

    Args:
        reading: Of the test rows.
        target: The attribute that should stay.
        private: What a release should not tell, each of every row.

    Returns:
        The figure with its interval; None where some class has no row of which every private attribute is known.
    """
    rows = target.audited.rows[2]
    known = np.logical_and.reduce([column.known[rows] for column in private])
    told = np.unique(
        np.stack([_classes(column, rows)[known] for column in private], axis=1), axis=0, return_inverse=True
    )
    given = np.zeros(len(rows), np.int64) if target.predicted is None else target.predicted[rows]
    groups = told[1].reshape(-1), given[known]
    if isinstance(reading, ClassReading):
        labels = reading.labels[known]
        if len(np.unique(labels)) < reading.k:
            return None
        kept = barycentre(np.exp2(reading.log2_posterior[known]), *groups)
        fair: Reading = ClassReading(reading.right[known], np.log2(np.maximum(kept, _TINY)), labels)
        return fair.estimate("auroc", target.draw(rows[known]))
    if isinstance(reading, QuantityReading) and known.any():
        kept = barycentre(reading.answer[known, None], *groups)[:, 0]
        fair = replace(reading, answer=kept, values=reading.values[known])
        return fair.estimate("r2", target.draw(rows[known]))
    return None


def barycentre(scores: Doubles, v: Ints, given: Ints) -> Doubles:
    """Return scores, (n, m), that tell nothing of v, (n,), within each class of `given`, (n,): nearest in mean square.

    Exact on these rows: the scores of every (v, given) are then spread alike, column by column. Rows of one score are
    ranked by a draw that is the same every time, for their order in a file may tell something.
    """
    found, drawn = np.empty_like(scores), np.random.default_rng(0).random(len(scores))
    for one in np.unique(given):
        own = np.flatnonzero(given == one)
        parts = [own[v[own] == value] for value in np.unique(v[own])]
        sorted_parts = [np.sort(scores[part], axis=0) for part in parts]
        for part, column in product(parts, range(scores.shape[1])):
            order = part[np.lexsort((drawn[part], scores[part, column]))]
            found[order, column] = sum(
                len(other) / len(own) * np.interp(_middles(len(part)), _middles(len(other)), other[:, column])
                for other in sorted_parts
            )
    return found


def _middles(n: int) -> Doubles:
    return (np.arange(n) + 0.5) / n


def _classes(column: AnyColumn, rows: Ints) -> Ints:
    """Return the class of some rows, or the bin of a quantity."""
    if isinstance(column, Column):
        return column.codes[rows]
    values = column.values[rows]
    edges = np.nanquantile(values, np.arange(1, BINS) / BINS)
    return np.searchsorted(edges, values, side="right").astype(np.int64)
