"""Turn the evidence of one or two audits into one offline HTML file: no script, no request, no font."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from audit.evidence.audit_result import AuditResult
from reports.audit_page.page import page
from reports.compliance.mapping import Framework, load
from reports.inputs.comparison import compare
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
    return fill_page(page(compare(before, after), frameworks), "report.css", "compliance.css")


def write_report(
    path: str | PathLike[str],
    before: AuditResult,
    after: AuditResult | None = None,
    *,
    frameworks: Sequence[str | PathLike[str]] = (),
) -> None:
    """Write the report whole or not at all.

    Args:
        path: The HTML file to write.
        before: The audit, or the one of the checkpoint before it was sanitized.
        after: The audit of the sanitized checkpoint.
        frameworks: TOML files of a user's own provisions, which follow those that come with irene.

    Raises:
        EvidenceError: An audit contradicts itself, or the two cannot be compared.
        FrameworkError: A framework cannot be read.
        IreneError: The file cannot be written.
    """
    for when, audit in (("before", before), ("after", after)):
        if audit is not None:
            refuse_unfounded(when, audit)
    write_page(Path(path), render(before, after, [load(Path(one)) for one in frameworks]))
