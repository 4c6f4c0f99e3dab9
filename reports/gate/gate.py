"""The gate: every private attribute at every layer judged at one limit, and the exit code that a build acts on.

It is green only where everything passed: a leak stops a build, so does a model that does not do its task or lost more
than was allowed, and so does what these rows cannot tell, unless that was allowed by hand. Evidence that cannot be
judged is an error.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, Literal

from audit.errors import EvidenceError, UnknownNameError
from audit.evidence.audit_result import AuditResult, as_audit
from audit.evidence.findings import Finding, Verdict
from audit.evidence.numbers import one_line
from audit.evidence.verdict import held_for, is_by_measured_floor
from reports.gate.held_policy import held_policy, with_policy
from reports.gate.policy import Policy, read_policy
from reports.gate.requirements import Losses, Requirement, requirements
from reports.inputs.by_attribute import WORST_FIRST, tally
from reports.inputs.comparison import Comparison, compare
from reports.inputs.integrity import at_limit, refuse_unfounded
from reports.text.sentences import BY_MEASURED_FLOOR

LimitFrom = Literal["the audit", "the call", "the policy"]
MOST_OF_ITS_OWN: Final = 0.2
"""The largest limit that evidence sets itself: a larger one has to be the caller's, or it could allow any leak."""
LEAK: Final = 3
OPEN: Final = 4
LOST: Final = 5
"""Exit codes beside 0 and those of every command: 1 is an error, and 2 a wrong call."""


@dataclass(frozen=True)
class Outcome:
    """What the gate decided, and on what."""

    comparison: Comparison
    """The audits, with every verdict at the limit of the gate."""
    allow_inconclusive: bool
    """An INCONCLUSIVE does not stop a build; a FAIL always does."""
    verdict: Verdict
    """The worst of the findings."""
    exit_code: int
    """0, 3 for a leak, 5 for a task or attribute that was lost, 4 for what the rows cannot tell: in this order."""
    losses: Losses
    """What was asked of the model beside its leakage."""
    requirements: tuple[Requirement, ...]
    """What came of it."""
    limit_from: LimitFrom = "the audit"
    """Who set the limit: the audit itself, the call, or a policy."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Each private attribute at each layer of the last audit: its verdict, and the reason in a sentence."""
        return tuple(pair.last.found for pair in self.comparison.pairs)

    @property
    def title(self) -> str:
        """The verdict, and that something was lost where that stops the build beside a leak or without one."""
        is_lost = any(one.state == "lost" for one in self.requirements)
        return f"{self.verdict}, LOST" if is_lost else self.verdict

    @property
    def audit(self) -> AuditResult:
        """The audit that the verdict is on."""
        return self.comparison.last


def gate(
    audit: AuditResult | str | PathLike[str],
    before: AuditResult | str | PathLike[str] | None = None,
    *,
    limit: float | None = None,
    private: str | Iterable[str] = (),
    allow_inconclusive: bool = False,
    losses: Losses | None = None,
    policy: Policy | str | PathLike[str] | None = None,
    files: Sequence[str | PathLike[str]] = (),
) -> Outcome:
    """Judge an audit and say whether a build goes on.

    Args:
        audit: The evidence that the verdict is on, or its file.
        before: The audit of the checkpoint before it, told beside it; it stops nothing by itself.
        limit: The largest excess that passes; the policy's if left out, or else the one that the audit was made with.
        private: Attributes that must have been audited: one name, or several.
        allow_inconclusive: Let pass what these rows cannot tell.
        losses: The largest losses of task and retained attributes since `before`; and whether a model may be no better
            at its task than always answering the most frequent class.
        policy: What must be in the evidence, or the TOML file that says so; what is not there is open.
        files: Where the evidence was read from, for a policy that asks for a signature; the paths given, if left out.

    Raises:
        EvidenceError: The evidence contradicts itself or allows itself too large a limit, the two audits cannot be
            compared, nothing could exceed the limit, a loss is to be limited that was not audited, or the key of a
            policy cannot be read.
        UnknownNameError: An attribute was not audited, or the policy asks for what nobody knows.
    """
    policy = policy if policy is None or isinstance(policy, Policy) else read_policy(policy)
    asked_by: LimitFrom = "the call" if limit is not None else "the audit"
    if limit is None and policy is not None and policy.limit is not None:
        limit, asked_by = policy.limit, "the policy"
    given = [*([] if before is None else [("before", before)]), ("audited", audit)]
    judged = [_judged(when, as_audit(one), limit) for when, one in given]
    comparison = compare(judged[0], judged[1] if before is not None else None)
    findings = [pair.last.found for pair in comparison.pairs]
    audited = {one.attribute for one in findings}
    for name in [private] if isinstance(private, str) else private:
        if name not in audited:
            raise UnknownNameError("private attribute", one_line(name), map(one_line, sorted(audited)))
    losses = with_policy(losses or Losses(), policy, comparison)
    asked = requirements(comparison, losses)
    if policy is not None:
        asked += held_policy(policy, comparison, [Path(one) for one in files] or _paths(one for _, one in given))
    verdict = min((one.decided.verdict for one in findings), key=WORST_FIRST.index)
    code = _exit_code(verdict, asked, allow_inconclusive=allow_inconclusive)
    return Outcome(comparison, allow_inconclusive, verdict, code, losses, asked, asked_by)


