"""What an attacker reads by how many labelled rows it has: curves with their intervals, beside floor and limit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from markupsafe import Markup

from audit.evidence.findings import Finding, LearningCurve
from audit.evidence.headline import written, written_level
from audit.evidence.numbers import count, shorten
from audit.evidence.verdict import most_allowed
from reports.charts.attribute import Drawing
from reports.charts.lines import (
    DASHED,
    DOTTED,
    LOOKS,
    NARROW,
    RIGHT,
    WIDE,
    Axis,
    Curve,
    Layout,
    Reference,
    draw_lines,
    share_axis,
)

CAPTION = (
    "Each step to the right doubles the labelled rows that the attacker learned from; the test rows stay the same. "
    "Light bands: 95 % intervals. A curve that still rises at its right end would read more with more rows. The "
    "verdict's attacker was fitted on the selection rows too, so that its figure may lie beside the last point."
)
ROOM = 46.0
"""Pixels of a number of rows."""


def curve_drawing(found: Finding, salt: str) -> Drawing:
    """Draw the learning curves of a private finding, which has some; `salt` is as of `drawing`."""
    title = found.measurement.kind.title
    return Drawing(
        attribute=shorten(found.attribute),
        layer=shorten(found.layer),
        wide=_draw(found, replace(WIDE, columns=1), f"{salt}-wide"),
        narrow=_draw(found, NARROW, f"{salt}-narrow"),
        caption=f"{title[0].upper()}{title[1:]} on the test rows. {CAPTION}",
    )


def _draw(found: Finding, layout: Layout, salt: str) -> Markup:
    given, lines = found.measurement.curves[: len(LOOKS)], references(found)
    curves = [
        Curve(one.attacker, tuple((point.rows, point.figure) for point in one.points), look)
        for one, look in zip(given, LOOKS, strict=False)
    ]
    ends = [end for one in curves for _, figure in one.points for end in (figure.low, figure.high)]
    ends += [one.points[0][1] for one in lines]
    up = share_axis(ends, is_share=found.measurement.kind.percent)
    said = "What an attacker reads by how many labelled rows it has", _in_words(found, given, lines)
    return draw_lines(curves, lines, (_rows_axis(given, layout), up), layout=layout, salt=salt, said=said)


def references(found: Finding) -> list[Reference]:
    """Return the floor of a private finding, and the floor with the limit where that is below 1."""
    measurement, most = found.measurement, most_allowed(found)
    floor = measurement.floor_score.value
    told = [Reference(f"floor, {written_level(measurement, floor)}", ((0, floor),), DOTTED)]
    limit = f"floor and limit, {written_level(measurement, most)}"
    return told + ([Reference(limit, ((0, most),), DASHED)] if most <= 1 else [])


def _rows_axis(curves: Sequence[LearningCurve], layout: Layout) -> Axis:
    every = [point.rows for one in curves for point in one.points]
    shown = _apart(every, (layout.width - layout.left - RIGHT) / np.log2(1.12**2 * max(every) / min(every)))
    ticks = tuple((float(rows), count(rows)) for rows in shown)
    return Axis(min(every) / 1.12, max(every) * 1.12, ticks, "labelled rows to learn from", base=2)


def _apart(every: Sequence[int], doubling: float) -> list[int]:
    """Return the numbers of rows that have room on the scale, the largest first; a doubling is so many pixels wide."""
    shown: list[int] = []
    for rows in sorted(set(every), reverse=True):
        if not shown or np.log2(shown[-1] / rows) * doubling >= ROOM:
            shown.append(rows)
    return shown


def _in_words(found: Finding, curves: Sequence[LearningCurve], lines: Sequence[Reference]) -> str:
    told = [
        f"{shorten(one.attacker)}: "
        + ", ".join(f"{written(found.measurement, point.figure)} with {count(point.rows)} rows" for point in one.points)
        for one in curves
    ]
    return f"{'; '.join([*told, *(one.name for one in lines)])}."
