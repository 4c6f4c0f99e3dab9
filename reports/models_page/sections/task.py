"""How well every model does its task."""

from dataclasses import dataclass

from audit.evidence.headline import on_the_task
from reports.charts.attribute import Drawing, task_drawing
from reports.inputs.several_models import Models
from reports.render.section import Section


@dataclass(frozen=True)
class TaskView:
    """The task."""

    drawing: Drawing | None
    """None where no task was named."""


def view(models: Models) -> TaskView:
    """Prepare the drawing of the task."""
    tasks = [(one.name, one.audit.task) for one in models.models if one.audit.task]
    said = f"{on_the_task(tasks[0][1] if tasks else None)}. "
    return TaskView(task_drawing(tasks, last="before", said=said))


SECTION = Section("task", "Task", view, heading="What the models are for")
