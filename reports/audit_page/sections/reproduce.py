"""How to come to the same figures again, and what to compare when you did."""

from audit.evidence.audit_result import AuditResult
from reports.inputs.comparison import Comparison
from reports.render.facts import AuditFact, pairs_text, side_by_side
from reports.render.section import Section, Told
from reports.render.table import Table


def view(comparison: Comparison) -> Told:
    """Prepare steps, commands and hashes."""
    return Told(steps(comparison), (side_by_side("Runs", _RUN, comparison), fingerprints(comparison)))


SECTION = Section("reproduce", "How to reproduce it", view)


def fingerprints(comparison: Comparison) -> Table:
    """Return the hashes that link the evidence, the checkpoints and the rows."""
    is_made = any(audit.checkpoint.sanitizing for _, audit in comparison.audits)
    facts = {name: fact for name, fact in _FINGERPRINTS.items() if is_made or name not in _OF_THE_SANITIZER}
    return side_by_side("Fingerprints (SHA-256)", facts, comparison)


def steps(comparison: Comparison) -> tuple[str, ...]:
    """Return what to do first, in order; the template goes on with what to compare."""
    both = len(comparison.audits) == 2
    file = "file of embeddings" if comparison.last.checkpoint.format == "embeddings" else "checkpoint"
    return (
        f"Take {'each' if both else 'the'} {file} and see that its SHA-256 is the one below. irene verify, given the "
        f"evidence and {'these files' if both else 'this file'}, computes all hashes anew and says which do not match.",
        f"Run {'each command' if both else 'the command'} below on the same data. The seed fixes splits, resamples and "
        "attackers. Folders are not part of the evidence: put your own where a file is named.",
    )


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
    "Made from the checkpoint": ("code", _parent),
    "Rows that the sanitizer saw": ("code", _training_rows),
    "Audited rows, labels and groups": ("code", lambda audit: audit.data.fingerprint),
    "This evidence": ("code", lambda audit: audit.digest or "none"),
}
_OF_THE_SANITIZER = ("Made from the checkpoint", "Rows that the sanitizer saw")
