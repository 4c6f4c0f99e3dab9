"""The annex to a data protection impact assessment: as HTML to read, print and sign, and as Markdown.

Both are made from one view of the evidence and of what people answered, in the order of Art. 35(7) GDPR.
"""

from collections.abc import Sequence
from pathlib import Path

from audit.atomic_write import refuse_unless, write_together
from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult
from reports.compliance.answers import Answers, starter, unanswered
from reports.compliance.assessment import assessment
from reports.compliance.docx_file import as_docx, require_untouched_docx
from reports.compliance.mapping import Framework
from reports.inputs.comparison import compare
from reports.inputs.files import annex_docx, annex_files
from reports.render.markdown import fill as fill_markdown
from reports.render.seal import is_untouched, sealed
from reports.render.template import fill, is_own


def write_dpia(
    path: Path,
    before: AuditResult,
    after: AuditResult | None = None,
    frameworks: Sequence[Framework] = (),
    answers: Answers | None = None,
) -> tuple[Path, Path]:
    """Write the annex beside a report, both files together or none, and return both: Markdown, then HTML.

    Args:
        path: Of the report; `out/report.html` has its annex in `out/report.dpia.md` and `out/report.dpia.html`.
        before: The audit, or the one of the checkpoint before it was sanitized.
        after: The audit of the sanitized checkpoint.
        frameworks: A user's own, whose provisions follow those that come with irene.
        answers: What people answered (reports.compliance.answers).

    Raises:
        EvidenceError: The two audits cannot be compared.
        IreneError: A file cannot be written, or holds what somebody typed into it.
    """
    write_together(annex_of(path, before, after, frameworks, answers))
    return annex_files(path)


def annex_of(
    path: Path,
    before: AuditResult,
    after: AuditResult | None = None,
    frameworks: Sequence[Framework] = (),
    answers: Answers | None = None,
) -> dict[Path, bytes]:
    """Return the files of the annex and what stands in them; arguments and errors are those of `write_dpia`."""
    markdown, html = annex_files(path)
    _require_untouched(markdown)
    refuse_unless(is_own, html)
    told = render_markdown(before, after, frameworks, answers)
    return {markdown: sealed(told).encode(), html: render_html(before, after, frameworks, answers).encode()}


def docx_of(
    path: Path,
    before: AuditResult,
    after: AuditResult | None = None,
    frameworks: Sequence[Framework] = (),
    answers: Answers | None = None,
) -> dict[Path, bytes]:
    """Return the annex as a Word file beside a report; arguments and errors are those of `write_dpia`.

    Raises:
        DocxError: python-docx is not installed.
    """
    file = annex_docx(path)
    require_untouched_docx(file)
    return {file: as_docx(assessment(compare(before, after), frameworks, answers))}


def _require_untouched(path: Path) -> None:
    """Refuse to write over a file that somebody typed into."""
    if path.is_file() and not is_untouched(path):
        raise EvidenceError(
            f"{path} was changed since irene wrote it, and what was typed there would be lost. Put the answers into "
            "a file of their own (--answers dpia.toml), and move this one away."
        )


def render_html(
    before: AuditResult,
    after: AuditResult | None = None,
    frameworks: Sequence[Framework] = (),
    answers: Answers | None = None,
) -> str:
    """Return the annex as one HTML page; the same evidence and answers give the same page, byte for byte."""
    page = assessment(compare(before, after), frameworks, answers)
    return fill("dpia.html.j2", "report.css", "compliance.css", page=page)


def render_markdown(
    before: AuditResult,
    after: AuditResult | None = None,
    frameworks: Sequence[Framework] = (),
    answers: Answers | None = None,
) -> str:
    """Return the annex as Markdown; arguments and errors are those of `write_dpia`."""
    return fill_markdown("dpia.md.j2", page=assessment(compare(before, after), frameworks, answers))


def questions(before: AuditResult, after: AuditResult | None = None) -> str:
    """Return a file of answers without any, with every question of the annex."""
    return starter(assessment(compare(before, after)).sections)


def missing_answers(before: AuditResult, after: AuditResult | None, answers: Answers) -> list[str]:
    """Return where answers are missing, by their keys."""
    return [*unanswered(assessment(compare(before, after), answers=answers).sections)]
