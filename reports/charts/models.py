"""Drawings of several models: a line for each, with its leakage, its task-label baseline and its upper bound."""

from collections.abc import Sequence

from audit.evidence.findings import Finding
from audit.evidence.headline import written, written_guess
from audit.evidence.numbers import percent, share, shorten
from reports.charts.attribute import Drawing
from reports.charts.intervals import NARROW, WIDE, Lane, Line, Point, Scale, draw
from reports.inputs.several_models import Model, Models, Several
from reports.text.figures import axis, knowing_nothing, score, strongest
from reports.text.verdicts import MARKS


def attribute_drawing(one: Several, salt: str) -> Drawing:
    """Draw the leakage of one attribute at one layer in every model.

    Args:
        one: Private, with verdicts, or to be kept, without.
        salt: Sets this drawing apart from the others on the page.
    """
    found, measurement = one.first, one.first.measurement
    rows = [_lane(model, reading.found) for model, reading in one.readings]
    ceilings = (reading.measurement.ceiling for _, reading in one.readings)
    if ceiling := next(filter(None, ceilings), None):
        told = str(written(measurement, ceiling.figure))
        rows.append(Lane("From the raw input (ceiling)", told, (Point.of("ceiling", ceiling.figure),)))
    lines = [Line(f"{knowing_nothing(measurement)} {written_guess(measurement)}", measurement.guess, ":")]
    scale = Scale(axis(measurement), measurement.kind.percent)
    has_bound = any(reading.found.certificate for _, reading in one.readings)
    return _drawing(
        shorten(found.attribute), shorten(found.layer), rows, lines, scale, salt,
        _caption(found, has_task=one.readings[0][1].audit.task is not None, has_bound=has_bound),
    )  # fmt: skip


def task_drawing(models: Models) -> Drawing | None:
    """Draw how well every model does its task, or None where no task was named."""
    tasks = [(model, model.audit.task) for model in models.models if model.audit.task]
    if not tasks:
        return None
    task = tasks[0][1]
    rows = [Lane(model.name, str(share(one.accuracy)), (Point.of("before", one.accuracy),)) for model, one in tasks]
    lines = [Line(f"most frequent class {percent(task.chance)}", task.chance, ":")]
    caption = "Accuracy on the task with its 95 % interval, on the same test rows."
    return _drawing(shorten(task.name), "", rows, lines, Scale("accuracy on the task", True), "task", caption)


def _lane(model: Model, found: Finding) -> Lane:
    mark = f"{MARKS[found.decision.verdict]} " if found.decision else ""
    points = [Point.of("before", found.measurement.score)]
    if model.audit.task:
        points.append(Point.at("floor", found.measurement.floor_score.value))
    most = found.certificate
    if most:
        points.append(Point.at("bound", most.balanced_accuracy))
    return Lane(model.name, f"{mark}{score(found.measurement)}", tuple(points))


def _caption(found: Finding, *, has_task: bool, has_bound: bool) -> str:
    said = [f"{strongest(found.measurement)} with its 95 % interval, a line for each model in the order given."]
    if has_task:
        said.append("Upright tick: the model's own floor, what its predicted task label alone tells.")
    if has_bound:
        said.append("Arrowhead to the left: the bound on every attacker, tried or not; no interval.")
    if found.decision:
        marks = [f"{mark}\N{NO-BREAK SPACE}{verdict}" for verdict, mark in MARKS.items()]
        said.append(f"{', '.join(marks)}.")
    return " ".join(said)


def _drawing(
    attribute: str, layer: str, rows: Sequence[Lane], lines: Sequence[Line], scale: Scale, salt: str, caption: str
) -> Drawing:
    told = "; ".join([f"{row.name}: {row.told}" for row in rows] + [line.name for line in lines])
    label = f"{scale.words[0].upper()}{scale.words[1:]}. {told}."
    wide, narrow = (
        draw(rows, lines, None, scale=scale, label=label, layout=layout, salt=f"{salt}-{name}")
        for layout, name in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return Drawing(attribute, layer, wide, narrow, caption)
