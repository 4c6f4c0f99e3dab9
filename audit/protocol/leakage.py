"""The measurement protocol: leakage of v from z to attackers that never saw the test rows.

1. Three splits, whole groups each: attackers are fitted on *train*, calibrated, thresholded and chosen
   on *select*; the one that won there is fitted once more on both, and reported on *test*.
2. Classes: balanced accuracy, AUROC and usable information (Xu et al., ICLR 2020). Quantities: R² and the mean
   absolute error. All with 95 % bootstrap intervals over groups.
3. Beside them: a guess, the task-label baseline (an attacker that sees the predicted task label alone), the input
   control, a permutation null, and what z adds to the true task label (Hewitt et al., EMNLP 2021).
4. The verdict is on the excess over the floor, by its interval, against a limit that the user sets; a pass also asks
   whether the attackers would have found such a leak: the learning curve has settled, and a planted leak is recovered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats

from audit.attackers.attack import Attack, Failure, Fits, FittedAttacker, SplitData, again, fits, persistent, refits
from audit.attackers.classification import ClassFit, Classification
from audit.attackers.learner import Matrix
from audit.bootstrap import Resamples, draws, estimate, widened
from audit.data.columns import MISSING
from audit.data.on_disk import AT_ONCE, blocks, in_memory
from audit.errors import DataError
from audit.evidence.findings import ENSEMBLE, AttackerResult, Estimate, Measurement
from audit.evidence.metric import EXCESS, GIVEN_TASK, METRICS
from audit.evidence.verdict import resolution
from audit.parallel.side_by_side import Work, together
from audit.protocol.baselines import by_label
from audit.protocol.exposure import exposure, shots
from audit.protocol.learning_curve import learning_curves
from audit.protocol.permutation_null import permutation_null
from audit.protocol.spike import PLANTED, spikes
from audit.protocol.splits import at_most, without_names
from audit.protocol.target import Target
from audit.settings import Settings

GIVEN_TASK_ROWS = 10_000
"""At most this many rows of each split tell what z adds to the true task label."""


@dataclass(frozen=True)
class Measured:
    """The figures of one attribute at one layer, and the attack that they come from."""

    measurement: Measurement
    attack: Attack


def measure(
    z: Matrix, target: Target, settings: Settings, *, layer: str = "z", projected_from: int | None = None
) -> Measured:
    """Attack one attribute in z, (n, d), of a layer; `projected_from` is the width of z before a random projection."""
    data = target.audited.split(z)

    def tried(failed: Mapping[str, str]) -> Measured:
        fitted = fits(data, settings, failed=failed)
        found, *curves, given_task, planted, attackers, null = together(  # what takes longest comes first
            refits(fitted, data),
            *learning_curves(fitted, data, target.resamples, settings),
            _given_task(fitted, z, target, settings),
            spikes(fitted, data, target, settings),
            _results(fitted, target.resamples, METRICS[data.problem.metric].figures),
            permutation_null(fitted, data, settings),
        )
        beside = {"curves": curves, "spikes": planted, "attackers": attackers, "null": null}
        return Measured(_measurement(found, data, target, settings, given_task, projected_from, beside), found)

    try:
        return persistent(tried)
    except DataError as error:
        raise DataError(f"{target.attribute!r} at {layer!r}: {error}") from None


def _measurement(
    found: Attack,
    data: SplitData,
    target: Target,
    settings: Settings,
    given_task: Estimate | None,
    projected_from: int | None,
    beside: Mapping[str, Any],
) -> Measurement:
    kind, resamples, headline, rows = METRICS[data.problem.metric], target.resamples, found.headline, target.audited
    each = {name: headline.each(name, resamples) for name in kind.figures}
    figures = {name: headline.estimate(name, resamples, values) for name, values in each.items()}
    over = each[kind.name] - target.floor.each(kind.name, resamples)
    excess = widened(estimate(over), figures[kind.name], estimate(each[kind.name]))
    floor = {name: target.floor.estimate(name, resamples) for name in kind.floor}
    baseline, entropy = _without_z(data)
    return Measurement(
        **beside,
        metric=kind.name,
        width=data.z[0].shape[1],
        constant=_is_constant(data),
        projected_from=projected_from,
        missing=rows.missing,
        left_out=without_names(rows.left_out),
        merged=without_names(rows.merged),
        classes=list(rows.classes),
        baseline=baseline,
        entropy=entropy,
        strongest=found.strongest,
        figures=figures if given_task is None else {**figures, GIVEN_TASK: given_task},
        floor=floor,
        ceiling=target.ceiling,
        excess=excess,
        resolution=resolution(
            kind.name, floor[kind.name].value, baseline[kind.name], [one.test for one in rows.classes], settings.limit
        ),
        room=settings.limit == 0 or len(beside["spikes"]) == PLANTED,
        exposure=exposure(found, target),
        shots=shots(found, data, target, settings),
        held=rows.held,
        draws={name: draws(each[name]) for name in kind.drawn} | {EXCESS: draws(over)},
    )


def _is_constant(data: SplitData) -> bool:
    """Return whether all rows that were attacked have the very same vector."""
    first = data.z[0][0]
    return all(bool((block == first).all()) for part in data.z for block in blocks(part, AT_ONCE))


def _without_z(data: SplitData) -> tuple[dict[str, float], float | None]:
    """Return the figures of a guess, and H(v) in bits of classes."""
    train, _, test = data.v
    if isinstance(data.problem, Classification):
        entropy = float(scipy.stats.entropy(np.bincount(test.astype(np.int64)), base=2))
        return {data.problem.metric: data.problem.guess}, entropy
    return {data.problem.metric: data.problem.guess, "mae": float(np.abs(test - np.median(train)).mean())}, None


def _results(found: Fits, resamples: Resamples, figures: Sequence[str]) -> Work[list[AttackerResult]]:
    read = [one.fit.test for one in found.able] + ([] if found.ensemble is None else [found.ensemble[1]])

    def results(each: list[dict[str, Estimate]]) -> list[AttackerResult]:
        estimates = iter(each)
        told = [
            AttackerResult(name=one.name, view=one.view, select=None, figures={}, failure=one.reason)
            if isinstance(one, Failure)
            else AttackerResult(
                name=one.name, view=one.view, select=one.fit.select.score, figures=next(estimates),
                rows=one.fit.learner.rows,
            )
            for one in found.members
        ]  # fmt: skip
        if found.ensemble is None:
            return told
        select = found.ensemble[0].score
        return [*told, AttackerResult(name=ENSEMBLE, view="both", select=select, figures=next(estimates), rows=None)]

    def figured(place: int) -> dict[str, Estimate]:
        return {figure: read[place].estimate(figure, resamples) for figure in figures}

    return Work(figured, range(len(read)), results)


def _given_task(found: Fits, z: Matrix, target: Target, settings: Settings) -> Work[Estimate | None]:
    """Return the fits that tell what z adds to the true label, in bits: CE(v | y) − CE(v | z, y).

    They tell None of a quantity, or without a task.

    The strongest single attacker, and the strongest that is not linear, are fitted again on features with y beside
    them, so that they may use both: a bit that tells v only together with y tells neither of them anything alone.
    """
    y, problem, labels = target.y, target.audited.problem, target.audited.labels
    nothing: Work[Estimate | None] = Work(lambda _: None, [], lambda _: None)
    if y is None or not isinstance(problem, Classification):
        return nothing
    known = [part[y[part] != MISSING] for part in target.audited.rows]
    rows = [at_most(part, GIVEN_TASK_ROWS, settings.seed) for part in known]  # bits are of the frequencies as they are
    v = [labels[part] for part in rows]
    if min(len(np.unique(part)) for part in v) < problem.k:
        return nothing
    label = np.unique(y, return_inverse=True)[1]
    alone = by_label(label, v, rows, problem.k)
    beside = np.eye(int(label.max()) + 1, dtype=np.float32)

    def with_y(member: FittedAttacker) -> ClassFit:
        seen = [
            np.concatenate(
                [member.preprocessing.transform(in_memory(z, part)).astype(np.float32), beside[label[part]]], axis=1
            )
            for part in rows
        ]

        return again(member, seen[0].shape[1], lambda learner: problem.fit(learner, seen, v))

    def beyond(each: list[ClassFit]) -> Estimate:
        both = min(each, key=lambda fit: fit.select.loss).test
        return estimate(target.draw(rows[2]).means(both.true_log2 - alone.true_log2))

    return Work(with_y, _asked(found), beyond)


def _asked(found: Fits) -> list[FittedAttacker]:
    """Return the strongest single attacker, the strongest that is not linear, and a smooth one."""
    curved = [one for one in found.members if isinstance(one, FittedAttacker) and one.name != "logistic"]
    asked = {found.best.title: found.best}
    if curved:
        strongest = max(curved, key=lambda member: member.fit.select.score)
        smooth = [one for one in curved if one.name == "rbf-svm"] or [strongest]
        asked |= {one.title: one for one in (strongest, smooth[0])}
    return list(asked.values())
