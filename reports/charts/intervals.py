"""Numbers to SVG: intervals on one scale of shares or of R², drawn to be set inside a page.

Marks and line styles carry the meaning without colour. A name that is not one of ours is cut to its room.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from audit.evidence.findings import Estimate
from reports.charts.svg import BAND, HAIRLINE, INK, MUTED, NAME, PAPER, drawing, element, fitted, measured, printable

Mark = Literal["before", "after", "head", "ceiling", "floor", "null", "bound", "limit"]
_MARKERS: dict[Mark, str | int] = {
    "before": "o", "after": "s", "head": "D", "ceiling": "^", "floor": "|",
    "bound": CARETLEFT,  # its tip is the figure, and it points to where every attacker is
}  # fmt: skip
_REFERENCES: set[Mark] = {"ceiling", "floor", "null", "bound"}
_HOLLOW: set[Mark] = {"head", "before"}
NAMED = 0.5
"""How much of a lane of a narrow drawing its name takes, above its interval."""
_BESIDE = 4
"""Pixels between a line and its name."""
_APART = 0.16
"""How far before and after stand from the middle of a lane that they share, as a share of its height."""


@dataclass(frozen=True)
class Point:
    """A figure with its interval and the mark that says whose it is."""

    mark: Mark
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, mark: Mark, estimate: Estimate) -> "Point":
        """Return the mark of an estimate."""
        return cls(mark, estimate.value, estimate.low, estimate.high)

    @classmethod
    def at(cls, mark: Mark, value: float) -> "Point":
        """Return the mark of a value that has no interval."""
        return cls(mark, value, value, value)


@dataclass(frozen=True)
class Lane:
    """One line of a drawing: a figure, or several that share it, such as a layer before and after."""

    name: str
    """Any text; it is cut to its room."""
    told: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Line:
    """A reference across all rows."""

    name: str
    x: float
    style: str
    """A matplotlib line style; the only thing that tells two lines apart without colour."""


@dataclass(frozen=True)
class Scale:
    """What the horizontal axis measures."""

    words: str
    is_share: bool
    """Printed in percent and never below 0; otherwise in decimals."""


@dataclass(frozen=True)
class Layout:
    """Sizes in CSS pixels of one way to set a drawing."""

    width: float
    names: float
    """Room left of the scale for the rows' names; 0 sets name and figure above each interval."""
    figures: float
    row: float
    text: float


WIDE = Layout(width=880, names=200, figures=182, row=34, text=13)
NARROW = Layout(width=320, names=0, figures=0, row=46, text=12)


def draw(
    lanes: Sequence[Lane],
    lines: Sequence[Line],
    band: tuple[float, float] | None,
    *,
    scale: Scale,
    label: str,
    layout: Layout,
    salt: str,
) -> Markup:
    """Return an `<svg>` element with one line per lane.

    Args:
        lanes: From top to bottom.
        lines: References across all rows, named above the scale.
        band: A light band across all rows, in the lanes' units.
        scale: What the horizontal axis measures.
        label: The drawing in words, for who cannot see it.
        layout: `WIDE` or `NARROW`, or one like them.
        salt: As of `drawing`.
    """
    top, bottom = 17.0 * len(lines) + 8, 44.0
    height = top + layout.row * len(lanes) + bottom
    with drawing(layout.width, height, salt=salt) as figure:
        side = 16.0 if layout.names == 0 else 0.0  # the marks at either end need room where no names stand
        left, right = layout.names + side, layout.width - layout.figures - side
        axes = figure.add_axes(
            (left / layout.width, bottom / height, (right - left) / layout.width, 1 - (top + bottom) / height)
        )
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        _set_scale(axes, lanes, lines, scale, layout)
        if band:
            axes.axvspan(*band, color=BAND, linewidth=0, clip_on=False)
        _draw_lines(axes, lines, 17 / (layout.row * len(lanes)), layout)
        _draw_points(axes, lanes, layout)
        _write(figure, axes, lanes, layout)
        title = f"{scale.words[0].upper()}{scale.words[1:]}"
        return element(figure, title=title, description=label, salt=salt, colours={})


