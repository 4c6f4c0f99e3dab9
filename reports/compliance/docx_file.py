"""The annex as a Word file: headings, tables and one full-width box a question, with people's answers in them.

A file that somebody typed into is not written over: a digest of its words, in its properties, tells.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import EvidenceError, IreneError, visible
from audit.file_limits import read_bounded
from reports.compliance.part import Form, Part
from reports.render.table import Table

if TYPE_CHECKING:
    from reports.compliance.assessment import Assessment

MISSING = "A Word file needs python-docx: pip install 'irene-audit[docx]'. The annex as HTML or Markdown needs nothing."
STYLE = "Table Grid"
MOST_BYTES = 2**26
"""Of a Word file."""
ROOM = 3
"""Empty lines of a box that waits for an answer."""


class DocxError(IreneError):
    """No Word file can be made here."""


def as_docx(page: "Assessment") -> bytes:
    """Return the annex as a Word file.

    Raises:
        DocxError: python-docx is not installed.
    """
    document = _library().Document()
    document.add_heading(visible(f"Annex to a data protection impact assessment: {page.file}"), 0)
    document.add_paragraph(visible(page.subject))
    for part in page.sections.values():
        _write(document, part)
    document.core_properties.title = visible(f"Annex to a data protection impact assessment: {page.file}")
    document.core_properties.author = "irene"
    document.core_properties.identifier = _digest(document)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def require_untouched_docx(path: Path) -> None:
    """Refuse to write over a Word file that somebody typed into.

    Raises:
        EvidenceError: It was changed since irene wrote it, or is no Word file.
        DocxError: python-docx is not installed.
    """
    if not path.is_file():
        return
    content, library = read_bounded(path, MOST_BYTES), _library()
    try:
        document = library.Document(io.BytesIO(content))
    except (zipfile.BadZipFile, KeyError, ValueError):  # no archive, without a part, or of another program
        raise EvidenceError(f"{path} is no Word file that irene wrote. Move it away.") from None
    if document.core_properties.identifier != _digest(document):
        raise EvidenceError(
            f"{path} was changed since irene wrote it, and what was typed there would be lost. Put the answers into "
            "a file of their own (--answers dpia.toml), and move this one away."
        )


def _library() -> Any:
    try:
        import docx  # noqa: PLC0415 - of an extra
    except ImportError:
        raise DocxError(MISSING) from None
    return docx


def _digest(document: Any) -> str:
    """Return SHA-256 over the words of a document in their order, however Word cut them into runs."""
    words = "\n".join("".join(one.itertext()) for one in document.element.body)
    return hashlib.sha256(words.encode()).hexdigest()


def _write(document: Any, part: Part) -> None:
    document.add_heading(visible(f"{part.title}{f', {part.provision} GDPR' if part.provision else ''}"), 1)
    for text in (*([part.follows] if part.follows else []), *part.text):
        document.add_paragraph(visible(text))
    for table in part.tables:
        _write_table(document, table)
    if part.points_title:
        document.add_heading(visible(part.points_title), 2)
    for text in part.points:
        document.add_paragraph(visible(text), style="List Bullet")
    for question in part.fields:
        document.add_paragraph().add_run(visible(question.label)).bold = True
        document.add_table(1, 1, style=STYLE).cell(0, 0).text = _reply(question.answer)
    for form in part.forms:
        _write_form(document, form)


def _write_table(document: Any, table: Table) -> None:
    rows = [
        [text for cell in row for text in (" ".join((cell.text, *_noted(cell.notes))), *[""] * (cell.span - 1))]
        for row in table.rows
    ]
    _write_rows(document, table.caption, [list(table.columns), *rows])


def _noted(notes: tuple[str, ...]) -> list[str]:
    return [f"({'; '.join(notes)})"] if notes else []


def _write_form(document: Any, form: Form) -> None:
    rows = [[name, *map(_reply, answers)] for name, answers in zip(form.names, form.filled, strict=True)]
    _write_rows(document, form.caption, [[one.label for one in form.columns], *rows])


def _write_rows(document: Any, caption: str, rows: list[list[str]]) -> None:
    document.add_paragraph().add_run(visible(caption)).bold = True
    drawn = document.add_table(len(rows), len(rows[0]), style=STYLE)
    for line, texts in zip(drawn.rows, rows, strict=True):
        for place, text in zip(line.cells, texts, strict=True):
            place.text = "\n".join(map(visible, text.split("\n")))


def _reply(answer: str) -> str:
    """Return an answer with its lines, or room for one."""
    return "\n".join(map(visible, answer.splitlines())) if answer else "\n" * ROOM
