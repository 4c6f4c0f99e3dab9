"""The page of several models, side by side and without a ranking: its head, and its sections in order."""

from audit.evidence.numbers import count, named, rows_told, shorten
from reports.inputs.several_models import Models
from reports.models_page.sections import leakage, limits, repeat, retained, shared, task, verdicts, words
from reports.render.print_css import running_head
from reports.render.section import Page, Section, filled

SECTIONS: tuple[Section[Models], ...] = (
    verdicts.SECTION,
    leakage.SECTION,
    task.SECTION,
    retained.SECTION,
    shared.SECTION,
    repeat.SECTION,
    limits.SECTION,
    words.SECTION,
)
"""In the order of the page; a new one is a module, a template of the same name, and a line here."""


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
    data = models.models[0].audit.data
    return (
        f"What fresh attackers read from the bottlenecks of {count(len(models.models))} models on the same "
        f"{rows_told(data.test.rows)} of {named(data.name)}, beside how well each does its task. The models stand in "
        "the order they were given, and none is ranked: which one to use depends on what leakage and task are worth."
    )
