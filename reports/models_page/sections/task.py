"""How well every model does its task."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.audit_result import AnyTask
from audit.evidence.headline import on_the_task
from audit.evidence.numbers import change
from reports.charts.attribute import Drawing, task_drawing
from reports.inputs.paired_difference import task_change
from reports.inputs.several_models import Models
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, figure_cell, missing

MOST = 6
"""Models that are compared each with each."""


@dataclass(frozen=True)
class TaskView:
    """The task."""

    drawing: Drawing | None
    """None where no task was named."""
    differences: Table | None
    """Between every two models; None without a task, and of more models than `MOST`."""


def view(models: Models) -> TaskView:
    """Prepare the drawing of the task."""
    tasks = [(one.name, one.audit.task) for one in models.models if one.audit.task]
    said = f"{on_the_task(tasks[0][1] if tasks else None)}. "
    return TaskView(task_drawing(tasks, last="before", said=said), differences(tasks))


def differences(tasks: Sequence[tuple[str, AnyTask]]) -> Table | None:
    """Return by how much every model's task differs from every other's, paired on the same rows where draws tell."""
    if not 2 <= len(tasks) <= MOST:
        return None
    names, every = tuple(name for name, _ in tasks), [*enumerate(tasks)]
    rows = tuple(
        (cell(name), *(missing() if row == column else _difference(other, one) for column, (_, other) in every))
        for row, (name, one) in every
    )
    caption = f"{on_the_task(tasks[0][1])}: each row's model less each column's"
    return Table(caption, ("Model", *names), rows)


def _difference(before: AnyTask, after: AnyTask) -> Cell:
    found = task_change(before, after)
    told = change(found.estimate, in_points=after.percent)
    return figure_cell(told, *([] if found.paired else ["not paired"]))


SECTION = Section("task", "Task", view, heading="What the models are for")