def _set_scale(axes: Axes, lanes: Sequence[Lane], lines: Sequence[Line], scale: Scale, layout: Layout) -> None:
    ends = [end for lane in lanes for one in lane.points for end in (one.low, one.high)] + [line.x for line in lines]
    room = max(0.04, 0.06 * (max(ends) - min(ends)))
    axes.set_xlim(max(0.0 if scale.is_share else -math.inf, min(ends) - room), min(1.0, max(ends) + room))
    axes.set_ylim(len(lanes), 0)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.set_yticks([])
    low, high = axes.get_xlim()
    found = MaxNLocator(4 if layout.names == 0 else 6, steps=[1, 2, 5, 10]).tick_values(low, high)
    ticks = [float(x) for x in found if low <= x <= high]
    told = [f"{round(100 * x, 6):g} %" if scale.is_share else f"{round(x, 6):g}".replace("-", "−") for x in ticks]
    axes.set_xticks(ticks, told)
    axes.tick_params(axis="x", labelcolor=MUTED, labelsize=layout.text - 1, length=0, pad=8)
    foot = 1 + 4 / (layout.row * len(lanes))
    across = axes.get_xaxis_transform()
    marks = _apart([((x, 0), (x, 1 - foot)) for x in ticks])
    axes.plot(*marks, color=HAIRLINE, linewidth=0.8, clip_on=False, transform=across)
    axes.set_xlabel(scale.words, color=MUTED, fontsize=layout.text - 1, labelpad=4)


