"""Turn the evidence of several models into one offline HTML file, and into lines for a terminal."""

from collections.abc import Mapping
from pathlib import Path

from audit.evidence.audit_result import AuditResult
from audit.evidence.numbers import one_line
from reports.inputs.several_models import gather
from reports.models_page.page import models_page
from reports.render.section import fill_page
from reports.render.template import write_page
from reports.text.sentences import sentences


def render_models(audits: Mapping[str, AuditResult]) -> str:
    """Return the page of several models; the same evidence gives the same page, byte for byte.

    Args:
        audits: Two at least, each by the name of its evidence, in the order of the page.

    Raises:
        EvidenceError: The audits cannot stand side by side.
    """
    return fill_page(models_page(gather(audits)), "report.css", "models.css")


def write_models(path: Path, audits: Mapping[str, AuditResult]) -> None:
    """Write the page of several models, whole or not at all.

    Raises:
        EvidenceError: The audits cannot stand side by side.
        IreneError: The file cannot be written.
    """
    write_page(path, render_models(audits))


def verdict_lines(audits: Mapping[str, AuditResult]) -> list[str]:
    """Return the verdicts on every model as lines for a terminal.

    Raises:
        EvidenceError: The audits cannot stand side by side.
    """
    return [f"{one_line(one.name)}: {line}" for one in gather(audits).models for line in sentences(one.audit)]
