"""Evidence held against a policy: each thing that is asked and is not there, by name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.numbers import count, one_line, percent
from audit.evidence.signature import read_public, require_signature
from audit.evidence.verdict import decisive, is_bounded
from reports.gate.policy import Policy
from reports.gate.requirements import Losses, Requirement
from reports.inputs.comparison import Comparison

NAME = "policy"
"""What a requirement of a policy is called beside the others."""


def held_policy(policy: Policy, comparison: Comparison, files: Sequence[Path]) -> tuple[Requirement, ...]:
    """Return what the policy asks of the last audit, each as held or open; signatures stand beside the `files`."""
    audit = comparison.last
    asked = [*_of_audit(policy, audit), *_of_findings(policy, audit), *_of_losses(policy, comparison)]
    if policy.key:
        asked.append(("signature", _unsigned(policy.key, files)))
    return tuple(
        Requirement(
            NAME, subject, "open" if lacking else "retained", lacking or "The evidence has what is asked.", must=True
        )
        for subject, lacking in asked
    )


def with_policy(losses: Losses, policy: Policy | None, comparison: Comparison) -> Losses:
    """Return the losses that are allowed by the call and by the policy, where the evidence can tell of them."""
    if policy is None:
        return losses
    task = policy.task_drop if _has_task(comparison) else None
    kept = policy.keep_drop if _has_kept(comparison) else None
    return replace(losses, task=_least(losses.task, task), kept=_least(losses.kept, kept))


def _least(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _has_task(comparison: Comparison) -> bool:
    return len(comparison.audits) == 2 and all(audit.task for _, audit in comparison.audits)


def _has_kept(comparison: Comparison) -> bool:
    return len(comparison.audits) == 2 and bool(comparison.retained)


def _of_losses(policy: Policy, comparison: Comparison) -> Iterator["Asked"]:
    if policy.limit is not None:
        judged = comparison.last.protocol.limit
        lacking = f"The limit is {judged:g}, and {policy.limit:g} is the most."
        yield "limit", "" if judged <= policy.limit else lacking
    if policy.task_drop is not None:
        yield "task drop", "" if _has_task(comparison) else "There is no audit before, or no task."
    if policy.keep_drop is not None:
        yield "keep drop", "" if _has_kept(comparison) else "There is no audit before, or nothing that was to be kept."


Asked = tuple[str, str]
"""What is asked, and what of it is lacking; empty where nothing is."""


def _of_audit(policy: Policy, audit: AuditResult) -> Iterator[Asked]:
    places = {(one.attribute, one.layer) for one in audit.private}
    attributes = {name for name, _ in places}
    for name in policy.private or ():
        yield f"private {one_line(name)}", "" if name in attributes else "It was not audited."
    for layer in policy.layers or ():
        without = [name for name in policy.private or sorted(attributes) if (name, layer) not in places]
        lacking = f"It was not audited there: {', '.join(map(one_line, without))}." if without else ""
        yield f"layer {one_line(layer)}", lacking
    if policy.data is not None:
        alike = policy.data.lower() == audit.data.fingerprint.lower()
        yield "data", "" if alike else f"The rows are others: their fingerprint is {one_line(audit.data.fingerprint)}."


def _of_findings(policy: Policy, audit: AuditResult) -> Iterator[Asked]:
    for one in audit.private:
        where = f"{one_line(one.attribute)} at {one_line(one.layer)}"
        for subject, lacking in _of_finding(policy, one, audit.data.test.groups):
            yield f"{subject}, {where}", lacking


def _of_finding(policy: Policy, one: Finding, groups: int) -> Iterator[Asked]:
    """Yield what is asked of a finding; `groups` are those of the test rows held, of which fewer may have been used."""
    measurement = one.measurement
    ran = {each.name for each in measurement.attackers if each.failure is None}
    for name in policy.attackers or ():
        yield f"attacker {one_line(name)}", "" if name in ran else "It did not run."
    if policy.rows is not None:
        there = measurement.test_rows
        yield "rows", "" if there >= policy.rows else f"{count(there)} of {count(policy.rows)} test rows."
    if policy.class_rows is not None:
        least = min(each.test for each in measurement.classes)
        lacking = f"The smallest class has {count(least)} of {count(policy.class_rows)} test rows."
        yield "class rows", "" if least >= policy.class_rows else lacking
    if policy.groups is not None:
        there = min(groups, measurement.test_rows)
        yield (
            "groups",
            "" if there >= policy.groups else f"At most {count(there)} of {count(policy.groups)} test groups.",
        )
    if policy.recovery is not None:
        yield "planted leaks", _unread(one, policy.recovery)
    if policy.certificate is not None and policy.certificate is not False:
        yield "certificate", _unbounded(one, policy.certificate)


def _unread(one: Finding, least: float) -> str:
    """Return which planted leak was read too little of, of those that the verdict rests on."""
    found = decisive(one.measurement, one.decided.limit)
    if missing := sorted({"linear", "quadratic"} - found.keys()):
        return f"No {missing[0]} leak of at most twice the limit was planted."
    weakest = min(found.values(), key=lambda each: each.share)
    if weakest.share >= least:
        return ""
    return f"Of a planted {weakest.kind} leak {percent(weakest.share)} was read, and {percent(least)} is asked."


def _unbounded(one: Finding, most: bool | float) -> str:
    if one.certificate is None:
        return "There is no upper bound on every attacker."
    bound = one.certificate.balanced_accuracy
    if most is True:
        return "" if is_bounded(one) else f"The bound of {percent(bound)} lies beyond floor and limit."
    return "" if bound <= most else f"The bound is {percent(bound)}, and {percent(float(most))} is the most."


def _unsigned(key: Path, files: Sequence[Path]) -> str:
    """Return why the files are not signed; a key or a library that is not there is an error."""
    read_public(key)
    if not files:
        return "Evidence in memory bears no signature."
    try:
        require_signature(files, key)
    except EvidenceError as error:
        return " ".join(str(error).split())
    return ""
