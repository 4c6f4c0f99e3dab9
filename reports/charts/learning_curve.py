"""What an attacker reads by how many labelled rows it has: curves with their intervals, beside floor and limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from audit.evidence.findings import Finding, LearningCurve
from audit.evidence.headline import written, written_level
from audit.evidence.numbers import count, shorten
from audit.evidence.verdict import most_allowed
from reports.charts.attribute import Drawing
from reports.charts.svg import BAND, HAIRLINE, INK, MUTED, PAPER, drawing, element, fitted, printable

CAPTION = (
    "Each step to the right doubles the labelled rows that the attacker learned from; the test rows stay the same. "
    "Light bands: 95 % intervals. A curve that still rises at its right end would read more with more rows. The "
    "verdict's attacker was fitted on the selection rows too, so that its figure may lie beside the last point."
)


@dataclass(frozen=True)
class Layout:
    """Sizes in CSS pixels of one way to set the drawing."""

    width: float
    height: float
    """Of what is plotted."""
    left: float
    text: float


WIDE, NARROW = Layout(880, 250, 56, 13), Layout(320, 210, 44, 12)
RIGHT, TOP, UNDER = 24.0, 10.0, 48.0
"""Pixels around what is plotted; under it stand the scale and its name."""
ROOM = 46.0
"""Pixels of a number of rows."""
KEY = 19.0
"""Pixels of a line of the key."""
DOTTED = (0, (1.0, 2.5))
Reference = tuple[str, float, Any]
"""Name, level and line style of a line across."""
STYLES = (("-", "s", INK), ("-.", "o", PAPER), ("-", "^", PAPER), ("-.", "D", INK))
"""Line, mark and the mark's filling of each curve: told apart without colour."""


def curve_drawing(found: Finding, salt: str) -> Drawing:
    """Draw the learning curves of a private finding, which has some; `salt` is as of `drawing`."""
    title = found.measurement.kind.title
    return Drawing(
        attribute=shorten(found.attribute),
        layer=shorten(found.layer),
        wide=_draw(found, WIDE, f"{salt}-wide"),
        narrow=_draw(found, NARROW, f"{salt}-narrow"),
        caption=f"{title[0].upper()}{title[1:]} on the test rows. {CAPTION}",
    )


def _draw(found: Finding, layout: Layout, salt: str) -> Markup:
    curves, lines = found.measurement.curves[: len(STYLES)], _lines(found)
    bottom = UNDER + KEY * (len(curves) + len(lines))
    height = TOP + layout.height + bottom
    with drawing(layout.width, height, salt=salt) as figure:
        figure.patch.set_visible(False)
        across = (layout.width - layout.left - RIGHT) / layout.width
        axes = figure.add_axes((layout.left / layout.width, bottom / height, across, layout.height / height))
        axes.patch.set_visible(False)
        _set_scales(axes, found, curves, layout)
        for curve in curves:
            ends = [(point.figure.low, point.figure.high) for point in curve.points]
            lows, highs = zip(*ends, strict=True)
            axes.fill_between(_rows(curve), lows, highs, color=BAND, alpha=0.75, linewidth=0)
        for _, level, style in lines:
            axes.axhline(level, color=INK, linewidth=1.2, linestyle=style)
        for curve, (style, mark, filling) in zip(curves, STYLES, strict=False):
            read = [point.figure.value for point in curve.points]
            axes.plot(_rows(curve), read, **_look(style, mark, filling))
        _write_key(figure, curves, lines, layout)
        return element(
            figure,
            title="What an attacker reads by how many labelled rows it has",
            description=_in_words(found, curves, lines),
            salt=salt,
            colours={},
        )


def _lines(found: Finding) -> list[Reference]:
    """Return name, level and style of the references."""
    measurement, most = found.measurement, most_allowed(found)
    floor = measurement.floor_score.value
    told = [(f"floor, {written_level(measurement, floor)}", floor, DOTTED)]
    return told + ([(f"floor and limit, {written_level(measurement, most)}", most, "--")] if most <= 1 else [])


