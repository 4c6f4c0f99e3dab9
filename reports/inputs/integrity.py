"""Integrity of evidence: figures that are whole and belong together, and verdicts that follow from them.

A page shows the verdicts of the evidence, a PASS only where its interval allows it; a gate decides every one again.
"""

from audit.errors import EvidenceError, as_float, is_share
from audit.evidence.audit_result import AuditResult
from audit.evidence.checks.contradictions import contradictions, decided_anew
from audit.evidence.checks.contradictions_of_sweep import sweep_contradictions
from audit.evidence.findings import Estimate, Verdict
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.sweep_result import Sweep


def refuse_unfounded(when: str, audit: AuditResult) -> None:
    """Refuse evidence whose verdicts do not follow from figures that belong together.

    Raises:
        EvidenceError: A figure is missing, impossible or at odds with another, an attribute stands twice at one
            layer, or a verdict is not the one that its figures give.
    """
    fault = next(contradictions(audit), None)
    if fault:
        raise EvidenceError(f"The evidence ({when}) cannot be judged: {fault}. Run the audit again.")


def refuse_unfounded_sweep(sweep: Sweep) -> None:
    """Refuse a sweep whose figures do not belong together.

    Raises:
        EvidenceError: One is impossible or at odds with another.
    """
    fault = next(sweep_contradictions(sweep), None)
    if fault:
        raise EvidenceError(f"The sweep cannot be shown: {fault}. Sweep again.")


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
        where = f"The evidence ({when}) says PASS for {one_line(one.attribute)} at {one_line(one.layer)}"
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
        if not is_share(limit) or limit >= most:
            raise EvidenceError(
                f"Cannot judge {one_line(one.attribute)} by a limit of {limit}: it must be at least 0, and below the "
                f"{trimmed(most, 5)} that an attacker without an error reads beyond a guess. 0.05 is 5 points."
            )
    limit = as_float(limit)
    findings = [decided_anew(one, limit) if one.role == "private" else one for one in audit.findings]
    protocol = audit.protocol.model_copy(update={"limit": limit})
    return audit.model_copy(update={"findings": findings, "protocol": protocol})
