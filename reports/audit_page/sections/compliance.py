"""The provisions that the evidence supports, with empty fields for people."""

from collections.abc import Sequence

from reports.compliance.mapping import Framework
from reports.compliance.provisions_view import compliance_view
from reports.inputs.comparison import Comparison
from reports.render.section import Section


def section(frameworks: Sequence[Framework]) -> Section[Comparison]:
    """Return the section for irene's own mapping and a user's frameworks."""
    return Section(
        "compliance", "Provisions", lambda comparison: compliance_view(comparison, frameworks),
        heading="Provisions that this supports", anchor="articles",
    )  # fmt: skip