def _paths(given: Iterable[AuditResult | str | PathLike[str]]) -> list[Path]:
    """Return where the audits were read from; nothing if one was given in memory, which bears no signature."""
    listed = list(given)
    paths = [Path(one) for one in listed if isinstance(one, str | PathLike)]
    return paths if len(paths) == len(listed) else []


def _exit_code(verdict: Verdict, asked: Sequence[Requirement], *, allow_inconclusive: bool) -> int:
    states = {one.state for one in asked}
    is_open = (verdict == "INCONCLUSIVE" or "open" in states) and not allow_inconclusive
    is_lacking = any(one.must and one.state == "open" for one in asked)
    return LEAK if verdict == "FAIL" else LOST if "lost" in states else OPEN if is_open or is_lacking else 0


def counted(outcome: Outcome) -> str:
    """Return how many findings there are of each kind: `1 FAIL, 2 PASS`."""
    return tally([one.decided.verdict for one in outcome.findings])


def conclusion(outcome: Outcome) -> str:
    """Return in a sentence what the gate does and why, with the exit code."""
    unknown = "these rows cannot tell whether a fresh attacker reads more than the limit allows"
    match outcome.verdict, outcome.allow_inconclusive:
        case (("PASS" | "INCONCLUSIVE"), _) if outcome.exit_code == LOST:
            told = f"the check fails, since {_lost(outcome)}"
        case (("PASS" | "INCONCLUSIVE"), _) if outcome.exit_code == OPEN and _lacking(outcome):
            told = f"the check does not pass, since the policy asks for what is not there: {_lacking(outcome)}"
        case "PASS", False if outcome.exit_code == OPEN:
            told = "the check does not pass, since these rows cannot tell whether more was lost than is allowed"
        case "PASS", _:
            everyone = all(held_for(one) == "every attacker" for one in outcome.findings)
            who = "attacker whatever" if everyone else "attacker tried"
            is_measured = everyone and any(map(is_by_measured_floor, outcome.findings))
            by_floor = f", {BY_MEASURED_FLOOR}" if is_measured else ""
            told = f"the check passes, since no {who} reads more than the limit allows{by_floor}"
        case "FAIL", _:
            told = "the check fails, since a fresh attacker reads more than the limit allows"
        case _, True:
            told = f"the check lets it pass by --allow-inconclusive, though {unknown}"
        case _:
            told = f"the check does not pass, since {unknown}"
    own = outcome.limit_from == "the audit" and outcome.audit.protocol.limit_set_by == "user"
    by_itself = ", at the limit that the audit set itself" if own else ""
    return f"{counted(outcome)}: {told}{by_itself} (exit code {outcome.exit_code})."


def _lacking(outcome: Outcome) -> str:
    return "; ".join(one.subject for one in outcome.requirements if one.must and one.state == "open")


def _lost(outcome: Outcome) -> str:
    lost, task = [one for one in outcome.requirements if one.state == "lost"], outcome.audit.task
    fallen = ", ".join(one.subject for one in lost if one.tolerance is not None)
    told = [f"more was lost than is allowed of {fallen}"] if fallen else []
    if task is not None and any(one.tolerance is None for one in lost):
        told.insert(0, f"the model does its task no better than {task.nothing}")
    return ", and ".join(told)


def _judged(when: str, audit: AuditResult, limit: float | None) -> AuditResult:
    own = audit.protocol.limit
    if limit is None and own > MOST_OF_ITS_OWN:
        raise EvidenceError(
            f"The evidence ({when}) sets its own limit to {own:g}, more than the {MOST_OF_ITS_OWN:g} that an audit may "
            f"allow itself. Say with --limit what you allow; {own:g} too, if that is so."
        )
    refuse_unfounded(when, audit)
    if limit is None:
        return at_limit(audit, own)
    changed = at_limit(audit, limit)
    return changed.model_copy(update={"protocol": changed.protocol.model_copy(update={"limit_set_by": "user"})})
