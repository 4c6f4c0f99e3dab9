"""The page of several models, side by side and without a ranking: its head, and its sections in order."""

from collections.abc import Mapping

from audit.evidence.audit_result import AuditResult
from audit.evidence.numbers import count, named, of_held, one_line, shorten
from reports.inputs.several_models import Models, gather
from reports.models_page.sections import leakage, limits, repeat, retained, shared, task, verdicts, words
from reports.render.section import Page, Section, fill_page, filled, folded, running_head
from reports.text.sentences import sentences

SECTIONS: tuple[Section[Models], ...] = (
    verdicts.SECTION,
    leakage.SECTION,
    task.SECTION,
    retained.SECTION,
    limits.SECTION,
    folded(shared.SECTION),
    folded(repeat.SECTION),
    folded(words.SECTION),
)
"""In the order of the page, what is opened by who wants it last; a new one is a module, a template of the same name,
and a line here."""


def render_models(audits: Mapping[str, AuditResult]) -> str:
    """Return the page of several models as one offline HTML file; the same evidence gives the same, byte for byte.

    Args:
        audits: Two at least, each by the name of its evidence, in the order of the page.

    Raises:
        EvidenceError: The audits cannot stand side by side.
    """
    return fill_page(models_page(gather(audits)), "report.css", "models.css")


def verdict_lines(audits: Mapping[str, AuditResult]) -> list[str]:
    """Return the verdicts on every model as lines for a terminal; arguments and errors are those of the page."""
    return [f"{one_line(one.name)}: {line}" for one in gather(audits).models for line in sentences(one.audit)]


def models_page(models: Models) -> Page:
    """Prepare everything that the templates show."""
    number = count(len(models.models))
    files = shorten(", ".join(dict.fromkeys(one.audit.checkpoint.file for one in models.models)))
    return Page(
        title=f"{number} models side by side: {files}",
        eyebrow="Privacy audits of several models",
        heading=f"{number} models side by side",
        subject=_subject(models),
        sections=filled("models_page", SECTIONS, models),
        rules=running_head(f"{number} models", max(one.audit.created for one in models.models)[:10]),
    )


def _subject(models: Models) -> str:
    audit = models.models[0].audit
    rows = f"{of_held(audit.tested, audit.data.test.rows)} rows of {named(audit.data.name)}"
    return (
        f"What attackers, trained afresh, read from the features that leave {count(len(models.models))} models, on the "
        f"same {rows}. In the order given; none is ranked."
    )
