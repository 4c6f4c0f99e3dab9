"""Which rows and references go into each drawing, and what is said beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from audit.evidence.audit_result import AnyTask
from audit.evidence.findings import Estimate, Measurement
from audit.evidence.headline import (
    null_estimate,
    on_the_task,
    written,
    written_guess,
    written_level,
    written_nothing,
    written_task,
)
from audit.evidence.numbers import Figure, count, measured, shorten
from reports.charts.intervals import NARROW, WIDE, Lane, Layout, Line, Mark, Point, Scale, draw
from reports.inputs.by_attribute import LARGE
from reports.inputs.comparison import Pair
from reports.text.bounds import read_at_most
from reports.text.figures import axis, knowing_nothing, score, strongest
from reports.text.sentences import ceiling_of

LANES = replace(WIDE, row=28), replace(NARROW, row=42)
"""How a drawing of several layers is set: closer than one whose every row is something else."""


@dataclass(frozen=True)
class Drawing:
    """One drawing for wide and for narrow screens, with the words around it."""

    attribute: str
    layer: str
    """Empty where the drawing is of several, or of none."""
    wide: Markup
    narrow: Markup
    """Empty where a page has so many drawings that the wide one has to do, on a small screen by rolling."""
    caption: str
    """Empty where an earlier drawing has said it."""


def attribute_drawings(found: Sequence[Sequence[Pair]], salt: str) -> tuple[Drawing, ...]:
    """Draw every attribute by its pairs, one per layer; `salt` sets these drawings apart from others on the page."""
    both = sum(map(len, found)) <= LARGE
    return tuple(attribute_drawing(pairs, f"{salt}-{place}", both=both) for place, pairs in enumerate(found))


def captioned_once(drawings: Sequence[Drawing]) -> tuple[Drawing, ...]:
    """Return drawings of which one that has the caption of an earlier one stands without."""
    said: dict[str, Drawing] = {}
    return tuple(one if said.setdefault(one.caption, one) is one else replace(one, caption="") for one in drawings)


def attribute_drawing(pairs: Sequence[Pair], salt: str, *, both: bool = True) -> Drawing:
    """Draw the leakage of one attribute beside input control, task-label baseline, chance, null band and limit.

    Args:
        pairs: One per layer; private, with a limit, or to be kept, without one.
        salt: Sets this drawing apart from the others on the page.
        both: Draw it for narrow screens, too.
    """
    found, measurement = pairs[0].last.found, pairs[0].last.measurement
    has_task = pairs[0].last.audit.task is not None
    has_floor = len({pair.last.measurement.floor_score for pair in pairs}) == 1
    rows = _layer_rows(pairs[0]) if len(pairs) == 1 else [*map(_lane, pairs)]
    layers = len(rows) if len(pairs) > 1 else 0
    if ceiling := ceiling_of(pairs[-1]):
        rows.append(_read(measurement, "Raw input (ceiling)", "ceiling", ceiling.figure))
    if has_task and has_floor:
        rows.append(_read(measurement, "Task label alone (floor)", "floor", measurement.floor_score))
    if len(pairs) == 1:
        rows.append(_read(measurement, "Shuffled labels (null)", "null", null_estimate(measurement.null)))
    nothing = knowing_nothing(measurement) if has_task else f"{knowing_nothing(measurement)}, the floor:"
    lines = [Line(f"{nothing} {written_guess(measurement)}", measurement.guess, ":")]
    most = measurement.floor_score.value + found.decision.limit if found.decision else None
    if most is not None and most <= 1 and has_floor:
        lines.append(Line(f"limit {written_level(measurement, most)}", most, "--"))
    band = (measurement.floor_score.low, measurement.floor_score.high) if has_task and has_floor else None
    scale = Scale(axis(measurement), measurement.kind.percent)
    layouts = (LANES if len(pairs) > 1 else (WIDE, NARROW))[: 2 if both else 1]
    wide, narrow = both_widths(rows, lines, band, scale=scale, salt=salt, layers=layers, layouts=layouts)
    floor = _FLOOR if has_task and has_floor else _FLOORS if has_task else _NO_FLOOR
    caption = " ".join(_caption(pairs, rows, floor, has_limit=len(lines) > 1))
    return Drawing(shorten(found.attribute), shorten(found.layer) if len(pairs) == 1 else "", wide, narrow, caption)


def task_drawing(tasks: Sequence[tuple[str, AnyTask]], last: Mark = "after", said: str = "") -> Drawing | None:
    """Draw how well models do a task, beside always answering the most frequent class; None where none was named.

    Args:
        tasks: Each line's name, and its task.
        last: The mark of the last line; all others are marked as `before`.
        said: Begins the drawing in words.
    """
    if not tasks:
        return None
    one = tasks[-1][1]
    rows = [_row(name, last if task is one else "before", task.score, written_task(task)) for name, task in tasks]
    nothing = one.nothing.removeprefix("always answering the ")
    lines = [Line(f"{nothing} {written_nothing(one)}", one.level, ":")]
    scale = Scale(f"{one.title} on the task", one.percent)
    wide, narrow = both_widths(rows, lines, scale=scale, salt="task", said=said)
    caption = f"{on_the_task(one)} with its 95 % interval, on the same test rows."
    return Drawing(shorten(one.name), "", wide, narrow, caption)


def _layer_rows(pair: Pair) -> list[Lane]:
    """Return a row each for the score at one layer, before and after, for bounds, and for training adversaries."""
    rows = [
        _read(one.measurement, one.when, "after" if one is pair.last else "before", one.measurement.score)
        for one in pair.readings
    ]
    for reading in pair.readings:
        if most := reading.found.certificate:
            name = "Any attacker (bound)" if reading is pair.last else "Any attacker before (bound)"
            rows.append(Lane(name, f"at most {read_at_most(most)}", (Point.at("bound", most.balanced_accuracy),)))
    for reading in pair.readings:
        if reading.head:
            name = "Its own head, no evidence" if reading is pair.last else "Own head before, no evidence"
            says = reading.head.accuracy
            rows.append(Lane(name, measured(says), (Point.at("head", says),)))
    return rows


def _lane(pair: Pair) -> Lane:
    """Return one line for one of several layers, with all of its figures."""
    points = [Point.of("null", null_estimate(pair.last.measurement.null))]
    points += [Point.of("after" if one is pair.last else "before", one.measurement.score) for one in pair.readings]
    if most := pair.last.found.certificate:
        points.append(Point.at("bound", most.balanced_accuracy))
    if pair.last.head:
        points.append(Point.at("head", pair.last.head.accuracy))
    told = " → ".join(score(one.measurement).value for one in pair.readings)
    return Lane(shorten(pair.last.found.layer), told, tuple(points))


_FLOOR = "Light band: the floor's interval."
_FLOORS = "The floor is another at each layer, so that no line is drawn for it, nor for the limit."
_NO_FLOOR = "No task was named; the floor is chance."


def _caption(pairs: Sequence[Pair], rows: Sequence[Lane], floor: str, *, has_limit: bool) -> Iterator[str]:
    """Yield what the marks of a drawing mean."""
    what = strongest(pairs[0].last.measurement)
    marks = {one.mark for row in rows for one in row.points}
    yield f"{what} with its 95 % interval{'' if len(pairs) == 1 else f', at {count(len(pairs))} layers'}."
    if len(pairs) > 1:
        if "before" in marks:
            yield "Circle: before; square: after."
        yield "Grey bar: shuffled labels (null)."
        if "head" in marks:
            yield "Diamond: the sanitizer's own head, no evidence."
    yield floor
    if has_limit:
        yield "Dashed: the limit on top of the floor, a guide only: the verdict is on the paired excess."
    if "bound" in marks:
        yield "Arrowhead: the bound on every attacker, tried or not; no interval."


def _read(measurement: Measurement, name: str, mark: Mark, estimate: Estimate) -> Lane:
    return _row(name, mark, estimate, written(measurement, estimate))


def _row(name: str, mark: Mark, estimate: Estimate, figure: Figure) -> Lane:
    return Lane(name, str(figure), (Point.of(mark, estimate),))


def both_widths(
    rows: Sequence[Lane],
    lines: list[Line],
    band: tuple[float, float] | None = None,
    *,
    scale: Scale,
    salt: str,
    said: str = "",
    layers: int = 0,
    layouts: Sequence[Layout] = (WIDE, NARROW),
) -> tuple[Markup, Markup]:
    """Draw the same for wide and for narrow screens; the latter is empty where there is no second layout.

    `said` begins the drawing in words, which leaves out so many first rows as `layers` counts.
    """
    many = [f"{count(layers)} layers, whose figures stand in the table below"] if layers else []
    told = [f"{row.name}: {row.told}" for row in rows[layers:]] + [line.name for line in lines]
    label = f"{said}{'; '.join(many + told)}."
    drawn = [
        draw(rows, lines, band, scale=scale, label=label, layout=layout, salt=f"{salt}-{name}")
        for layout, name in zip(layouts, ("wide", "narrow"), strict=False)
    ]
    return drawn[0], drawn[1] if len(drawn) > 1 else Markup()
