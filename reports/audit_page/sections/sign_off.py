"""What somebody signs: the decision that people take on this evidence, left empty for them."""

from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from audit.evidence.numbers import named
from reports.inputs.comparison import Comparison
from reports.render.section import Section

DECISIONS = ("accept", "accept with measures", "reject")
FIELDS = (
    ("Prepared by", "Role"),
    ("Reviewed by (data-protection officer)", "Role"),
    ("Measures and conditions",),
    ("Date", "Valid until"),
    ("Signature",),
)
"""Lines of empty fields, from top to bottom."""


@dataclass(frozen=True)
class SignOff:
    """An empty form, and what it is about."""

    subject: str
    digests: tuple[tuple[str, str], ...]
    """What was signed, by name: SHA-256 in hexadecimal digits."""
    decisions: tuple[str, ...]
    fields: tuple[tuple[str, ...], ...]


def sign_off(audit: AuditResult) -> SignOff:
    """Return the form for one audit: the last of a comparison."""
    evidence = (("Evidence", audit.digest),) if audit.digest else ()
    return SignOff(
        subject=f"{named(audit.checkpoint.file)}, audited on {audit.created[:10]}",
        digests=(("Checkpoint", audit.checkpoint.sha256), *evidence),
        decisions=DECISIONS,
        fields=FIELDS,
    )


def view(comparison: Comparison) -> SignOff:
    """Prepare the form for the last audit."""
    return sign_off(comparison.last)


SECTION = Section("sign_off", "Sign-off", view, anchor="sign-off")
