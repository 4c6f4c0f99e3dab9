"""What changed between two audits of the same rows: paired by resample, so that noise they share drops out.

Both audits drew the same groups of the same test rows with the same seed; the interval of a change is that of the
differences, resample by resample. Evidence of an older schema has no draws: its interval joins those of both ends as
if they were independent (the square-and-add rule of Zou & Donner 2008), which is rather too wide than too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.evidence.audit_result import Task
from audit.evidence.findings import Draws, Estimate, Measurement
from audit.evidence.metric import EXCESS

TAIL = 0.025
"""Share of the differences beyond each end of an interval."""


@dataclass(frozen=True)
class Change:
    """`after` − `before`."""

    estimate: Estimate
    paired: bool
    """Whether the interval is of the differences; else it takes both ends as independent."""


def changed(before: Estimate, after: Estimate, drawn: Draws, drawn_after: Draws) -> Change:
    """Return the change of one figure with its 95 % interval.

    Args:
        before: The figure of the first audit.
        after: The same figure of the second one.
        drawn: `before` on each resample; empty in old evidence.
        drawn_after: `after` on the same resamples.
    """
    value = after.value - before.value
    differences = _differences(drawn, drawn_after)
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
    return changed(figures[name], changed_figures[name], before.draws.get(name, []), after.draws.get(name, []))


def accuracy_change(before: Task, after: Task) -> Change:
    """Return the change of the task's accuracy."""
    return changed(before.accuracy, after.accuracy, before.accuracy_draws, after.accuracy_draws)


def _differences(before: Sequence[float | None], after: Sequence[float | None]) -> np.ndarray:
    """Return the differences of the resamples that both audits have a figure for."""
    if len(before) != len(after):
        return np.empty(0)
    return np.array([b - a for a, b in zip(before, after, strict=True) if a is not None and b is not None])


def _width(estimate: Estimate) -> float:
    return estimate.high - estimate.low
