"""Turn the evidence of one or two audits into one offline HTML file: no script, no request, no font."""

from pathlib import Path

from audit.evidence.audit_result import AuditResult
from reports.audit_page.page import page
from reports.inputs.comparison import compare
from reports.render.template import fill, write_page


def render(before: AuditResult, after: AuditResult | None = None) -> str:
    """Return the report as one HTML page; the same evidence gives the same page, byte for byte.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    return fill("report.html.j2", "report.css", "compliance.css", page=page(compare(before, after)))


def write_report(path: Path, before: AuditResult, after: AuditResult | None = None) -> None:
    """Write the report whole or not at all.

    Raises:
        EvidenceError: The two audits cannot be compared.
        IreneError: The file cannot be written.
    """
    write_page(path, render(before, after))
