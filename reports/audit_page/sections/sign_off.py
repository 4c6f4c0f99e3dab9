"""What somebody signs: the decision that people take on this evidence, left empty for them."""

from dataclasses import dataclass

from audit.evidence.numbers import named
from reports.inputs.comparison import Comparison
from reports.render.section import Section


@dataclass(frozen=True)
class SignOff:
    """An empty form, and what it is about."""

    subject: str
    digests: tuple[tuple[str, str], ...]
    """What was signed, by name: SHA-256 in hexadecimal digits."""


def view(comparison: Comparison) -> SignOff:
    """Prepare the form for the last audit."""
    audit = comparison.last
    evidence = (("Evidence", audit.digest),) if audit.digest else ()
    return SignOff(
        subject=f"{named(audit.checkpoint.file)}, audited on {audit.created[:10]}",
        digests=(
            ("Embeddings" if audit.checkpoint.format == "embeddings" else "Checkpoint", audit.checkpoint.sha256),
            *evidence,
        ),
    )


SECTION = Section("sign_off", "Sign-off", view, anchor="sign-off")
