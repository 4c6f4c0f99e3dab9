"""Pairs of findings before and after, and warnings about their comparison."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding, Measurement, Role
from audit.evidence.numbers import hexdigits, one_line
from reports.inputs.comparability import refuse_unlike
from reports.inputs.integrity import refuse_unfounded_passes
from reports.inputs.paired_difference import Change, figure_change


@dataclass(frozen=True)
class HeadClaim:
    """What the training adversary of the sanitizer reported; it is no evidence of removal."""

    accuracy: float
    """Balanced accuracy on the rows held out from the head, in [0, 1]."""
    rows: int
    contradicted: bool
    """The head says less than the lower end of what a fresh attacker reads."""


@dataclass(frozen=True)
class Reading:
    """One attribute at one layer in one of the audits."""

    when: str
    """`Before`, `After`, or `Audited` where there is only one."""
    audit: AuditResult
    found: Finding
    head: HeadClaim | None

    @property
    def measurement(self) -> Measurement:
        """What was measured."""
        return self.found.measurement


@dataclass(frozen=True)
class Pair:
    """One attribute at one layer, in every audit given: the verdict is on the last."""

    readings: tuple[Reading, ...]

    @property
    def last(self) -> Reading:
        """The reading that the verdict is on."""
        return self.readings[-1]

    @property
    def first(self) -> Reading | None:
        """The reading to compare with, or None for one audit alone."""
        return self.readings[0] if len(self.readings) == 2 else None

    @property
    def change(self) -> Change | None:
        """What changed in what the strongest attacker reads, paired; None for one audit alone."""
        return self.change_of(self.last.measurement.metric)

    def change_of(self, figure: str) -> Change | None:
        """Return what changed in a figure of the strongest attacker, or in the excess; None for one audit alone."""
        return figure_change(self.first.measurement, self.last.measurement, figure) if self.first else None


Does = Literal["passes", "does not pass", "fails"]


@dataclass(frozen=True)
class Checked:
    """What a gate decided on the audits, in words, for the page that it leaves."""

    does: Does
    conclusion: str
    """What it does and why, with the exit code, in a sentence."""
    requirements: tuple[str, ...]
    """What was asked beside the leakage, and what came of it, a sentence each."""
    keep_drop: float | None
    """The largest loss of an attribute to keep that it let pass; None: not looked at."""


@dataclass(frozen=True)
class Comparison:
    """One audit, or two that measured the same thing on two checkpoints."""

    audits: tuple[tuple[str, AuditResult], ...]
    """`Before` and `After`, or `Audited` alone, each with its audit."""
    pairs: tuple[Pair, ...]
    """Private attributes."""
    retained: tuple[Pair, ...]
    """Attributes that should stay readable."""
    warnings: tuple[str, ...]
    """What to know before comparing; the audits' own warnings are not repeated here."""
    checked: Checked | None = None
    """What a gate decided; None where none was asked."""

    @property
    def last(self) -> AuditResult:
        """The audit that the verdicts are on."""
        return self.audits[-1][1]

    @property
    def keep_drop(self) -> float | None:
        """The largest loss at which an attribute to keep counts as retained, if somebody set one."""
        return self.checked.keep_drop if self.checked else None

    @property
    def measured(self) -> tuple[Pair, ...]:
        """Private attributes, and those that should stay readable."""
        return *self.pairs, *self.retained


def compare(before: AuditResult, after: AuditResult | None) -> Comparison:
    """Pair the figures of two audits by attribute and layer; one audit alone is allowed.

    Raises:
        EvidenceError: The audits differ in rows, splits, protocol, task or attributes, are of the same
            checkpoint or in the wrong order, or a PASS does not follow from its own figures.
    """
    if after is None:
        audits: tuple[tuple[str, AuditResult], ...] = (("Audited", before),)
    else:
        refuse_unlike(before, after)
        audits = (("Before", before), ("After", after))
    for when, audit in audits:
        refuse_unfounded_passes(when, audit)
    return Comparison(
        audits,
        pairs=tuple(_pairs(audits, "private")),
        retained=tuple(_pairs(audits, "retained")),
        warnings=() if after is None else _warnings(before, after),
    )


def _pairs(audits: tuple[tuple[str, AuditResult], ...], role: Role) -> Iterator[Pair]:
    for one in audits[0][1].findings:
        if one.role == role:
            yield Pair(tuple(_reading(when, audit, one) for when, audit in audits))


def _reading(when: str, audit: AuditResult, like: Finding) -> Reading:
    found = next((one for one in audit.findings if place(one) == place(like)), None)
    if found is None:
        raise EvidenceError(f"{one_line(like.attribute)} at {one_line(like.layer)} is missing from one audit.")
    return Reading(when, audit, found, _head(audit, found))


def place(found: Finding) -> tuple[str, str, str, str]:
    """Return what tells a finding from all others of its audit."""
    return found.role, found.attribute, found.layer, found.measurement.metric


def _head(audit: AuditResult, found: Finding) -> HeadClaim | None:
    made = audit.checkpoint.sanitizing
    accuracy = made.head_accuracy.get(found.attribute) if made else None
    if made is None or accuracy is None or made.layer != found.layer or not found.measurement.kind.percent:
        return None
    return HeadClaim(accuracy, made.head_rows, contradicted=accuracy < found.measurement.score.low)


def _warnings(before: AuditResult, after: AuditResult) -> tuple[str, ...]:
    warnings = []
    made = after.checkpoint.sanitizing
    if made is None:
        warnings.append(
            "The checkpoint audited after carries no record of a sanitizer: how it was made is not part of "
            "this evidence."
        )
    elif made.parent_sha256 != before.checkpoint.sha256:
        warnings.append(
            "The sanitized checkpoint was not made from the one audited before: it names a parent with "
            f"SHA-256 {hexdigits(made.parent_sha256)}, the one audited before has "
            f"{hexdigits(before.checkpoint.sha256)}. The change shown here is not the sanitizer's alone."
        )
    if before.checkpoint.architecture != after.checkpoint.architecture:
        warnings.append("The two checkpoints are of different architectures; the layers share their names only.")
    changed = [
        f"{name} {before.versions.get(name, 'none')} before, {after.versions.get(name, 'none')} after"
        for name in sorted(before.versions.keys() | after.versions.keys())
        if before.versions.get(name) != after.versions.get(name)
    ]
    if changed:
        warnings.append(f"The audits ran on different versions: {'; '.join(changed)}.")
    return tuple(warnings)