def _look(style: str, mark: str, filling: str) -> dict[str, Any]:
    return {
        "color": INK, "linewidth": 1.8, "linestyle": style, "marker": mark, "markersize": 7, "clip_on": False,
        "markerfacecolor": filling, "markeredgecolor": INK, "markeredgewidth": 1.5,
    }  # fmt: skip


def _rows(curve: LearningCurve) -> list[int]:
    return [point.rows for point in curve.points]


def _set_scales(axes: Axes, found: Finding, curves: Sequence[LearningCurve], layout: Layout) -> None:
    kind = found.measurement.kind
    ends = [end for one in curves for point in one.points for end in (point.figure.low, point.figure.high)]
    ends += [level for _, level, _ in _lines(found)]
    room = max(0.01, 0.06 * (max(ends) - min(ends)))
    axes.set_ylim(max(0.0 if kind.percent else -np.inf, min(ends) - room), min(1.0, max(ends) + room))
    low, high = axes.get_ylim()
    ticks = [float(y) for y in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= y <= high]
    told = [f"{round(100 * y, 6):g} %" if kind.percent else f"{round(y, 6):g}".replace("-", "−") for y in ticks]
    axes.set_yticks(ticks, told)
    axes.set_xscale("log", base=2)
    every = [rows for one in curves for rows in _rows(one)]
    axes.set_xlim(min(every) / 1.12, max(every) * 1.12)
    shown = _apart(every, (layout.width - layout.left - RIGHT) / np.log2(1.12**2 * max(every) / min(every)))
    axes.set_xticks(shown, [count(rows) for rows in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.tick_params(labelcolor=MUTED, labelsize=layout.text - 1, length=0, pad=6)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("labelled rows to learn from", color=MUTED, fontsize=layout.text - 1)


def _apart(every: Sequence[int], doubling: float) -> list[int]:
    """Return the numbers of rows that have room on the scale, the largest first; a doubling is so many pixels wide."""
    shown: list[int] = []
    for rows in sorted(set(every), reverse=True):
        if not shown or np.log2(shown[-1] / rows) * doubling >= ROOM:
            shown.append(rows)
    return shown


def _write_key(figure: Figure, curves: Sequence[LearningCurve], lines: Sequence[Reference], layout: Layout) -> None:
    """Name each line under the drawing, a line of text each, beside a piece of it."""
    height = figure.get_size_inches()[1] * 72
    key = figure.add_axes((0, 0, 1, KEY * (len(curves) + len(lines)) / height))
    key.set_axis_off()
    key.set_xlim(0, layout.width)
    key.set_ylim(len(curves) + len(lines), 0)
    looks = [_look(*style) for _, style in zip(curves, STYLES, strict=False)]
    looks += [{"color": INK, "linewidth": 1.2, "linestyle": style} for _, _, style in lines]
    names = [*(one.attacker for one in curves), *(name for name, _, _ in lines)]
    for place, (name, look) in enumerate(zip(names, looks, strict=True)):
        ends = [layout.left, layout.left + 34]
        key.plot(ends, [place + 0.5] * 2, **{**look, "marker": ""})
        if "marker" in look:
            key.plot([layout.left + 17], [place + 0.5], **{**look, "linestyle": "none"})
        words = fitted(figure, printable(name, 80), layout.width - layout.left - 44 - RIGHT, size=layout.text - 1)
        key.text(layout.left + 44, place + 0.5, words, va="center", fontsize=layout.text - 1, color=INK)


def _in_words(found: Finding, curves: Sequence[LearningCurve], lines: Sequence[Reference]) -> str:
    told = [
        f"{shorten(one.attacker)}: "
        + ", ".join(f"{written(found.measurement, point.figure)} with {count(point.rows)} rows" for point in one.points)
        for one in curves
    ]
    return f"{'; '.join([*told, *(name for name, _, _ in lines)])}."
