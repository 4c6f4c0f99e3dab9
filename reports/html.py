"""Turn the evidence of one or two audits into one offline HTML file: no script, no request, no font."""

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from audit.evidence import AuditResult
from audit.files import write_whole
from reports.comparison import compare
from reports.views import page

TEMPLATES = Path(__file__).parent / "templates"


def render(before: AuditResult, after: AuditResult | None = None) -> str:
    """Return the report as one HTML page; the same evidence gives the same page, byte for byte.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    view = page(compare(before, after))
    return _environment().get_template("report.html.j2").render(page=view, style=style)


def write_report(path: Path, before: AuditResult, after: AuditResult | None = None) -> None:
    """Write the report whole or not at all.

    Raises:
        EvidenceError: The two audits cannot be compared.
        IreneError: The file cannot be written.
    """
    content = render(before, after).encode("utf-8", errors="replace")  # a lone surrogate in a name
    write_whole(path, content)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_unit,
    )


def _keep_unit(value: object) -> object:
    """Keep a percent sign on the line of its number."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", value)
