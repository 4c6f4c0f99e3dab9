"""The annex to a data protection impact assessment: as HTML to read, print and sign, and as Markdown to fill in.

Both are made from one view of the evidence, in the order of Art. 35(7) GDPR.
"""

from collections.abc import Sequence
from pathlib import Path

from audit.atomic_write import write_together
from audit.evidence.audit_result import AuditResult
from reports.compliance.assessment import assessment
from reports.compliance.mapping import Framework
from reports.inputs.comparison import compare
from reports.inputs.files import annex_files
from reports.render.markdown import fill as fill_markdown
from reports.render.template import fill


def write_dpia(
    path: Path, before: AuditResult, after: AuditResult | None = None, frameworks: Sequence[Framework] = ()
) -> tuple[Path, Path]:
    """Write the annex beside a report, both files together or none, and return both: Markdown, then HTML.

    Args:
        path: Of the report; `out/report.html` has its annex in `out/report.dpia.md` and `out/report.dpia.html`.
        before: The audit, or the one of the checkpoint before it was sanitized.
        after: The audit of the sanitized checkpoint.
        frameworks: A user's own, whose provisions follow those that come with irene.

    Raises:
        EvidenceError: The two audits cannot be compared.
        IreneError: A file cannot be written.
    """
    write_together(annex_of(path, before, after, frameworks))
    return annex_files(path)


def annex_of(
    path: Path, before: AuditResult, after: AuditResult | None = None, frameworks: Sequence[Framework] = ()
) -> dict[Path, bytes]:
    """Return the files of the annex and what stands in them; arguments and errors are those of `write_dpia`."""
    contents = render_markdown(before, after, frameworks), render_html(before, after, frameworks)
    return {one: content.encode() for one, content in zip(annex_files(path), contents, strict=True)}


def render_html(before: AuditResult, after: AuditResult | None = None, frameworks: Sequence[Framework] = ()) -> str:
    """Return the annex as one HTML page; the same evidence gives the same page, byte for byte."""
    return fill("dpia.html.j2", "report.css", "compliance.css", page=assessment(compare(before, after), frameworks))


def render_markdown(before: AuditResult, after: AuditResult | None = None, frameworks: Sequence[Framework] = ()) -> str:
    """Return the annex as Markdown; arguments and errors are those of `write_dpia`."""
    return fill_markdown("dpia.md.j2", page=assessment(compare(before, after), frameworks))
