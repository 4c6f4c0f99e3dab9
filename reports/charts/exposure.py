"""Who is exposed: what the strongest attacker recognises of each class, and finds of it at few false alarms."""

import math
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from audit.evidence.findings import ClassRecall, Estimate, TruePositives
from audit.evidence.headline import written_guess, written_level
from audit.evidence.numbers import count, percent, share, shorten
from audit.evidence.verdict import most_allowed
from reports.charts import intervals
from reports.charts.attribute import Drawing
from reports.charts.intervals import Lane, Line, Point, Scale
from reports.charts.lines import DOTTED, NARROW, WIDE, Axis, Curve, Look, Reference, draw_lines
from reports.inputs.comparison import Pair, Reading

MOST = 12
"""Classes that are drawn; of more, those that are recognised most."""
WITHHELD = "withheld"
LOW = replace(intervals.WIDE, row=26), replace(intervals.NARROW, row=38)
LOOKS = {
    (True, 0): Look("-", "s", True), (True, 1): Look("-", "^", True),
    (False, 0): Look("-.", "o", False), (False, 1): Look("-.", "^", False),
}  # fmt: skip
"""By whether it is the audit that the verdict is on, and by the class looked for."""
DEEPEST = 100
"""How many times below the lowest rate a scale goes on at most: an interval may end at next to nothing."""
ROOM = 2.0
"""How many times beyond the outermost rate a logarithmic scale goes on."""


def recall_drawing(pair: Pair, salt: str, *, both: bool = True) -> Drawing | None:
    """Draw what share of each class's rows is recognised, beside a guess and the limit; None where nothing is told.

    Args:
        pair: A private attribute at one layer.
        salt: Sets this drawing apart from the others on the page.
        both: Draw it for narrow screens, too.
    """
    found, measurement = pair.last.found, pair.last.measurement
    told = [one for one in _recalls(pair.last).values() if one.recall]
    if not told:
        return None
    most = sorted(told, key=lambda one: -one.recall.value if one.recall else 0)[:MOST]
    every = _recalls(pair.last)
    shown = [one for one in every.values() if len(every) <= MOST or one in most]
    lanes = [_lane(pair, one.name) for one in shown]
    lines = [Line(f"a guess {written_guess(measurement)}", measurement.guess, ":")]
    if (limit := most_allowed(found)) <= 1:
        lines.append(Line(f"limit on their mean {written_level(measurement, limit)}", limit, "--"))
    said = [f"{shorten(one.name)}: {share(one.recall) if one.recall else WITHHELD}" for one in shown]
    label = f"{'; '.join([*said, *(line.name for line in lines)])}."
    scale = Scale("recognised of each class", is_share=True)
    drawn = [
        intervals.draw(lanes, lines, None, scale=scale, label=label, layout=layout, salt=f"{salt}-{name}")
        for layout, name in zip(LOW[: 2 if both else 1], ("wide", "narrow"), strict=False)
    ]
    fewer = f"The {MOST} most recognised of {count(len(every))} classes. " if len(shown) < len(every) else ""
    marks = " Circle: before; square, and the figure: after." if pair.first else ""
    caption = f"{fewer}Share of each class's test rows that is recognised, with its 95 % interval.{marks}"
    return Drawing(shorten(found.attribute), shorten(found.layer), drawn[0], drawn[1] if both else Markup(), caption)


def _recalls(reading: Reading) -> dict[str, ClassRecall]:
    exposure = reading.measurement.exposure
    return {one.name: one for one in exposure.recalls} if exposure else {}


def _lane(pair: Pair, name: str) -> Lane:
    found = [(one, recall.recall) for one in pair.readings if (recall := _recalls(one).get(name)) and recall.recall]
    points = tuple(Point.of("after" if one is pair.last else "before", recall) for one, recall in found)
    told = str(share(found[-1][1])) if found else WITHHELD
    return Lane(name, told, points)


def roc_drawing(pair: Pair, salt: str) -> Drawing | None:
    """Draw what is found of each of two classes by the false alarms allowed; None where fewer than two rates are told.

    `salt` is as of `recall_drawing`.
    """
    curves = [
        Curve(_name(reading, wanted, pair), points, LOOKS[reading is pair.last, place])
        for reading in pair.readings
        for place, wanted in enumerate(dict.fromkeys(one.wanted for one in _found(reading)))
        if len(points := _points(reading, wanted)) > 1
    ]
    if not curves:
        return None
    rates = sorted({rate for one in curves for rate, _ in one.points})
    lows = [one.low for curve in curves for _, one in curve.points if one.low > 0]
    least = 10 ** math.floor(math.log10(max(min([rates[0], *lows]), rates[0] / DEEPEST)))
    across = Axis(rates[0] / ROOM, rates[-1] * ROOM, _percents(rates), "false alarms among the other class", base=10)
    decades = [10.0**power for power in range(round(math.log10(least)), 1)]
    up = Axis(least / ROOM, 1.0, _percents(decades), base=10)
    guess = Reference("a guess", ((across.low, max(across.low, up.low)), (across.high, across.high)), DOTTED)
    said = "Rows found of a class by the false alarms allowed, on logarithmic scales", _in_words(curves)
    wide, narrow = (
        draw_lines(curves, [guess], (across, up), layout=layout, salt=f"{salt}-{name}", said=said, intervals="bars")
        for layout, name in ((replace(WIDE, height=190, left=64), "wide"), (replace(NARROW, left=60), "narrow"))
    )
    found = pair.last.found
    caption = (
        "Share of a class's test rows that is found (up) by who may name so few of the other class wrongly (across), "
        "on logarithmic scales. What lies below the scale stands at its foot."
    )
    return Drawing(shorten(found.attribute), shorten(found.layer), wide, narrow, caption)


def _found(reading: Reading) -> list[TruePositives]:
    exposure = reading.measurement.exposure
    return exposure.found if exposure else []


def _points(reading: Reading, wanted: str) -> tuple[tuple[float, Estimate], ...]:
    told = [(one.false_positive_rate, one.rate) for one in _found(reading) if one.wanted == wanted and one.rate]
    return tuple(sorted(told, key=lambda point: point[0]))


def _name(reading: Reading, wanted: str, pair: Pair) -> str:
    return f"{shorten(wanted)}, {reading.when.lower()}" if pair.first else shorten(wanted)


def _percents(shares: Sequence[float]) -> tuple[tuple[float, str], ...]:
    return tuple((one, percent(one, 6)) for one in shares)


def _in_words(curves: Sequence[Curve]) -> str:
    told = [
        f"{one.name}: " + ", ".join(f"{share(figure)} at {percent(rate)}" for rate, figure in one.points)
        for one in curves
    ]
    return f"{'; '.join(told)}."
