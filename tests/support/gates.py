"""Evidence that passes, leaks or leaves it open, for the gate."""

from typing import Any

from audit.protocol.continuous import _resolution
from click.testing import CliRunner, Result

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import ContinuousLeakage, Leakage, Readability, Regression, Verdict
from audit.evidence.verdict import judged, judged_continuous
from irene.command import main
from support.findings import audit, continuous, leakage


def founded(found: Leakage, limit: float = 0.05) -> Leakage:
    """Return figures with the verdict that they give, of attackers that could all run."""
    fields = {name: getattr(found, name) for name in Readability.model_fields}
    able = [one for one in found.attackers if one.failure is None]
    return judged(Readability(**{**fields, "attackers": able}), limit)


def passing(attribute: str = "colour", **changes: Any) -> Leakage:
    return founded(leakage(attribute, 0.13, **changes))


def leaking(attribute: str = "colour", **changes: Any) -> Leakage:
    return founded(leakage(attribute, 0.40, **changes))


def untold(attribute: str = "colour", **changes: Any) -> Leakage:
    return founded(leakage(attribute, 0.16, **changes))


def number(read: float = 0.02, limit: float = 0.05, n: int = 1999) -> ContinuousLeakage:
    """Return a continuous attribute with the verdict that its figures give."""
    told = continuous(read=read)
    fields = {name: getattr(told, name) for name in Regression.model_fields}
    able = [one for one in told.attackers if one.failure is None]
    rows = told.rows.model_copy(update={"test": n})
    changed = {"attackers": able, "rows": rows, "resolution": _resolution(max(limit, 0.01), n)}
    return judged_continuous(Regression(**{**fields, **changed}), limit)


def verdicts(*found: Verdict) -> AuditResult:
    kinds = {"PASS": passing, "FAIL": leaking, "INCONCLUSIVE": untold}
    return audit(*(kinds[one](f"attribute {place}") for place, one in enumerate(found)))


def called(*arguments: str) -> Result:
    """Call `irene` with arguments that may hold spaces."""
    return CliRunner().invoke(main, list(arguments))
