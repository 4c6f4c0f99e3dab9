"""Drawings of several models: a line for each, with its leakage, its task-label baseline and its upper bound."""

from audit.evidence.findings import Finding
from audit.evidence.headline import written, written_guess, written_level
from audit.evidence.numbers import shorten
from audit.evidence.verdict import most_allowed
from reports.charts.attribute import Drawing, both_widths
from reports.charts.intervals import Lane, Line, Point, Scale
from reports.inputs.several_models import Model, Several
from reports.text.figures import axis, knowing_nothing, score, strongest
from reports.text.verdicts import MARKS, marked


def attribute_drawing(one: Several, salt: str) -> Drawing:
    """Draw the leakage of one attribute at one layer in every model: private, with verdicts, or retained, without.

    `salt` sets this drawing apart from the others on the page.
    """
    found, measurement = one.first, one.first.measurement
    rows = [_lane(model, reading.found) for model, reading in one.readings]
    ceilings = (reading.measurement.ceiling for _, reading in one.readings)
    if ceiling := next(filter(None, ceilings), None):
        told = str(written(measurement, ceiling.figure))
        rows.append(Lane("Raw input (ceiling)", told, (Point.of("ceiling", ceiling.figure),)))
    lines = [Line(f"{knowing_nothing(measurement)} {written_guess(measurement)}", measurement.guess, ":")]
    if found.decision and one.readings[0][1].audit.task is None and (limit := most_allowed(found)) <= 1:
        lines.append(Line(f"limit {written_level(measurement, limit)}", limit, "--"))  # with no task it is that of all
    scale = Scale(axis(measurement), measurement.kind.percent)
    has_bound = any(reading.found.certificate for _, reading in one.readings)
    wide, narrow = both_widths(rows, lines, scale=scale, salt=salt, said=f"{scale.words[0].upper()}{scale.words[1:]}. ")
    caption = _caption(found, has_task=one.readings[0][1].audit.task is not None, has_bound=has_bound)
    return Drawing(shorten(found.attribute), shorten(found.layer), wide, narrow, caption)


def _lane(model: Model, found: Finding) -> Lane:
    mark = f"{MARKS[found.decision.verdict]} " if found.decision else ""
    points = [Point.of("before", found.measurement.score)]
    if model.audit.task:
        points.append(Point.at("floor", found.measurement.floor_score.value))
        if found.decision and (limit := most_allowed(found)) <= 1:
            points.append(Point.at("limit", limit))
    if most := found.certificate:
        points.append(Point.at("bound", most.balanced_accuracy))
    return Lane(model.name, f"{mark}{score(found.measurement)}", tuple(points))


def _caption(found: Finding, *, has_task: bool, has_bound: bool) -> str:
    said = [f"{strongest(found.measurement)} with its 95 % interval, a line for each model in the order given."]
    if has_task:
        said.append("Upright tick: the model's own floor, what its predicted task label alone tells.")
        if found.decision:
            said.append("Dashed tick: the limit on top of it, a guide only: the verdict is on the paired excess.")
    if has_bound:
        said.append("Arrowhead: the bound on every attacker, tried or not; no interval.")
    if found.decision:
        said.append(f"{', '.join(map(marked, MARKS))}.")
    return " ".join(said)
