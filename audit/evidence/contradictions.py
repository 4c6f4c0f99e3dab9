"""What in evidence contradicts something else in it: every figure that follows from others is taken again.

An edit has to change all of them alike to stay unseen; that nobody did is what a signature tells, not arithmetic.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from audit.evidence.audit_result import AuditResult, Protocol, QuantityTask, Task
from audit.evidence.findings import (
    ENSEMBLE,
    AttackerResult,
    Certificate,
    Draws,
    Estimate,
    Finding,
    LearningCurve,
    Measurement,
    Verification,
    resolves,
)
from audit.evidence.metric import EXCESS
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.upgrades import OLDER
from audit.evidence.verdict import CONFIDENCE, LIMIT, judge, resolution

FEWEST_RESAMPLES = 40
"""So that one lies beyond each end of a 95 % interval."""
ROUNDING = 1e-6
"""How far two figures may be apart that are equal but for rounding."""
DRAWN = 2e-4
"""How far the ends of an interval may be from those of its draws, which are kept to four digits."""


def contradictions(audit: AuditResult) -> Iterator[str]:
    """Say what in an audit contradicts something else in it: `age at fc: …`, the plainest first of each finding."""
    yield from (f"its rows: {fault}" for fault in _of_rows(audit))
    if audit.protocol.limit_set_by == "default" and audit.protocol.limit != LIMIT:
        yield f"its limit: {trimmed(audit.protocol.limit, 5)} is not the default, {trimmed(LIMIT, 5)}, that it says"
    seen: set[tuple[str, str, str, str]] = set()
    for one in audit.findings:
        name = f"{one_line(one.attribute)} at {one_line(one.layer)}"
        place = (one.role, one.attribute, one.layer, "" if one.role == "private" else one.measurement.metric)
        if place in seen:
            yield f"{name}: it stands there twice"
        seen.add(place)
        yield from (f"{name}: {fault}" for fault in _of_finding(one, audit))
    yield from (f"{_verified(one)}: {fault}" for one in audit.verifications for fault in _of_verification(one, audit))
    if len({(one.layer, one.among) for one in audit.verifications}) < len(audit.verifications):
        yield "its identities: one layer stands there twice"
    if audit.task:
        task = audit.task
        faults = _of_quantity(task, audit) if isinstance(task, QuantityTask) else _of_task(task, audit)
        yield from (f"the task {one_line(task.name)}: {fault}" for fault in faults)


def decided_anew(one: Finding, limit: float) -> Finding:
    """Return a private attribute with the decision that its figures give."""
    measurement = one.measurement
    if limit != one.decided.limit and not measurement.kind.percent:  # what rows can tell of an R² moves with the limit
        measurement = measurement.model_copy(update={"resolution": _resolution(measurement, limit)})
    return one.model_copy(update={"measurement": measurement, "decision": judge(measurement, limit)})


def _resolution(measurement: Measurement, limit: float) -> float:
    rows = [one.test for one in measurement.classes]
    return resolution(measurement.metric, measurement.floor_score.value, measurement.guess, rows, limit)


def _of_rows(audit: AuditResult) -> Iterator[str]:
    data = audit.data
    if data.train.rows + data.select.rows + data.test.rows > data.rows:
        yield "the splits hold more rows than there are"
    if any(split.groups > split.rows or split.groups < 0 for split in (data.train, data.select, data.test)):
        yield "a split holds more groups than rows"


def _of_finding(one: Finding, audit: AuditResult) -> Iterator[str]:
    """Say what is wrong with one attribute at one layer; later checks may rest on what earlier ones found whole."""
    measurement, is_old = one.measurement, OLDER in audit.warnings
    if audit.protocol.bootstrap < FEWEST_RESAMPLES:
        yield f"{audit.protocol.bootstrap} resamples are too few for an interval"
    if min((rows.test for rows in measurement.classes), default=0) < 1:
        yield "no row, or none of a class, tested it"
        return  # what follows divides by them
    yield from _of_figures(measurement)
    yield from _of_counts(measurement, audit)
    yield from _of_attackers(measurement, audit.protocol)
    yield from _of_draws(measurement, audit.protocol.bootstrap, is_old=is_old)
    yield from _of_curves(measurement, is_old=is_old)
    yield from _of_spikes(measurement)
    if one.certificate:
        yield from _of_certificate(one.certificate, measurement, audit.data.rows)
    if one.decision is not None:
        yield from _of_decision(one, audit.protocol.limit)


def _of_figures(measurement: Measurement) -> Iterator[str]:
    read, floor, excess = measurement.score, measurement.floor_score, measurement.excess
    for estimate in (read, floor, excess):
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            yield "a figure is no finite number"
        yield from _of_interval(estimate)
    if measurement.kind.percent:
        yield from _of_shares(measurement)
    elif measurement.guess != 0 or max(read.value, floor.value) > 1 + ROUNDING:
        yield "an R² is above 1, or that of a guess is not 0"
    if abs(read.value - floor.value - excess.value) > ROUNDING:
        yield "the excess is not what was read less the floor"
    if not (math.isfinite(measurement.resolution) and measurement.resolution >= 0):
        yield "what its rows can tell is no figure"


def _of_shares(measurement: Measurement) -> Iterator[str]:
    """Say what is wrong with balanced accuracies, their guess and the entropy of the classes."""
    figures = (measurement.score, measurement.floor_score)
    if not all(-ROUNDING <= one.value <= 1 + ROUNDING for one in figures):
        yield "a balanced accuracy is not within 0 and 1"
    k, n = len(measurement.classes), measurement.test_rows
    if abs(measurement.guess * k - 1) > ROUNDING:
        yield f"chance among {k} classes is not {trimmed(measurement.guess, 5)}"
    entropy = -sum(rows.test / n * math.log2(rows.test / n) for rows in measurement.classes)
    if abs((measurement.entropy or 0) - entropy) > ROUNDING:
        yield f"its test rows have {entropy:.4f} bits, and it says {measurement.entropy or 0:.4f}"
    recalls = [one.recall.value for one in measurement.exposure.recalls if one.recall] if measurement.exposure else []
    if len(recalls) == k and abs(sum(recalls) / k - measurement.score.value) > ROUNDING:
        yield "what was read is not the mean of what was read of each class"


def _of_interval(estimate: Estimate) -> Iterator[str]:
    room = (estimate.high - estimate.low) / 2 + ROUNDING
    if estimate.low > estimate.high:
        yield "an interval ends before it begins"
    elif not estimate.low - room <= estimate.value <= estimate.high + room:
        yield "a figure lies outside its own interval"


def _of_counts(measurement: Measurement, audit: AuditResult) -> Iterator[str]:
    data, classes = audit.data, measurement.classes
    splits = ((data.train, "train"), (data.select, "select"), (data.test, "test"))
    for split, name in splits:
        if sum(getattr(rows, name) for rows in classes) > split.rows:
            yield f"its classes have more rows in {name} than there are"
    if min(min(rows.train, rows.select) for rows in classes) < 0:
        yield "a class has fewer rows than none"
    if measurement.held is not None and not measurement.rows <= measurement.held <= data.rows:
        yield "it says of how many labelled rows it is, and that is fewer than were used, or more than there are"
    if measurement.missing < 0 or measurement.rows + measurement.missing > data.rows:
        yield "rows with and without a value are more than there are"


def _of_attackers(measurement: Measurement, protocol: Protocol) -> Iterator[str]:
    if all(one.name == ENSEMBLE for one in measurement.attackers):
        yield "no attacker tried"
    tried = {one.name for one in measurement.attackers}  # a user's own, `file.py:factory`, may read no quantities
    for one in measurement.attackers:
        if (one.failure is None) == (measurement.metric not in one.figures):
            yield f"the attacker {one_line(one.name)} must have either a figure or a reason why it could not run"
    if absent := [name for name in protocol.attackers if ":" not in name and name not in tried]:
        yield f"the attacker {one_line(absent[0])} was asked for, and is not among those that tried"
    able = [one for one in measurement.attackers if one.failure is None and measurement.metric in one.figures]
    named = [one for one in able if title(one) == measurement.strongest]
    if not named and (measurement.strongest != ENSEMBLE or any(one.name == ENSEMBLE for one in measurement.attackers)):
        yield f"the strongest, {one_line(measurement.strongest)}, is none of the attackers that could run"
    single = [one.select for one in able if one.name != ENSEMBLE and one.select is not None]
    chosen = named[0].select if named else None
    if chosen is not None and single and chosen < max(single) - ROUNDING:
        yield f"{one_line(measurement.strongest)} was not the strongest on the rows that choose"
    room = _room(measurement)
    if chosen is not None and measurement.kind.percent and chosen > measurement.score.value + 3 * room:
        yield f"{one_line(measurement.strongest)} read {chosen:.3f} of the rows that choose, and far less in the end"
    for one in able:
        found = one.figures[measurement.metric]
        yield from _of_interval(found)
        if found.low > measurement.score.high + room:
            yield f"{one_line(title(one))} read {_level(found)}, clearly more than the {_level(measurement.score)} said"


def _room(measurement: Measurement) -> float:
    """Return how far a figure of the test rows may be from the same of the fewer rows that choose, at about 95 %."""
    score, chosen = measurement.score, sum(one.select for one in measurement.classes)
    return (score.high - score.low) / 2 * (1 + math.sqrt(measurement.test_rows / max(chosen, 1)))


def title(one: AttackerResult) -> str:
    """Return what an attacker is called as the strongest: `name on view`, or the ensemble's name."""
    return one.name if one.name == ENSEMBLE else f"{one.name} on {one.view}"


