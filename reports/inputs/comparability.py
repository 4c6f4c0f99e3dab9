"""Comparability: two audits must have the same rows, splits and protocol before they stand side by side."""

from collections.abc import Callable

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, Split
from audit.evidence.findings import Finding
from audit.evidence.numbers import count, hexdigits, one_line

_SAME: dict[str, Callable[[AuditResult], str]] = {
    "data fingerprint": lambda audit: audit.data.fingerprint,
    "grouping": lambda audit: audit.data.group or "none",
    "unreadable rows": lambda audit: count(audit.data.unreadable),
    "train split": lambda audit: split_told(audit.data.train),
    "select split": lambda audit: split_told(audit.data.select),
    "test split": lambda audit: split_told(audit.data.test),
    "task": lambda audit: f"{audit.task.name} ({audit.task.told})" if audit.task else "none",
    "rows without a task label": lambda audit: count(audit.task.missing) if audit.task else "none",
    "attributes and layers": lambda audit: _told(audit.private),
    "kept attributes and layers": lambda audit: _told(audit.retained),
    "seed": lambda audit: str(audit.protocol.seed),
    "attackers": lambda audit: ", ".join(audit.protocol.attackers),
    "views": lambda audit: ", ".join(audit.protocol.views),
    "bootstrap resamples": lambda audit: str(audit.protocol.bootstrap),
    "null refits": lambda audit: str(audit.protocol.null_refits),
    "rows that fit an attacker": lambda audit: str(audit.protocol.fit_rows),
    "rows that fit an attacker on shuffled labels": lambda audit: str(audit.protocol.null_rows),
    "fewest rows of a class": lambda audit: str(audit.protocol.min_class),
    "class of the rare classes": lambda audit: audit.protocol.merge_rare or "none",
    "pooling": lambda audit: audit.protocol.pool,
    "limit": lambda audit: str(audit.protocol.limit),
}
"""Two audits are comparable if each of these texts is equal."""


def refuse_unlike(before: AuditResult, after: AuditResult) -> None:
    """Refuse two audits that did not measure the same thing on two checkpoints, in this order.

    Raises:
        EvidenceError: They did not; the message names every difference.
    """
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
    others = {_place(one): one for one in after.findings}
    for place, one in {_place(one): one for one in before.findings}.items():
        if other := others.get(place):
            terms, changed = _terms(one), _terms(other)
            differences += [f"{name} of {one_line(place)}" for name in terms if terms[name] != changed[name]]
    if differences:
        raise EvidenceError(
            f"Cannot compare these two audits, they differ in: {'; '.join(differences)}. "
            "Audit both checkpoints with the same data and options."
        )


def _told(listed: list[Finding]) -> str:
    return ", ".join(sorted(map(_place, listed))) or "none"


def _place(one: Finding) -> str:
    return f"{one.attribute} at {one.layer}{'' if one.measurement.kind.percent else ' (continuous)'}"


def _terms(one: Finding) -> dict[str, object]:
    """What one attribute was measured on."""
    measurement = one.measurement
    return {
        "class counts" if measurement.kind.percent else "row counts": measurement.classes,
        "missing rows": measurement.missing,
        "classes left out": measurement.left_out,
        "limit": one.decision.limit if one.decision else None,
    }


def split_told(split: Split) -> str:
    """Return how many rows and groups a split has, in words."""
    return f"{count(split.rows)} rows in {count(split.groups)} groups"


def _brief(text: str) -> str:
    is_digest = len(text) >= 40 and all(mark in "0123456789abcdef" for mark in text)
    return hexdigits(text) if is_digest else one_line(text)
