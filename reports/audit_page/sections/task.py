"""The task, and what should stay readable: how well the one is done, how much is read of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.findings import Readability, Regression
from audit.evidence.headline import Measured, written, written_baseline
from audit.evidence.numbers import (
    bare,
    bits,
    change,
    count,
    decimal,
    named,
    percent,
    quantity,
    share,
    shorten,
    signed_quantity,
)
from reports.charts.attribute import Drawing, attribute_drawings, task_drawing
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.inputs.paired_difference import accuracy_change, auroc_change, error_change
from reports.render.section import Section
from reports.render.table import NOTHING, Body, Cell, Row, Table, cell, figure_cell, missing, over
from reports.text.sentences import NO_TASK, attribute_at, unpaired


@dataclass(frozen=True)
class TaskView:
    """Task and retained attributes."""

    sentences: str
    drawing: Drawing | None
    """None where no task was named."""
    table: Table | None
    retained: tuple[Drawing, ...]
    retained_table: Table | None


def view(comparison: Comparison) -> TaskView:
    """Prepare drawings and tables of the task and of the retained attributes."""
    return TaskView(
        sentences=_task_told(comparison),
        drawing=task_drawing(comparison),
        table=task_table(comparison),
        retained=attribute_drawings(by_attribute(comparison.kept), "kept"),
        retained_table=retained_table(comparison),
    )


SECTION = Section("task", "Task, and what was kept", view, heading="The task, and what was kept")


def task_table(comparison: Comparison) -> Table | None:
    """Return how well each checkpoint does its task, or None where no task was named."""
    tasks = [(when, audit.data.test.rows, audit.task) for when, audit in comparison.audits if audit.task]
    if not tasks:
        return None
    rows: list[tuple[Cell, ...]] = [
        (
            cell(when),
            figure_cell(share(task.accuracy)),
            figure_cell(share(task.balanced_accuracy)),
            cell(percent(task.chance), kind="number"),
            cell(count(rows), kind="number"),
        )
        for when, rows, task in tasks
    ]
    if len(tasks) == 2:
        one = accuracy_change(tasks[0][2], tasks[1][2])
        paired = "paired on the same rows" if one.paired else "not paired"
        told = figure_cell(change(one.estimate, in_points=True), paired)
        rows.append((cell("Change"), told, *(missing() for _ in range(3))))
    columns = ("Checkpoint", "Accuracy", "Balanced accuracy", "Most frequent class", "Test rows")
    return Table(f"Task “{named(tasks[-1][2].name)}” on the same test rows", columns, tuple(rows))


def retained_table(comparison: Comparison) -> Table | None:
    """Return the figures of the attributes that should stay readable, or None where none was named."""
    if not comparison.kept:
        return None
    first = "Audit" if comparison.kept[0].first else "Layer"
    columns = (first, "Balanced accuracy in %, or R²", "Floor", "AUROC", "Information in bits, or mean error")
    bodies = tuple(body for pairs in by_attribute(comparison.kept) for body in _bodies(pairs))
    caption = f"What can be read of attributes that should stay readable{unpaired(comparison.kept)}"
    return Table(caption, columns, kind="kept", bodies=bodies)


def _bodies(pairs: Sequence[Pair[Measured]]) -> list[Body]:
    """Return a body per layer with a row per audit, or for one audit alone a body with a row per layer."""
    if pairs[0].first:
        return [Body(attribute_at(pair.last.found), _rows(pair), written_baseline(pair.last.found)) for pair in pairs]
    rows = tuple(_row(pair.last, shorten(pair.last.found.layer)) for pair in pairs)
    found = pairs[0].last.found
    return [Body(shorten(found.attribute), rows, written_baseline(found))]


def _rows(pair: Pair[Measured]) -> tuple[Row, ...]:
    return (*(_row(one, one.when) for one in pair.readings), *_changes(pair))


def _row(reading: Reading[Measured], head: str) -> Row:
    found = reading.found
    floor = over(bare(written(found, found.floor)))
    if isinstance(found, Regression):
        return Row(head, (over(decimal(found.r2)), floor, NOTHING, over(quantity(found.mae))))
    cells = (bare(share(found.balanced_accuracy)), decimal(found.auroc), bare(bits(found.bits)))
    read, auroc, information = map(over, cells)
    return Row(head, (read, floor, auroc, information))


def _changes(pair: Pair[Measured]) -> list[Row]:
    before, after = pair.first.found if pair.first else None, pair.last.found
    if before is None or pair.change is None:
        return []
    read = over(bare(change(pair.change.estimate, in_points=isinstance(after, Readability))))
    rest: tuple[str, str] = (NOTHING, NOTHING)
    if isinstance(before, Readability) and isinstance(after, Readability):
        rest = over(change(auroc_change(before, after).estimate, in_points=False)), NOTHING
    if isinstance(before, Regression) and isinstance(after, Regression):
        rest = NOTHING, over(signed_quantity(error_change(before, after).estimate))
    return [Row("Change", (read, NOTHING, *rest))]


def _task_told(comparison: Comparison) -> str:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return (
            f"{NO_TASK[0].upper()}{NO_TASK[1:]}. So this page cannot show whether the model still does what it is for, "
            "nor how much of the leakage its answers give away by themselves."
        )
    if len(tasks) == 1:
        return "How well the model does what it is for: whatever is removed from it should leave this as it is."
    told = change(accuracy_change(tasks[0], tasks[1]).estimate, in_points=True)
    return (
        f"The task's accuracy changed by {told}. Removal is worth little if the task goes with it: read this beside "
        "the leakage above."
    )
