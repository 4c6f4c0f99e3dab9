"""How to come to the same figures again, and what to compare when you did."""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from reports.inputs.comparison import Comparison
from reports.render.facts import AuditFact, pairs_text, side_by_side
from reports.render.section import Section
from reports.render.table import Table


@dataclass(frozen=True)
class Reproduce:
    """What to do, and what to compare."""

    steps: tuple[str, ...]
    runs: Table
    fingerprints: Table


def view(comparison: Comparison) -> Reproduce:
    """Prepare steps, commands and hashes."""
    return Reproduce(steps(comparison), runs(comparison), fingerprints(comparison))


SECTION = Section("reproduce", "How to reproduce it", view)


def runs(comparison: Comparison) -> Table:
    """Return what was run: command, versions, device and seed."""
    return side_by_side("Runs", _RUN, comparison)


def fingerprints(comparison: Comparison) -> Table:
    """Return the hashes that link the evidence, the checkpoints and the rows."""
    facts: Mapping[str, AuditFact] = (
        _SANITIZED if any(_made(audit) for _, audit in comparison.audits) else _FINGERPRINTS
    )
    return side_by_side("Fingerprints (SHA-256)", facts, comparison)


def steps(comparison: Comparison) -> tuple[str, ...]:
    """Return what to do, in order."""
    both = len(comparison.audits) == 2
    file = "file of embeddings" if comparison.last.checkpoint.format == "embeddings" else "checkpoint"
    return (
        f"Take {'each' if both else 'the'} {file} and see that its SHA-256 is the one below. irene verify, given the "
        f"evidence and {'these files' if both else 'this file'}, computes all hashes anew and says which do not match.",
        f"Run {'each command' if both else 'the command'} below on the same data. The seed fixes splits, resamples and "
        "attackers. Folders are not part of the evidence: put your own where a file is named.",
        "Compare first what must be equal: the fingerprint of the rows, the number of rows in each split, and the "
        "classes. If one differs, other rows were audited and no figure can be compared.",
        "Then compare the figures. Expect the same ones on the same versions and device, and figures within these "
        "intervals on others. If a verdict turns though no end of its interval lies close to the limit, look for what "
        "else differs.",
    )


def _made(audit: AuditResult) -> bool:
    return audit.checkpoint.sanitizing is not None


def _parent(audit: AuditResult) -> str:
    return audit.checkpoint.sanitizing.parent_sha256 if audit.checkpoint.sanitizing else "not on record"


def _training_rows(audit: AuditResult) -> str:
    return audit.checkpoint.sanitizing.data_fingerprint if audit.checkpoint.sanitizing else "not on record"


_RUN: dict[str, AuditFact] = {
    "Command": ("code", lambda audit: audit.command),
    "Created": ("text", lambda audit: audit.created),
    "Device": ("text", lambda audit: audit.device),
    "Seed": ("text", lambda audit: str(audit.protocol.seed)),
    "Versions": ("text", lambda audit: pairs_text(audit.versions)),
}
_FINGERPRINTS: dict[str, AuditFact] = {
    "Checkpoint": ("code", lambda audit: audit.checkpoint.sha256),
    "Audited rows, labels and groups": ("code", lambda audit: audit.data.fingerprint),
    "This evidence": ("code", lambda audit: audit.digest or "none"),
}
_SANITIZED: dict[str, AuditFact] = {
    "Checkpoint": _FINGERPRINTS["Checkpoint"],
    "Made from the checkpoint": ("code", _parent),
    "Rows that the sanitizer saw": ("code", _training_rows),
    "Audited rows, labels and groups": _FINGERPRINTS["Audited rows, labels and groups"],
    "This evidence": _FINGERPRINTS["This evidence"],
}
