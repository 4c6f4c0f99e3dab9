"""The figures of a measurement by their names: how each is printed, how it changed, and what its column is called."""

from collections.abc import Callable
from functools import partial

from audit.evidence.audit_result import AnyTask
from audit.evidence.findings import AttackerResult, Estimate, Measurement
from audit.evidence.headline import TITLES, WRITERS, written
from audit.evidence.metric import EXCESS, GIVEN_TASK
from audit.evidence.numbers import Figure, bare, change, measured, signed_quantity, trimmed
from reports.inputs.comparison import Pair
from reports.inputs.paired_difference import Change, task_change
from reports.render.table import NOTHING

UNITS = {"balanced_accuracy": "%", "bits": "bits", "given_task": "bits"}
"""Said once over a column, and not in its cells."""
NONE = Figure(NOTHING, "")
CHANGES: dict[str, Callable[[Estimate], Figure]] = {
    "balanced_accuracy": partial(change, in_points=True),
    "auroc": partial(change, in_points=False),
    "r2": partial(change, in_points=False),
    "mae": signed_quantity,
}
"""How a change of each figure is printed; for other figures no change is reported."""


def columns(measurement: Measurement) -> tuple[str, ...]:
    """Return the names of the strongest attacker's columns: the metric, its excess, and its other figures.

    What it adds to the task is one where there is a task.
    """
    metric, *others = measurement.kind.figures
    return metric, EXCESS, *others, *((GIVEN_TASK,) if GIVEN_TASK in measurement.figures else ())


def column(measurement: Measurement, name: str) -> str:
    """Return what a figure's column is called: `Balanced accuracy, %`."""
    if name == EXCESS:
        return f"Excess over floor, {'points' if measurement.kind.percent else measurement.kind.title}"
    return f"{TITLES[name]}, {UNITS[name]}" if name in UNITS else TITLES[name]


def figure(of: Measurement | AttackerResult, name: str) -> Figure:
    """Return a figure as a cell of its column holds it, or a dash where there is none."""
    estimate = of.figures.get(name)
    return bare(WRITERS[name](estimate)) if estimate else NONE


def selection(measurement: Measurement, one: AttackerResult) -> str:
    """Return an attacker's score on the selection rows, without its unit."""
    if one.select is None:
        return NOTHING
    return measured(one.select).partition(" ")[0] if measurement.kind.percent else trimmed(one.select, 3)


def score(measurement: Measurement) -> Figure:
    """Return the metric of the strongest attacker."""
    return written(measurement, measurement.score)


def floor(measurement: Measurement) -> Figure:
    """Return the metric of the task-label baseline."""
    return written(measurement, measurement.floor_score)


def with_metric(measurement: Measurement, figure: object) -> str:
    """Return figures with the metric's name where their unit does not tell it: `43.1 %`, `R² 0.431`."""
    return str(figure) if measurement.kind.percent else f"{measurement.kind.title} {figure}"


def axis(measurement: Measurement) -> str:
    """Return what the scale of a drawing measures."""
    title = measurement.kind.title
    return title if measurement.kind.percent else f"{title}, share of the variance explained"


def knowing_nothing(measurement: Measurement) -> str:
    """Return what a guess is called on a drawing."""
    return "chance" if measurement.kind.percent else "the mean alone"


def strongest(measurement: Measurement) -> str:
    """Return what a drawing shows of the strongest attacker."""
    explained = "R², the share of the variance that the strongest fresh attacker explains,"
    return "Balanced accuracy of the strongest fresh attacker" if measurement.kind.percent else explained


def written_change(measurement: Measurement, name: str, one: Change | None) -> Figure:
    """Return the change of a figure, or of the excess; a dash where no change is reported."""
    printed = CHANGES.get(measurement.metric if name == EXCESS else name)
    return printed(one.estimate) if printed and one else NONE


def written_task_change(before: AnyTask, after: AnyTask) -> Figure:
    """Return the change of the task's accuracy, in points, or of the R² of a quantity."""
    return change(task_change(before, after).estimate, in_points=after.percent)


def pair_change(pair: Pair, name: str) -> Figure:
    """Return the change of a figure from the first audit to the last."""
    measurement = pair.last.measurement
    is_drawn = name in (*measurement.kind.drawn, EXCESS)
    return written_change(measurement, name, pair.change_of(name)) if is_drawn else NONE