def _of_draws(measurement: Measurement, resamples: int, *, is_old: bool) -> Iterator[str]:
    """Say where an interval is narrower than the draws that it was taken from."""
    drawn = {name: values for name, values in measurement.draws.items() if values}
    if any(len(values) != resamples for values in drawn.values()):
        yield f"its draws are not of {resamples} resamples"
        return
    for name, values in drawn.items():
        figure = measurement.excess if name == EXCESS else measurement.figures.get(name)
        if figure and name != "mae" and _is_narrower(figure, *_ends(values)):
            yield f"the interval of {name} is not that of its draws"
    score, over = (drawn.get(name) for name in (measurement.metric, EXCESS))
    if score is None or over is None:
        return
    (low, high), ends = _ends(over), _ends(score)
    if not is_old:  # the excess was widened as far as the score; older evidence left it as drawn
        low -= max(0.0, ends[0] - measurement.score.low)
        high += max(0.0, measurement.score.high - ends[1])
        if _is_narrower(measurement.excess, low, high):
            yield "the interval of the excess is not that of its draws"
    floors = [None if None in (a, b) else (a or 0) - (b or 0) for a, b in zip(score, over, strict=True)]
    if _is_narrower(measurement.floor_score, *_ends(floors)):
        yield "the floor is not what was read less the excess, draw by draw"


