"""The page of several models: their audits as one offline HTML file, side by side, without a ranking."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Regression
from audit.evidence.headline import Judged, Measured
from audit.evidence.numbers import LONGEST_TEXT, count, named, one_line, rows_told, shorten
from reports.charts.attribute import Drawing
from reports.charts.models import attribute_drawing, task_drawing
from reports.inputs.by_attribute import tally
from reports.inputs.several_models import Models, Several, gather
from reports.models_page.tables import (
    attribute_table,
    differences_table,
    held_tables,
    kept_table,
    run_tables,
    verdicts_table,
    which_table,
)
from reports.render.print_css import running_head
from reports.render.table import Table
from reports.render.template import fill, write_page
from reports.text.caveats import cautions
from reports.text.sentences import attribute_at, sentences

MOST_LINES = 160
"""Lines of all drawings of leakage together, a model at one layer each; what comes after stands in the tables alone."""


@dataclass(frozen=True)
class AttributeView:
    """One attribute at one layer, in every model."""

    name: str
    """`attribute at layer`."""
    drawing: Drawing | None
    """None where the page has too many."""
    table: Table
    differences: Table
    """From the first model."""


@dataclass(frozen=True)
class ModelsPage:
    """Everything that the template shows."""

    count: str
    files: str
    subject: str
    summary: tuple[str, ...]
    """A sentence for each private attribute at each layer: how many models pass."""
    verdicts: Table
    warnings: tuple[str, ...]
    private: tuple[AttributeView, ...]
    task: Drawing | None
    """None where no task was named."""
    kept: tuple[AttributeView, ...]
    which: Table
    held: tuple[Table, ...]
    runs: tuple[Table, ...]
    has_bounds: bool
    has_numbers: bool
    """Whether an attribute is a number, such as an age."""
    paired: bool
    """Whether differences between models are taken resample by resample."""
    rules: Markup
    """What the printed sheets have at their head."""


def render_models(audits: Mapping[str, AuditResult]) -> str:
    """Return the page of several models; the same evidence gives the same page, byte for byte.

    Args:
        audits: Two at least, each by the name of its evidence, in the order of the page.

    Raises:
        EvidenceError: The audits cannot stand side by side.
    """
    return fill("models.html.j2", "report.css", "models.css", page=models_page(gather(audits)))


def write_models(path: Path, audits: Mapping[str, AuditResult]) -> None:
    """Write the page of several models, whole or not at all.

    Raises:
        EvidenceError: The audits cannot stand side by side.
        IreneError: The file cannot be written.
    """
    write_page(path, render_models(audits))


def told(audits: Mapping[str, AuditResult]) -> list[str]:
    """Return the verdicts on every model as lines for a terminal.

    Raises:
        EvidenceError: The audits cannot stand side by side.
    """
    return [f"{one_line(one.name)}: {line}" for one in gather(audits).models for line in sentences(one.audit)]


def models_page(models: Models) -> ModelsPage:
    """Prepare everything that the template shows."""
    first = models.models[0].audit
    everything: list[Several[Measured]] = [*models.private, *models.kept]
    return ModelsPage(
        count=count(len(models.models)),
        files=shorten(", ".join(dict.fromkeys(one.audit.checkpoint.file for one in models.models))),
        subject=_subject(models),
        summary=tuple(map(_summary, models.private)),
        verdicts=verdicts_table(models),
        warnings=_warnings(models),
        private=tuple(_private(one, models, place) for place, one in enumerate(models.private)),
        task=task_drawing(models) if first.task else None,
        kept=tuple(_kept(one, models, place) for place, one in enumerate(models.kept)),
        which=which_table(models),
        held=held_tables(models),
        runs=run_tables(models),
        has_bounds=any(one.certificate for model in models.models for one in model.audit.leakage),
        has_numbers=any(isinstance(one.first, Regression) for one in everything),
        paired=all(reading.found.excess_draws for one in everything for _, reading in one.readings),
        rules=running_head(f"{count(len(models.models))} models", max(one.audit.created for one in models.models)[:10]),
    )


def _subject(models: Models) -> str:
    data = models.models[0].audit.data
    return (
        f"What fresh attackers read from the bottlenecks of {count(len(models.models))} models on the same "
        f"{rows_told(data.test.rows)} of {named(data.name)}, beside how well each does its task. The models stand in "
        "the order they were given, and none is ranked: which one to use depends on what leakage and task are worth."
    )


def _summary(one: Several[Judged]) -> str:
    verdicts = [reading.found.verdict for _, reading in one.readings]
    return f"{attribute_at(one.first)}: {tally(verdicts)} of {count(len(verdicts))} models."


def _private(one: Several[Judged], models: Models, place: int) -> AttributeView:
    is_drawn = (place + 1) * len(models.models) <= MOST_LINES
    drawing = attribute_drawing(one, f"leakage-{place}") if is_drawn else None
    return AttributeView(attribute_at(one.first), drawing, attribute_table(one, models), differences_table(one))


def _kept(one: Several[Measured], models: Models, place: int) -> AttributeView:
    is_drawn = (place + 1) * len(models.models) <= MOST_LINES
    drawing = attribute_drawing(one, f"kept-{place}") if is_drawn else None
    return AttributeView(attribute_at(one.first), drawing, kept_table(one), differences_table(one))


def _warnings(models: Models) -> tuple[str, ...]:
    """Return what to know before the models are compared: what holds of all once, and of some with their numbers."""
    whose: dict[str, list[str]] = {}
    for model in models.models:
        for text in cautions(model.comparison):
            whose.setdefault(text.removeprefix("Audited: "), []).append(str(model.number))
    every = len(models.models)
    own = [
        shorten(text if len(numbers) == every else f"{', '.join(numbers)}: {text}", LONGEST_TEXT)
        for text, numbers in whose.items()
    ]
    return (*_unlike(models), *own)


def _unlike(models: Models) -> list[str]:
    """Return what may differ between models that are compared, and does."""
    audits = [model.audit for model in models.models]
    unlike = []
    if len({audit.checkpoint.architecture for audit in audits}) > 1:
        unlike.append("The models are of different architectures; their layers share the names only.")
    names = sorted({name for audit in audits for name in audit.versions})
    changed = [name for name in names if len({audit.versions.get(name) for audit in audits}) > 1]
    if changed:
        unlike.append(f"The audits ran on different versions of {shorten(', '.join(changed))}.")
    if len({audit.device for audit in audits}) > 1:
        unlike.append("The audits ran on different devices.")
    return unlike