def _draw_lines(axes: Axes, lines: Sequence[Line], tier: float, layout: Layout) -> None:
    """Name each line on a tier of its own, the outer one highest, so that no line crosses another's name."""
    low, high = axes.get_xlim()
    place = {line: (line.x - low) / (high - low) for line in lines}
    is_reversed = max(place.values()) > 0.6 and min(place.values()) >= 0.35  # names then run to the left
    for index, line in enumerate(sorted(lines, key=place.__getitem__, reverse=not is_reversed)):
        above = 1 + tier * index
        to_left = place[line] > 0.6 or is_reversed
        axes.plot(
            *_apart([((line.x, low), (line.x, high)) for low, high in _spans(axes, above, layout)]), color=INK,
            linewidth=1, linestyle=line.style, clip_on=False, transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        shift = -_BESIDE if to_left else min(_BESIDE, _room(axes, line, layout))
        axes.annotate(
            line.name, (line.x, above), xycoords=axes.get_xaxis_transform(),
            xytext=(shift, 1), textcoords="offset points", ha="right" if to_left else "left",
            fontsize=layout.text - 1, color=INK,
        )  # fmt: skip


def _room(axes: Axes, line: Line, layout: Layout) -> float:
    """Return the pixels between a line and where its name has to begin in order to end with the drawing."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    at, _ = axes.transData.transform((line.x, 0))
    return float(layout.width - measured(figure, line.name, size=layout.text - 1)[0] - at)


def _spans(axes: Axes, above: float, layout: Layout) -> list[tuple[float, float]]:
    """Return where a line across all lanes is drawn, from the foot: on a narrow drawing it leaves out their names."""
    if layout.names:
        return [(0, above)]
    lanes = round(axes.get_ylim()[0])
    return [((lanes - lane - 1) / lanes, (lanes - lane - NAMED) / lanes) for lane in range(lanes)] + [(1, above)]


def _draw_points(axes: Axes, lanes: Sequence[Lane], layout: Layout) -> None:
    """Draw all points of one mark at once: a drawing of many lanes stays small."""
    placed: dict[Mark, list[tuple[float, Point]]] = {"null": []}  # the band of shuffled labels lies below all others
    for index, lane in enumerate(lanes):
        middle = index + (0.72 if layout.names == 0 else 0.5)
        is_shared = {"before", "after"} <= {one.mark for one in lane.points}
        for one in lane.points:
            apart = 0.0 if not is_shared or one.mark == "null" else -_APART if one.mark == "before" else _APART
            placed.setdefault(one.mark, []).append((middle + apart * (0.6 if layout.names == 0 else 1), one))
    for mark, points in placed.items():
        is_alone = len(points) == 1 and (mark != "bound" or all(len(lane.points) == 1 for lane in lanes))
        color = MUTED if mark in _REFERENCES else INK
        axes.plot(
            *_apart([((one.low, y), (one.high, y)) for y, one in points if one.high > one.low]),
            color=color, clip_on=False, solid_capstyle="butt",
            linewidth=(6 if is_alone else 3) if mark == "null" else 2.4 if mark == "after" else 1.6,
            marker="|" if is_alone and mark != "null" else "", markersize=8, markeredgewidth=1.6,
        )  # fmt: skip
        if mark == "limit":
            _draw_ticks(axes, points, layout, (0, (2, 1.5)))
        elif is_alone and mark in _MARKERS:
            ((y, one),) = points
            axes.plot(
                [one.value], [y], marker=_MARKERS[mark], markersize=14 if mark == "floor" else 8, clip_on=False,
                markerfacecolor=PAPER if mark in _HOLLOW else color, markeredgecolor=color, markeredgewidth=1.6,
                linestyle="none",
            )  # fmt: skip
        elif mark in _MARKERS:
            _draw_small(axes, mark, points, color, layout)


def _draw_small(axes: Axes, mark: Mark, points: Sequence[tuple[float, Point]], color: str, layout: Layout) -> None:
    """Draw the same mark on many lanes in one stroke: dots are the ends of lines that have no length."""
    if mark == "bound":
        low, high = axes.get_xlim()
        across = 4.5 * (high - low) / (axes.get_position().width * layout.width)
        tips = [((one.value + across, y - 3.5 / layout.row), (one.value, y), (one.value + across, y + 3.5 / layout.row))
                for y, one in points]  # fmt: skip
        axes.plot(*_apart(tips), color=color, linewidth=1.6, clip_on=False, solid_joinstyle="miter")
        return
    if mark == "floor":
        _draw_ticks(axes, points, layout, "-")
        return
    dots = _apart([((one.value, y), (one.value, y)) for y, one in points])
    cap: Literal["round", "projecting"] = "round" if mark == "before" else "projecting"
    axes.plot(*dots, color=color, linewidth=8, solid_capstyle=cap, clip_on=False)
    if mark in _HOLLOW:
        axes.plot(*dots, color=PAPER, linewidth=4.8, solid_capstyle=cap, clip_on=False)


def _draw_ticks(axes: Axes, points: Sequence[tuple[float, Point]], layout: Layout, style: Any) -> None:
    """Draw an upright tick on each of many lanes in one stroke, in one of matplotlib's line styles."""
    half = (7 if style == "-" else 9) / layout.row
    ticks = [((one.value, y - half), (one.value, y + half)) for y, one in points]
    color = MUTED if style == "-" else INK
    axes.plot(*_apart(ticks), color=color, linewidth=1.6, linestyle=style, clip_on=False)


def _apart(strokes: Sequence[Sequence[tuple[float, float]]]) -> tuple[list[float], list[float]]:
    """Return the x and y of many strokes as one line that is lifted between them."""
    points = [point for stroke in strokes for point in (*stroke, (math.nan, math.nan))]
    return [x for x, _ in points], [y for _, y in points]


def _write(figure: Figure, axes: Axes, lanes: Sequence[Lane], layout: Layout) -> None:
    """Set names at the left and figures at the right; on a narrow drawing both stand above their interval."""
    across = blended_transform_factory(figure.transFigure, axes.transData)
    is_narrow = layout.names == 0
    for x, side in ((0, "left"), (1, "right")):
        for index, lane in enumerate(lanes):
            marks = {one.mark for one in lane.points}
            weight = "bold" if marks == {"after"} else "normal"
            room = (layout.width - 24) * 0.6 if is_narrow else layout.names - 10
            words = lane.told if x else fitted(figure, printable(lane.name), room, size=layout.text, weight=weight)
            figure.text(
                x, index + (0.3 if is_narrow else 0.5), words, transform=across,
                ha=side, va="center", fontsize=layout.text, color=MUTED if marks <= _REFERENCES else INK,
                weight=weight, gid=f"{NAME}-{side}-{index}" if is_narrow else None,
            )  # fmt: skip
