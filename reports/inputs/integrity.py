"""Integrity of evidence: figures that are whole and belong together, and verdicts that follow from them.

A page shows the verdicts of the evidence, a PASS only where its interval allows it; a gate decides every one again.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, Protocol, read_audit
from audit.evidence.findings import ENSEMBLE, Estimate, Finding, Measurement, Verdict
from audit.evidence.json_file import DIGEST, digest, read_json
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.verdict import judge, resolution

FIRST_SCHEMA = "1"
"""It had no digest yet."""
FEWEST_RESAMPLES = 40
"""So that one lies beyond each end of a 95 % interval."""
ROUNDING = 1e-6
"""How far two figures may be apart that are equal but for rounding."""


def read_whole(path: Path) -> AuditResult:
    """Read evidence that is unchanged since `irene audit` wrote it, by its own digest.

    Raises:
        EvidenceError: It cannot be read, its digest is of other content, or it has none and its schema asks for one.
    """
    result = read_audit(path)
    content = read_json(path, "an audit's evidence")
    noted = content.get(DIGEST)
    if noted is None and content.get("schema_version") != FIRST_SCHEMA:
        raise EvidenceError(f"{path} carries no digest, so an edit of it could not be seen. Run the audit again.")
    if noted is not None and noted != digest(content):
        raise EvidenceError(
            f"{path} was changed after it was written: its digest is of other content. Run the audit again."
        )
    return result


def refuse_unfounded(when: str, audit: AuditResult) -> None:
    """Refuse evidence whose verdicts do not follow from figures that belong together.

    Raises:
        EvidenceError: A figure is missing, impossible or at odds with another, an attribute stands twice at one
            layer, or a verdict is not the one that its figures give.
    """
    seen: set[tuple[str, str]] = set()
    for one in audit.private:
        twice = "it stands there twice" if (one.attribute, one.layer) in seen else None
        fault = twice or next(_faults(one, audit.protocol), None)
        if fault:
            raise EvidenceError(
                f"The evidence ({when.lower()}) on {one_line(one.attribute)} at {one_line(one.layer)} cannot be "
                f"judged: {fault}. Run the audit again."
            )
        seen.add((one.attribute, one.layer))


def refuse_unfounded_pass(verdict: Verdict, excess: Estimate, limit: float, *, where: str, again: str) -> None:
    """Refuse a PASS that does not follow from its figures: one typed into the file must not reach a page.

    `where` tells who says so, and of what: `The sweep says PASS for age at irene 1`; `again` what to do, in a sentence.

    Raises:
        EvidenceError: A PASS whose interval reaches above the limit.
    """
    if verdict == "PASS" and excess.high > limit:
        raise EvidenceError(
            f"{where}, but its own interval reaches {excess.high:.4f}, above the limit of {limit:.4f}. {again}"
        )


def refuse_unfounded_passes(when: str, audit: AuditResult) -> None:
    """Refuse an audit with a PASS that does not follow from its figures.

    Raises:
        EvidenceError: There is one.
    """
    for one in audit.private:
        where = f"The evidence ({when.lower()}) says PASS for {one_line(one.attribute)} at {one_line(one.layer)}"
        refuse_unfounded_pass(
            one.decided.verdict, one.measurement.excess, one.decided.limit, where=where, again="Run the audit again."
        )


def at_limit(audit: AuditResult, limit: float) -> AuditResult:
    """Return an audit with every verdict decided anew against `limit`, by the rule of `irene audit`.

    Raises:
        EvidenceError: Not even an attacker who reads all of an attribute would exceed the limit.
    """
    for one in audit.private:
        most = 1 - one.measurement.guess
        if not 0 <= limit < most:
            raise EvidenceError(
                f"Cannot judge {one_line(one.attribute)} by a limit of {limit:g}: it must be at least 0, and below the "
                f"{trimmed(most, 5)} that an attacker without an error reads beyond a guess. 0.05 is 5 points."
            )
    findings = [_judged(one, limit) if one.role == "private" else one for one in audit.findings]
    protocol = audit.protocol.model_copy(update={"limit": limit})
    return audit.model_copy(update={"findings": findings, "protocol": protocol})


def _judged(one: Finding, limit: float) -> Finding:
    """Return a private attribute with the decision that its figures give."""
    measurement = one.measurement
    if limit != one.decided.limit and not measurement.kind.percent:  # what rows can tell of an R² moves with the limit
        rows = [each.test for each in measurement.classes]
        told = resolution(measurement.metric, measurement.floor_score.value, measurement.guess, rows, limit)
        measurement = measurement.model_copy(update={"resolution": told})
    return one.model_copy(update={"measurement": measurement, "decision": judge(measurement, limit)})


def _faults(one: Finding, protocol: Protocol) -> Iterator[str]:
    """Say what is wrong with the figures of one attribute at one layer, the plainest first."""
    measurement, limit = one.measurement, protocol.limit
    read, floor, excess = measurement.score, measurement.floor_score, measurement.excess
    if protocol.bootstrap < FEWEST_RESAMPLES:
        yield f"{protocol.bootstrap} resamples are too few for an interval"
    for estimate in (read, floor, excess):
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            yield "a figure is no finite number"
        if estimate.low > estimate.high:
            yield "an interval ends before it begins"
    if not (math.isfinite(measurement.resolution) and measurement.resolution >= 0):
        yield "what its rows can tell is no figure"
    if abs(read.value - floor.value - excess.value) > ROUNDING:
        yield "the excess is not what was read less the floor"
    if min((rows.test for rows in measurement.classes), default=0) < 1:
        yield "no row, or none of a class, tested it"
    if measurement.kind.percent and abs(measurement.guess * len(measurement.classes) - 1) > ROUNDING:
        yield f"chance among {len(measurement.classes)} classes is not {trimmed(measurement.guess, 5)}"
    yield from _untried(measurement)
    if one.decided.limit != limit:
        yield f"its limit is {trimmed(one.decided.limit, 5)} and the audit's {trimmed(limit, 5)}"
    given = _judged(one, limit).decided.verdict
    if one.decided.verdict != given:
        yield f"it says {one.decided.verdict}, and its own figures give {given}"


def _untried(measurement: Measurement) -> Iterator[str]:
    if all(one.name == ENSEMBLE for one in measurement.attackers):
        yield "no attacker tried"
    for one in measurement.attackers:
        if (one.failure is None) == (measurement.metric not in one.figures):
            yield f"the attacker {one_line(one.name)} must have either a figure or a reason why it could not run"
