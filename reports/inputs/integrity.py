"""What a verdict must rest on before a gate acts on it: whole figures that belong together, and the audit's own rule.

A page shows what the evidence says; a gate takes no verdict on trust and decides every one again.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, Protocol, read_audit
from audit.evidence.findings import (
    COMMITTEE,
    ContinuousLeakage,
    Estimate,
    Leakage,
    Readability,
    Regression,
    Verdict,
)
from audit.evidence.headline import Judged, guess, headline
from audit.evidence.json_file import DIGEST, digest, read_json
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.verdict import judged, judged_continuous

FIRST_SCHEMA = "1"
"""It had no digest yet."""
FEWEST_RESAMPLES = 40
"""So that one lies beyond each end of a 95 % interval."""
ROUNDING = 1e-6
"""How far two figures may be apart that are equal but for rounding."""


def read_whole(path: Path) -> AuditResult:
    """Read evidence that nobody changed since `irene audit` wrote it, as far as its own digest tells.

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
    for one in _all(audit):
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

    Args:
        verdict: What the evidence says.
        excess: On which it has to rest.
        limit: The largest excess that passes.
        where: Who says so, and of what: `The sweep says PASS for age at irene 1`.
        again: What to do, as a sentence.

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
    for one in _all(audit):
        where = f"The evidence ({when.lower()}) says PASS for {one_line(one.attribute)} at {one_line(one.layer)}"
        refuse_unfounded_pass(one.verdict, one.excess, one.limit, where=where, again="Run the audit again.")


def at_limit(audit: AuditResult, limit: float) -> AuditResult:
    """Return an audit with every verdict decided anew against `limit`, by the rule of `irene audit`.

    Raises:
        EvidenceError: Not even an attacker who reads all of an attribute would exceed the limit.
    """
    for one in _all(audit):
        most = 1 - guess(one)
        if not 0 <= limit < most:
            raise EvidenceError(
                f"Cannot judge {one_line(one.attribute)} by a limit of {limit:g}: it must be at least 0, and below the "
                f"{trimmed(most, 5)} that an attacker without an error reads beyond a guess. 0.05 is 5 points."
            )
    return audit.model_copy(
        update={
            "leakage": [_classes(one, limit) for one in audit.leakage],
            "continuous": [_number(one, limit) for one in audit.continuous],
            "protocol": audit.protocol.model_copy(update={"limit": limit}),
        }
    )


def _all(audit: AuditResult) -> list[Judged]:
    return [*audit.leakage, *audit.continuous]


def _faults(one: Judged, protocol: Protocol) -> Iterator[str]:
    """Say what is wrong with the figures of one attribute at one layer, the plainest first."""
    read, limit = headline(one), protocol.limit
    if protocol.bootstrap < FEWEST_RESAMPLES:
        yield f"{protocol.bootstrap} resamples are too few for an interval"
    for estimate in (read, one.floor, one.excess):
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            yield "a figure is no finite number"
        if estimate.low > estimate.high:
            yield "an interval ends before it begins"
    if not (math.isfinite(one.resolution) and one.resolution >= 0):
        yield "what its rows can tell is no figure"
    if abs(read.value - one.floor.value - one.excess.value) > ROUNDING:
        yield "the excess is not what was read less the floor"
    classes = one.classes if isinstance(one, Leakage) else [one.rows]
    if min((rows.test for rows in classes), default=0) < 1:
        yield "no row, or none of a class, tested it"
    if isinstance(one, Leakage) and abs(one.chance * len(one.classes) - 1) > ROUNDING:
        yield f"chance among {len(one.classes)} classes is not {trimmed(one.chance, 5)}"
    yield from _untried(one)
    if one.limit != limit:
        yield f"its limit is {trimmed(one.limit, 5)} and the audit's {trimmed(limit, 5)}"
    given = (_classes(one, limit) if isinstance(one, Leakage) else _number(one, limit)).verdict
    if one.verdict != given:
        yield f"it says {one.verdict}, and its own figures give {given}"


def _untried(one: Judged) -> Iterator[str]:
    figures = (
        [(each.name, each.failure, each.balanced_accuracy) for each in one.attackers]
        if isinstance(one, Leakage)
        else [(each.name, each.failure, each.r2) for each in one.attackers]
    )
    if all(name == COMMITTEE for name, _, _ in figures):
        yield "no attacker tried"
    for name, failure, read in figures:
        if (failure is None) == (read is None):
            yield f"the attacker {one_line(name)} must have either a figure or a reason why it could not run"


def _classes(one: Leakage, limit: float) -> Leakage:
    figures = Readability.model_construct(**{name: getattr(one, name) for name in Readability.model_fields})
    again = judged(figures, limit)
    return one.model_copy(update={"limit": limit, "verdict": again.verdict, "reason": again.reason})


def _number(one: ContinuousLeakage, limit: float) -> ContinuousLeakage:
    figures = Regression.model_construct(**{name: getattr(one, name) for name in Regression.model_fields})
    if limit != one.limit:
        figures = figures.model_copy(update={"resolution": _resolution(limit, one.rows.test)})
    again = judged_continuous(figures, limit)
    changed = {"limit": limit, "verdict": again.verdict, "reason": again.reason, "resolution": again.resolution}
    return one.model_copy(update=changed)


def _resolution(limit: float, n: int) -> float:
    """Return the half-width of a 95 % interval of an R² as large as the limit, as audit.continuous does.

    It is the one figure of an audit that moves with the limit.
    """
    share = max(limit, 0.01)
    return NormalDist().inv_cdf(0.975) * 2 * math.sqrt(share / n) * (1 - share)
