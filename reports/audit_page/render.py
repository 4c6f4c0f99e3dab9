"""Turn the evidence of one or two audits into one offline HTML file: no script, no request, no font."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, as_audit
from reports.audit_page.page import page
from reports.compliance.mapping import Framework, load
from reports.inputs.comparison import Comparison, compare
from reports.inputs.integrity import refuse_unfounded
from reports.render.section import fill_page
from reports.render.template import write_page


def render(before: AuditResult, after: AuditResult | None = None, frameworks: Sequence[Framework] = ()) -> str:
    """Return the report as one HTML page; the same evidence gives the same page, byte for byte.

    Args:
        before: The audit, or the one of the checkpoint before it was sanitized.
        after: The audit of the sanitized checkpoint.
        frameworks: A user's own, whose provisions follow those that come with irene.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    return render_comparison(compare(before, after), frameworks)


def render_comparison(comparison: Comparison, frameworks: Sequence[Framework] = ()) -> str:
    """Return the report on audits that were compared already, with what a gate decided on them if one did."""
    return fill_page(page(comparison, frameworks), "report.css", "compliance.css")


def write_report(
    path: str | PathLike[str],
    before: AuditResult | str | PathLike[str],
    after: AuditResult | str | PathLike[str] | None = None,
    *,
    frameworks: Sequence[str | PathLike[str]] = (),
) -> None:
    """Write the report whole or not at all.

    Args:
        path: The HTML file to write.
        before: The audit, or the one of the checkpoint before it was sanitized; or its file.
        after: The audit of the sanitized checkpoint, or its file.
        frameworks: TOML files of a user's own provisions, which follow those that come with irene.

    Raises:
        EvidenceError: An audit is none or contradicts itself, or the two cannot be compared.
        FrameworkError: A framework cannot be read.
        IreneError: The file cannot be written.
    """
    before, after = as_audit(before), None if after is None else as_audit(after)
    if not isinstance(path, str | PathLike):
        raise EvidenceError(f"The page is named by its path first, and {type(path).__name__} is none.")
    for when, audit in (("before", before), ("after", after)):
        if audit is not None:
            refuse_unfounded(when, audit)
    write_page(Path(path), render(before, after, [load(Path(one)) for one in frameworks]))
