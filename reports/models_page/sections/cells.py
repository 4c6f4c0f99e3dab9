"""Cells and tables that several sections share."""

from collections.abc import Iterator
from dataclasses import dataclass

from audit.evidence.findings import Measurement
from audit.evidence.headline import on_the_task, written_task
from audit.evidence.metric import EXCESS
from audit.evidence.numbers import shorten
from reports.charts.attribute import Drawing
from reports.charts.models import attribute_drawing
from reports.inputs.comparison import Reading
from reports.inputs.paired_difference import figure_change
from reports.inputs.several_models import Model, Models, Several
from reports.render.table import Cell, Table, cell, figure_cell, missing
from reports.text.figures import score, written_change, written_task_change
from reports.text.sentences import attribute_at

MOST_LINES = 160
"""Lines of all drawings of one section together, a model at one layer each; what comes after stands in tables alone."""


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


def attribute_view(one: Several, models: Models, place: int, table: Table, salt: str) -> AttributeView:
    """Return a drawing and two tables of one attribute: its figures in `table`, and its differences.

    `place` counts the attributes before it; `salt` sets its drawing apart from the others on the page.
    """
    is_drawn = (place + 1) * len(models.models) <= MOST_LINES
    drawing = attribute_drawing(one, f"{salt}-{place}") if is_drawn else None
    return AttributeView(attribute_at(one.first), drawing, table, differences_table(one))


def differences_table(one: Several) -> Table:
    """Return how every other model differs from the first one in an attribute; in the task, too, if it is private."""
    (first, reading), *others = one.readings
    is_private = one.first.decision is not None
    found = tuple(
        (
            name_cell(model),
            *_changes(reading.measurement, other.measurement),
            *([_task_change(model, first)] if is_private else []),
        )
        for model, other in others
    )
    read = f"Strongest fresh attacker, {one.first.measurement.kind.title}"
    columns = ("Model", read, "Excess", *([on_the_task(first.audit.task)] if is_private else []))
    return Table(f"{attribute_at(one.first)}: differences from {first.name}", columns, found)


def name_cell(model: Model) -> Cell:
    """Return which model it is, and the method that made it."""
    made = model.audit.checkpoint.sanitizing
    return cell(model.name, *([shorten(made.method)] if made else []))


def task_cell(model: Model) -> Cell:
    """Return how well a model does the task."""
    task = model.audit.task
    return figure_cell(written_task(task)) if task else missing("no task")


def read_cell(reading: Reading) -> Cell:
    """Return what the strongest attacker reads, and which one that is."""
    return figure_cell(score(reading.measurement), f"by {shorten(reading.measurement.strongest)}")


def _changes(first: Measurement, other: Measurement) -> Iterator[Cell]:
    for name in (other.metric, EXCESS):
        yield figure_cell(written_change(other, name, figure_change(first, other, name)))


def _task_change(model: Model, first: Model) -> Cell:
    task, other = model.audit.task, first.audit.task
    if task is None or other is None:
        return missing("no task")
    return figure_cell(written_task_change(other, task))
