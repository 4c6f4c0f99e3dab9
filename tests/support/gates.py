"""Evidence that passes, leaks or leaves it open, for the gate."""

from typing import Any

from click.testing import CliRunner, Result

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding, Verdict
from audit.evidence.verdict import judge, resolution
from irene.command import main
from support.findings import around, audit, continuous, leakage, remeasured, whole


def founded(found: Finding, limit: float = 0.05) -> Finding:
    """Return figures with the verdict that they give, of attackers that could all run."""
    able = [one for one in found.measurement.attackers if one.failure is None]
    rows = [one.test for one in found.measurement.classes]
    told = resolution(
        found.measurement.metric, found.measurement.floor_score.value, found.measurement.guess, rows, limit
    )
    able_only = whole(remeasured(found, attackers=able, resolution=told), limit)
    return able_only.model_copy(update={"decision": judge(able_only.measurement, limit)})


def guessed(found: Finding, read: float | None = None) -> Finding:
    """Return a finding where nothing predicted a task, so that its floor is a guess."""
    measurement = found.measurement
    score = measurement.score if read is None else around(read)
    room = (score.high - score.low) / 2
    figures = measurement.figures | {measurement.metric: score}
    floor = measurement.floor | {measurement.metric: around(measurement.guess, 0)}
    bare = remeasured(
        found, figures=figures, floor=floor, excess=around(score.value - measurement.guess, room), draws={}
    )
    return founded(bare, found.decided.limit)


def passing(attribute: str = "colour", **changes: Any) -> Finding:
    return founded(leakage(attribute, 0.13, **changes))


def leaking(attribute: str = "colour", **changes: Any) -> Finding:
    return founded(leakage(attribute, 0.40, **changes))


def untold(attribute: str = "colour", **changes: Any) -> Finding:
    return founded(leakage(attribute, 0.16, **changes))


def number(read: float = 0.02, limit: float = 0.05, n: int = 1999) -> Finding:
    """Return a quantity with the verdict that its figures give."""
    found = continuous(read=read)
    rows = [found.measurement.classes[0].model_copy(update={"test": n})]
    return founded(remeasured(found, classes=rows, resolution=resolution("r2", 0, 0, [n], limit)), limit)


def verdicts(*found: Verdict) -> AuditResult:
    kinds = {"PASS": passing, "FAIL": leaking, "INCONCLUSIVE": untold}
    return audit(*(kinds[one](f"attribute {place}") for place, one in enumerate(found)))


def called(*arguments: str) -> Result:
    """Call `irene` with arguments that may hold spaces."""
    return CliRunner().invoke(main, list(arguments))
