"""Pair what was read before and after, and refuse two audits that did not measure the same thing."""

from collections.abc import Callable
from dataclasses import dataclass

from audit.errors import EvidenceError
from audit.evidence import AuditResult, Leakage, Split
from reports.figures import count, hexdigits, one_line


@dataclass(frozen=True)
class HeadClaim:
    """What the head of the sanitizer's own training loop said; it is no evidence of removal."""

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
    leakage: Leakage
    head: HeadClaim | None


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


@dataclass(frozen=True)
class Comparison:
    """One audit, or two that measured the same thing on two checkpoints."""

    audits: tuple[tuple[str, AuditResult], ...]
    """`Before` and `After`, or `Audited` alone, each with its audit."""
    pairs: tuple[Pair, ...]
    warnings: tuple[str, ...]
    """What to know before comparing; the audits' own warnings are not repeated here."""


def compare(before: AuditResult, after: AuditResult | None) -> Comparison:
    """Pair the figures of two audits by attribute and layer; one audit alone is allowed.

    Raises:
        EvidenceError: The audits differ in rows, splits, protocol, task or attributes, are of the same
            checkpoint or in the wrong order, or a PASS does not follow from its own figures.
    """
    if after is None:
        audits: tuple[tuple[str, AuditResult], ...] = (("Audited", before),)
    else:
        _refuse_unlike(before, after)
        audits = (("Before", before), ("After", after))
    for when, audit in audits:
        _refuse_unfounded_pass(when, audit)
    pairs = tuple(
        Pair(tuple(_reading(when, audit, one.attribute, one.layer) for when, audit in audits)) for one in before.leakage
    )
    return Comparison(audits, pairs, () if after is None else _warnings(before, after))


def _reading(when: str, audit: AuditResult, attribute: str, layer: str) -> Reading:
    leakage = audit.find(attribute, layer)
    if leakage is None:
        raise EvidenceError(f"{one_line(attribute)} at {one_line(layer)} is missing from one audit.")
    sanitizing = audit.checkpoint.sanitizing
    accuracy = sanitizing.head_accuracy.get(attribute) if sanitizing else None
    if sanitizing is None or accuracy is None or sanitizing.layer != layer:
        return Reading(when, audit, leakage, None)
    contradicted = accuracy < leakage.balanced_accuracy.low
    return Reading(when, audit, leakage, HeadClaim(accuracy, sanitizing.head_rows, contradicted))


def _split(split: Split) -> str:
    return f"{count(split.rows)} rows in {count(split.groups)} groups"


_SAME: dict[str, Callable[[AuditResult], str]] = {
    "schema": lambda audit: audit.schema_version,
    "data fingerprint": lambda audit: audit.data.fingerprint,
    "grouping": lambda audit: audit.data.group or "none",
    "train split": lambda audit: _split(audit.data.train),
    "select split": lambda audit: _split(audit.data.select),
    "test split": lambda audit: _split(audit.data.test),
    "task": lambda audit: f"{audit.task.name} ({', '.join(audit.task.classes)})",
    "attributes and layers": lambda audit: ", ".join(sorted(_places(audit))),
    "seed": lambda audit: str(audit.protocol.seed),
    "attackers": lambda audit: ", ".join(audit.protocol.attackers),
    "views": lambda audit: ", ".join(audit.protocol.views),
    "bootstrap resamples": lambda audit: str(audit.protocol.bootstrap),
    "null refits": lambda audit: str(audit.protocol.null_refits),
    "rows that fit an attacker": lambda audit: str(audit.protocol.fit_rows),
    "pooling": lambda audit: audit.protocol.pool,
    "limit": lambda audit: str(audit.protocol.limit),
}
"""What two audits must share before their figures may stand side by side."""


def _places(audit: AuditResult) -> dict[str, Leakage]:
    return {f"{one.attribute} at {one.layer}": one for one in audit.leakage}


def _refuse_unlike(before: AuditResult, after: AuditResult) -> None:
    if before.checkpoint.sha256 == after.checkpoint.sha256:
        raise EvidenceError(
            f"Both files audit the same checkpoint (SHA-256 {hexdigits(after.checkpoint.sha256)}). "
            "Give the audit of the checkpoint before sanitizing and the one after."
        )
    made = before.checkpoint.sanitizing
    if made and made.parent_sha256 == after.checkpoint.sha256:
        raise EvidenceError(
            f"The first audit is of {one_line(before.checkpoint.file)}, which was made from the second's "
            f"{one_line(after.checkpoint.file)}. Give them the other way round: BEFORE first, then AFTER."
        )
    differences = [
        f"{name} ({_brief(told(before))} before, {_brief(told(after))} after)"
        for name, told in _SAME.items()
        if told(before) != told(after)
    ]
    others = _places(after)
    for place, one in _places(before).items():
        other = others.get(place)
        if other and (one.classes, one.limit) != (other.classes, other.limit):
            differences.append(f"class counts or limit of {one_line(place)}")
    if differences:
        raise EvidenceError(
            f"Cannot compare these two audits, they differ in: {'; '.join(differences)}. "
            "Audit both checkpoints with the same data and options."
        )


def _brief(text: str) -> str:
    is_digest = len(text) >= 40 and all(mark in "0123456789abcdef" for mark in text)
    return hexdigits(text) if is_digest else one_line(text)


def _refuse_unfounded_pass(when: str, audit: AuditResult) -> None:
    """A verdict typed into the file by hand must not reach the page."""
    for one in audit.leakage:
        if one.verdict == "PASS" and one.excess.high > one.limit:
            raise EvidenceError(
                f"The evidence ({when.lower()}) says PASS for {one_line(one.attribute)} at "
                f"{one_line(one.layer)}, but its own interval reaches {one.excess.high:.4f}, "
                f"above the limit of {one.limit:.4f}. "
                "Run the audit again."
            )


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
