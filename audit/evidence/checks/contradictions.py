"""What in evidence contradicts something else in it: every figure that follows from others is taken again.

An edit has to change all of them alike to stay unseen; that nobody did is what a signature tells, not arithmetic.
"""

import math
from collections.abc import Iterator

from audit.evidence.audit_result import AuditResult, Protocol, QuantityTask
from audit.evidence.checks.contradictions_of_certificate import of_certificate
from audit.evidence.checks.contradictions_of_densities import of_densities
from audit.evidence.checks.contradictions_of_exposure import of_exposure
from audit.evidence.checks.contradictions_of_kept import of_kept
from audit.evidence.checks.contradictions_of_protocol import of_names, of_protocol
from audit.evidence.checks.contradictions_of_task import of_classes, of_quantity
from audit.evidence.checks.contradictions_of_verification import of_verification, verified
from audit.evidence.checks.figures import ROUNDING, ends, is_narrower, level, of_interval
from audit.evidence.findings import ENSEMBLE, AttackerResult, Finding, LearningCurve, Measurement
from audit.evidence.metric import EXCESS
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.verdict import FEWEST_RESAMPLES, LIMIT, judge, resolution


def contradictions(audit: AuditResult) -> Iterator[str]:
    """Say what in an audit contradicts something else in it: `age at fc: …`, the plainest first of each finding."""
    yield from (f"its rows: {fault}" for fault in _of_rows(audit))
    if audit.protocol.limit_set_by == "default" and audit.protocol.limit != LIMIT:
        yield f"its limit: {trimmed(audit.protocol.limit, 5)} is not the default, {trimmed(LIMIT, 5)}, that it says"
    yield from (f"its attributes: {fault}" for fault in of_names(audit))
    seen: set[tuple[str, str, str, str]] = set()
    for one in audit.findings:
        name = f"{one_line(one.attribute)} at {one_line(one.layer)}"
        place = (one.role, one.attribute, one.layer, "" if one.role == "private" else one.measurement.metric)
        if place in seen:
            yield f"{name}: it stands there twice"
        seen.add(place)
        yield from (f"{name}: {fault}" for fault in _of_finding(one, audit))
    yield from (f"{verified(one)}: {fault}" for one in audit.verifications for fault in of_verification(one, audit))
    if len({(one.layer, one.among) for one in audit.verifications}) < len(audit.verifications):
        yield "its identities: one layer stands there twice"
    yield from of_kept(audit)
    if audit.task:
        task = audit.task
        faults = of_quantity(task, audit) if isinstance(task, QuantityTask) else of_classes(task, audit)
        yield from (f"the task {one_line(task.name)}: {fault}" for fault in faults)


def decided_anew(one: Finding, limit: float) -> Finding:
    """Return a private attribute with the decision that its figures give."""
    measurement = one.measurement
    if limit != one.decided.limit and not measurement.kind.percent:  # what rows can tell of an R² moves with the limit
        measurement = measurement.model_copy(update={"resolution": _resolution(measurement, limit)})
    return one.model_copy(update={"measurement": measurement, "decision": judge(measurement, limit, one.certificate)})


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
    measurement, is_old = one.measurement, audit.is_older
    if audit.protocol.bootstrap < FEWEST_RESAMPLES:
        yield f"{audit.protocol.bootstrap} resamples are too few for an interval"
    if min((rows.test for rows in measurement.classes), default=0) < 1:
        yield "no row, or none of a class, tested it"
        return  # what follows divides by them
    if any(spike.planted <= 0 for spike in measurement.spikes):
        yield "a planted leak is of nothing"
        return  # what follows divides by it
    yield from _of_figures(measurement)
    yield from _of_counts(measurement, audit)
    yield from _of_attackers(measurement, audit.protocol)
    yield from _of_draws(measurement, audit.protocol.bootstrap, is_old=is_old)
    yield from _of_curves(measurement, is_old=is_old)
    yield from _of_spikes(measurement)
    yield from of_exposure(measurement)
    yield from of_protocol(one, audit, is_old=is_old)
    if one.certificate:
        yield from of_certificate(one.certificate, measurement, audit.data.rows)
    yield from of_densities(one)
    if one.decision is not None:
        yield from _of_decision(one, audit.protocol.limit)


def _of_figures(measurement: Measurement) -> Iterator[str]:
    read, floor, excess = measurement.score, measurement.floor_score, measurement.excess
    for estimate in (read, floor, excess):
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            yield "a figure is no finite number"
        yield from of_interval(estimate)
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
        yield from of_interval(found)
        if found.low > measurement.score.high + room:
            yield f"{one_line(title(one))} read {level(found)}, clearly more than the {level(measurement.score)} said"


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
        if figure and name != "mae" and is_narrower(figure, *ends(values)):
            yield f"the interval of {name} is not that of its draws"
    score, over = (drawn.get(name) for name in (measurement.metric, EXCESS))
    if score is None or over is None:
        return
    (low, high), (lowest, highest) = ends(over), ends(score)
    if not is_old:  # the excess was widened as far as the score; older evidence left it as drawn
        low -= max(0.0, lowest - measurement.score.low)
        high += max(0.0, measurement.score.high - highest)
        if is_narrower(measurement.excess, low, high):
            yield "the interval of the excess is not that of its draws"
    floors = [None if None in (a, b) else (a or 0) - (b or 0) for a, b in zip(score, over, strict=True)]
    if is_narrower(measurement.floor_score, *ends(floors)):
        yield "the floor is not what was read less the excess, draw by draw"


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
    yield from of_interval(curve.gain)


def _of_spikes(measurement: Measurement) -> Iterator[str]:
    known = {title(one) for one in measurement.attackers}
    for one in measurement.spikes:
        if one.draws < 1:
            yield "a planted leak was never drawn"
        if not one.attackers or not known.issuperset(one.attackers):
            yield "a planted leak was read by none of the attackers that tried"


def _of_decision(one: Finding, limit: float) -> Iterator[str]:
    if one.decided.limit != limit:
        yield f"its limit is {trimmed(one.decided.limit, 5)} and the audit's {trimmed(limit, 5)}"
    given = decided_anew(one, limit).decided.verdict
    if one.decided.verdict != given:
        yield f"it says {one.decided.verdict}, and its own figures give {given}"
    if abs(one.measurement.resolution - _resolution(one.measurement, limit)) > ROUNDING:
        yield "what its rows can tell does not follow from their number"