def _ends(values: Draws) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval; NaN where nothing was drawn."""
    known = [one for one in values if one is not None]
    if not known:
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _is_narrower(figure: Estimate, low: float, high: float) -> bool:
    return figure.low > low + DRAWN or figure.high < high - DRAWN


def _of_curves(measurement: Measurement, *, is_old: bool) -> Iterator[str]:
    if not measurement.curves and not is_old:
        yield "it holds no learning curve"
    by_title = {title(one): one for one in measurement.attackers}
    for curve in measurement.curves:
        yield from _of_curve(curve, by_title.get(curve.attacker), measurement)


def _of_curve(curve: LearningCurve, attacker: AttackerResult | None, measurement: Measurement) -> Iterator[str]:
    rows, last, name = [one.rows for one in curve.points], curve.points[-1].figure, one_line(curve.attacker)
    if attacker is None or measurement.metric not in attacker.figures:
        yield f"{name}, of the learning curve, is none of the attackers that could run"
        return
    if rows != sorted(set(rows)) or rows[0] < 1 or rows[-1] > measurement.train_rows:
        yield f"the learning curve of {name} is not of more and more of the rows that fit"
    if attacker.rows is not None and rows[-1] != attacker.rows:
        yield f"the learning curve of {name} ends at {rows[-1]} rows, and it learned from {attacker.rows}"
    if last != attacker.figures[measurement.metric]:
        yield f"the learning curve of {name} does not end at what it read"
    before = curve.points[-2].figure
    if curve.gain.low < last.low - before.high - ROUNDING or curve.gain.high > last.high - before.low + ROUNDING:
        yield f"the last doubling of the learning curve of {name} is wider than both of its ends"
    if abs(last.value - before.value - curve.gain.value) > ROUNDING:
        yield f"the learning curve of {name} gains something else by its last doubling than it says"
    yield from _of_interval(curve.gain)


def _of_spikes(measurement: Measurement) -> Iterator[str]:
    known = {title(one) for one in measurement.attackers}
    for one in measurement.spikes:
        if one.planted <= 0 or one.draws < 1:
            yield "a planted leak is of nothing"
        if not one.attackers or not known.issuperset(one.attackers):
            yield "a planted leak was read by none of the attackers that tried"


def _of_certificate(most: Certificate, measurement: Measurement, rows: int) -> Iterator[str]:
    """Hold a bound against what was read, and what so many independent rows can prove at all (protocol.bound)."""
    k = len(measurement.classes)
    if not measurement.kind.percent or len(most.independent) != k or min(most.independent) <= 0:
        yield "its upper bound is not of its classes"
        return
    if most.confidence < CONFIDENCE - ROUNDING:
        yield f"its upper bound holds with a confidence of {trimmed(most.confidence, 4)}, less than {CONFIDENCE:g}"
    if not measurement.rows <= most.rows <= rows or max(most.independent) > most.rows or most.codes > most.rows:
        yield "its upper bound was counted on other rows than there are"
    spread = math.sqrt(math.log(1 / (1 - CONFIDENCE)) / 2 * sum(1 / count for count in most.independent)) / k
    if most.balanced_accuracy < min(1.0, 1 / k + spread) - ROUNDING:
        yield f"so few independent rows cannot prove an upper bound of {trimmed(100 * most.balanced_accuracy, 2)} %"
    if most.balanced_accuracy < measurement.score.low:
        told = "was read, above the bound on every attacker: look for rows that belong together (--group)"
        yield f"{_level(measurement.score)} {told}"
    if not 0 <= most.bits <= math.log2(k) + ROUNDING:
        yield "its upper bound in bits is beyond what there is"
    for one in most.several:
        apart = 1 - (2 - 2 * max(most.balanced_accuracy, 0.5)) ** one.releases
        if k != 2 or abs((1 + apart) / 2 - one.balanced_accuracy) > ROUNDING:
            yield "its upper bound of several releases does not follow from the one of one"


def _of_decision(one: Finding, limit: float) -> Iterator[str]:
    if one.decided.limit != limit:
        yield f"its limit is {trimmed(one.decided.limit, 5)} and the audit's {trimmed(limit, 5)}"
    given = decided_anew(one, limit).decided.verdict
    if one.decided.verdict != given:
        yield f"it says {one.decided.verdict}, and its own figures give {given}"
    if abs(one.measurement.resolution - _resolution(one.measurement, limit)) > ROUNDING:
        yield "what its rows can tell does not follow from their number"


def _verified(one: Verification) -> str:
    among = f" among {one_line(one.among)}" if one.among else ""
    return f"the identities of {one_line(one.identity)} at {one_line(one.layer)}{among}"


def _of_verification(one: Verification, audit: AuditResult) -> Iterator[str]:
    """Hold figures of verification against counts, and against each other: all are of one curve that never falls."""
    if one.layer not in {found.layer for found in audit.findings}:
        yield "nothing else was measured at that layer"
    if one.among is not None and one.among not in {found.attribute for found in audit.private}:
        yield "its impostors share the class of what is not private"
    n, least = one.rows, min(one.people, one.genuine, one.impostor)
    if least < 1 or 2 * one.people > n or n > audit.data.test.rows:
        yield "it has fewer people or pairs than one, or more than test rows"
    if one.genuine > one.genuine_held or one.impostor > one.impostor_held or one.genuine_held < one.people:
        yield "more pairs were compared than there are"
    if one.genuine_held + one.impostor_held > n * (n - 1) / 2:
        yield "its test rows have fewer pairs"
    for figure in one.figures.values():
        yield from _of_interval(figure)
        if not -ROUNDING <= figure.value <= 1 + ROUNDING:
            yield "a figure is not within 0 and 1"
    if [tar.rate is not None for tar in one.accepted] != [
        resolves(one.impostor, tar.false_accept_rate) for tar in one.accepted
    ]:
        yield "it tells TAR at rates that so few impostor pairs cannot tell, or leaves out what they can"
    yield from _of_curve_points(one)
    for name, values in one.draws.items():
        if len(values) != audit.protocol.bootstrap:
            yield f"its draws are not of {audit.protocol.bootstrap} resamples"
        elif name in one.figures and _is_narrower(one.figures[name], *_ends(values)):
            yield f"the interval of {name} is not that of its draws"


def _of_curve_points(one: Verification) -> Iterator[str]:
    """Say where the area, the equal error and the accepted shares lie on no one curve."""
    area, error = one.auc.value, one.eer.value
    if not (1 - error) ** 2 - ROUNDING <= area <= 1 - error**2 + ROUNDING:
        yield "its EER and its AUC are not of one curve"
    told = sorted((tar.false_accept_rate, tar.rate.value) for tar in one.accepted if tar.rate)
    if any(more < less - ROUNDING for (_, less), (_, more) in pairwise(told)):
        yield "fewer genuine pairs are accepted where more impostors are"
    for far, accepted in told:
        if accepted * (1 - far) > area + ROUNDING or (far <= error and accepted > 1 - error + ROUNDING):
            yield f"its TAR at {far:g} is more than its AUC and its EER allow"


def _of_task(task: Task, audit: AuditResult) -> Iterator[str]:
    for figure in (task.accuracy, task.balanced_accuracy):
        yield from _of_interval(figure)
        if not -ROUNDING <= figure.value <= 1 + ROUNDING:
            yield "an accuracy is not within 0 and 1"
    if task.accuracy_draws and _is_narrower(task.accuracy, *_ends(task.accuracy_draws)):
        yield "the interval of its accuracy is not that of its draws"
    if task.guess is not None and not 1 / len(task.classes) - ROUNDING <= task.guess <= task.chance + ROUNDING:
        yield "a guess is not one of the classes that test rows have"
    if task.missing < 0 or task.missing > audit.data.rows:
        yield "more rows are without a value than there are"
    for one in audit.findings:
        measurement, k = one.measurement, len(one.measurement.classes)
        most = max(task.answered or len(task.classes), 1) / k  # each answer names one class at most
        if not task.missing and measurement.kind.percent and measurement.floor_score.value > most + ROUNDING:
            yield f"its answers cannot tell as much of {one_line(one.attribute)} as the floor says"


def _of_quantity(task: QuantityTask, audit: AuditResult) -> Iterator[str]:
    """Say what is wrong with a task that is a quantity; a floor is told by so many bins of its prediction at most."""
    for figure in (task.r2, task.mae):
        yield from _of_interval(figure)
    if task.r2.value > 1 + ROUNDING or min(task.mae.value, task.mae_of_median) < 0:
        yield "an R² is above 1, or an error below 0"
    if task.r2_draws and _is_narrower(task.r2, *_ends(task.r2_draws)):
        yield "the interval of its R² is not that of its draws"
    if min(task.missing, task.rows) < 0 or task.missing > audit.data.rows or task.rows > audit.data.test.rows:
        yield "more rows are with a value, or without one, than there are"
    if not 1 <= task.answered <= max(task.rows, 1):
        yield "it answered more numbers than there are rows, or none"
    for one in audit.findings:
        measurement, bins = one.measurement, task.bins.get(one.attribute, 0)
        if measurement.kind.percent and measurement.floor_score.value > bins / len(measurement.classes) + ROUNDING:
            yield f"its {bins} bins cannot tell as much of {one_line(one.attribute)} as the floor says"


def _level(figure: Estimate) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
