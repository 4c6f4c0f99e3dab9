"""Learning curve: what an attacker reads by how many labelled rows it has."""

from collections.abc import Sequence

import numpy as np

from audit.attackers.attack import AttackerError, Fits, FittedAttacker, Problem, SplitData, again
from audit.bootstrap import Doubles, Resamples, estimate
from audit.data.columns import Ints
from audit.data.labelled import MIN_ROWS
from audit.data.on_disk import taken
from audit.evidence.findings import CurvePoint, LearningCurve
from audit.parallel.side_by_side import Work
from audit.settings import Settings

HALVINGS = 4
"""Down to a sixteenth of the rows."""


def learning_curves(
    found: Fits, data: SplitData, resamples: Resamples, settings: Settings
) -> list[Work[LearningCurve]]:
    """Return the fits of the strongest attackers on nested parts of the rows that fit.

    Selection and test rows stay as they are.
    """
    return [_curve(member, found, data, resamples, settings) for member in _asked(found)]


def _asked(found: Fits) -> list[FittedAttacker]:
    """Return the strongest single attacker, and the strongest of those that learn from all rows."""
    streaming = [member for member in found.able if member.fit.learner.most is None] or [found.best]
    all_rows = max(streaming, key=lambda member: member.fit.select.score)
    return list({member.title: member for member in (found.best, all_rows)}.values())


def _curve(
    member: FittedAttacker, found: Fits, data: SplitData, resamples: Resamples, settings: Settings
) -> Work[LearningCurve]:
    problem, z, labels = data.problem, found.seen[member.sees][1], data.v
    sizes, parts = _nested(member, data.v[0], problem, settings.seed)
    most = len(parts[-1])

    def read(part: Ints) -> Doubles | None:
        fewer, v = (taken(z[0], part), *z[1:]), (labels[0][part], *labels[1:])
        try:
            fit = again(member, z[0].shape[1], lambda learner: problem.fit(learner, fewer, v))
        except AttackerError:
            if len(part) == most:
                raise
            return None  # too few rows for it, as fifteen neighbours among twelve
        return fit.test.each(problem.metric, resamples)

    def curve(longest_first: list[Doubles | None]) -> LearningCurve:
        each = [*longest_first[::-1], member.fit.test.each(problem.metric, resamples)]
        known = [(size, values) for size, values in zip(sizes, each, strict=True) if values is not None]
        points = [
            CurvePoint(rows=size, figure=member.fit.test.estimate(problem.metric, resamples, values))
            for size, values in known
        ]
        return LearningCurve(attacker=member.title, points=points, gain=estimate(known[-1][1] - known[-2][1]))

    return Work(read, parts[::-1], curve)


def _nested(member: FittedAttacker, v: Ints, problem: Problem, seed: int) -> tuple[Sequence[int], list[Ints]]:
    """Return the sizes, up to the rows that it learned from, and the rows of all but the last, each part of the next.

    Each class keeps its share. A part smaller than a half has MIN_ROWS / 2 rows of each class.
    """
    n = len(v) if member.fit.learner.most is None else min(len(v), member.fit.learner.most)
    order = np.random.default_rng(seed).permutation(len(v))
    strata = problem.strata(v)
    classes = np.zeros(len(v), dtype=np.int64) if strata is None else strata
    own = [order[classes[order] == code] for code in np.unique(classes)]
    parts = []
    for halving in range(HALVINGS, 0, -1):
        of_class = [rows[: max(1, round(len(rows) * n / len(v) / 2**halving))] for rows in own]
        if min(map(len, of_class)) >= MIN_ROWS // 2 or halving == 1:
            parts.append(np.sort(np.concatenate(of_class)))
    return [*map(len, parts), n], parts
