"""What changed between two audits of the same rows: paired by resample, so that noise they share drops out.

Both audits drew the same groups of the same test rows with the same seed; the interval of a change is that of the
differences, resample by resample. Evidence of an older schema has no draws: its interval joins those of both ends as
if they were independent (the square-and-add rule of Zou & Donner 2008), which is rather too wide than too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.evidence.audit_result import AnyTask
from audit.evidence.findings import Draws, Estimate, Measurement
from audit.evidence.metric import EXCESS

TAIL = 0.025
"""Share of the differences beyond each end of an interval."""
UNSEEN = 3.0
"""Rows that may differ at 95 % where none of them does (the rule of three, Hanley & Lippman-Hand 1983)."""


@dataclass(frozen=True)
class Change:
    """`after` − `before`."""

    estimate: Estimate
    paired: bool
    """Whether the interval is of the differences; else it takes both ends as independent."""


def changed(
    before: Estimate, after: Estimate, drawn: Draws, drawn_after: Draws, *, rows: float | None = None
) -> Change:
    """Return the change of one figure with its 95 % interval.

    Args:
        before: The figure of the first audit.
        after: The same figure of the second one.
        drawn: `before` on each resample; empty in old evidence.
        drawn_after: `after` on the same resamples.
        rows: Independent rows that the figure is a share of; None if it is none, or nobody knows.
    """
    value = after.value - before.value
    differences = _differences(drawn, drawn_after)
    if len(differences) > 1 and rows and not differences.any() and value == 0:  # no row is read in another way
        return Change(Estimate(value=0.0, low=-UNSEEN / rows, high=UNSEEN / rows), paired=True)
    if len(differences) < 2 or np.ptp(differences) == 0 < _width(before) + _width(after):
        # nothing to pair, or every row alike in all resamples: no width would claim that the change is exact
        low = math.hypot(after.value - after.low, before.high - before.value)
        high = math.hypot(after.high - after.value, before.value - before.low)
        return Change(Estimate(value=value, low=value - low, high=value + high), paired=False)
    low, high = np.quantile(differences, [TAIL, 1 - TAIL])
    return Change(Estimate(value=value, low=min(float(low), value), high=max(float(high), value)), paired=True)


def figure_change(before: Measurement, after: Measurement, name: str) -> Change:
    """Return the change of a figure of the strongest attacker, or of the excess.

    Args:
        before: Of the first audit.
        after: Of the second one, in the same metric.
        name: As in audit.evidence.metric: `balanced_accuracy`, `auroc`, `r2`, `mae`, `excess`.
    """
    figures, changed_figures = ({**one.figures, EXCESS: one.excess} for one in (before, after))
    share = before.metric if before.metric != "r2" and name in (before.metric, EXCESS) else None
    rows = None if share is None else _rows(figures[share], before.draws.get(share, []))
    drawn, drawn_after = (one.draws.get(name, []) for one in (before, after))
    return changed(figures[name], changed_figures[name], drawn, drawn_after, rows=rows)


def task_change(before: AnyTask, after: AnyTask) -> Change:
    """Return the change of the task's accuracy, or of the R² of a quantity."""
    rows = _rows(before.score, before.score_draws) if before.percent else None
    return changed(before.score, after.score, before.score_draws, after.score_draws, rows=rows)


def _rows(share: Estimate, drawn: Draws) -> float | None:
    """Return how many independent rows a share would have that varies as this one does: p (1 − p) / variance."""
    known = [one for one in drawn if one is not None]
    variance = float(np.var(known)) if known else 0.0
    return share.value * (1 - share.value) / variance if variance > 0 and 0 < share.value < 1 else None


def _differences(before: Sequence[float | None], after: Sequence[float | None]) -> np.ndarray:
    """Return the differences of the resamples that both audits have a figure for."""
    if len(before) != len(after):
        return np.empty(0)
    return np.array([b - a for a, b in zip(before, after, strict=True) if a is not None and b is not None])


def _width(estimate: Estimate) -> float:
    return estimate.high - estimate.low
