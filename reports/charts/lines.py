"""Lines with marks and intervals over two scales, named in a key under them: learning curves and their like.

Styles and marks carry the meaning without colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from audit.evidence.findings import Estimate
from reports.charts.svg import BAND, HAIRLINE, INK, MUTED, PAPER, drawing, element, fitted, printable

RIGHT, TOP, UNDER = 24.0, 10.0, 48.0
"""Pixels around what is plotted; under it stand the scale and its name."""
KEY = 19.0
"""Pixels of a line of the key."""
DOTTED, DASHED = (0, (1.0, 2.5)), "--"


@dataclass(frozen=True)
class Look:
    """What tells a line from others."""

    style: str
    mark: str
    is_filled: bool


LOOKS = (Look("-", "s", True), Look("-.", "o", False), Look("-", "^", False), Look("-.", "D", True))
"""Of lines that have no meaning of their own, in turn."""


@dataclass(frozen=True)
class Curve:
    """Figures along the scale across, each with its interval."""

    name: str
    """Any text; it is cut to its room."""
    points: tuple[tuple[float, Estimate], ...]
    look: Look


@dataclass(frozen=True)
class Reference:
    """A plain line that curves are read against."""

    name: str
    points: tuple[tuple[float, float], ...]
    """Its ends; one point is a level from side to side."""
    style: Any
    """Of matplotlib."""


@dataclass(frozen=True)
class Axis:
    """A scale."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Places, and what stands there."""
    words: str = ""
    base: int = 0
    """Of its logarithm; 0 for none."""


@dataclass(frozen=True)
class Layout:
    """Sizes in CSS pixels of one way to set a drawing."""

    width: float
    height: float
    """Of what is plotted."""
    left: float
    text: float
    columns: int
    """Of the key."""


WIDE, NARROW = Layout(880, 250, 56, 13, 2), Layout(320, 210, 50, 12, 1)


def draw_lines(
    curves: Sequence[Curve],
    references: Sequence[Reference],
    scales: tuple[Axis, Axis],
    *,
    layout: Layout,
    salt: str,
    said: tuple[str, str],
    intervals: Literal["bands", "bars"] = "bands",
) -> Markup:
    """Return an `<svg>` element.

    Args:
        curves: In the order of the key.
        references: After them in the key.
        scales: Across, and up; a figure beyond the scale stands at its end.
        layout: `WIDE` or `NARROW`, or one like them.
        salt: As of `drawing`.
        said: Title, and the figures in words, for who cannot see them.
        intervals: As light bands, or as bars where bands would hide each other.
    """
    key = KEY * math.ceil((len(curves) + len(references)) / layout.columns)
    bottom = UNDER + key
    height = TOP + layout.height + bottom
    with drawing(layout.width, height, salt=salt) as figure:
        figure.patch.set_visible(False)
        across = (layout.width - layout.left - RIGHT) / layout.width
        axes = figure.add_axes((layout.left / layout.width, bottom / height, across, layout.height / height))
        axes.patch.set_visible(False)
        _set_scales(axes, *scales, layout)
        for curve in curves if intervals == "bands" else ():
            xs, _, lows, highs = _figures(curve, scales[1])
            axes.fill_between(xs, lows, highs, color=BAND, alpha=0.75, linewidth=0)
        for line in references:
            _draw_reference(axes, line)
        for place, curve in enumerate(curves):
            xs, ys, lows, highs = _figures(curve, scales[1])
            if intervals == "bars":
                beside = [_aside(axes, x, 5.0 * (place - (len(curves) - 1) / 2)) for x in xs]
                axes.vlines(beside, lows, highs, color=INK, linewidth=1.2)
                xs = beside
            axes.plot(xs, ys, **_drawn(curve.look))
        _write_key(figure, curves, references, layout)
        return element(figure, title=said[0], description=said[1], salt=salt, colours={})


def share_axis(ends: Sequence[float], words: str = "", *, is_share: bool = True) -> Axis:
    """Return a scale that holds all `ends`: of shares in percent, never below 0, or of an R² in decimals."""
    room = max(0.01, 0.06 * (max(ends) - min(ends)))
    low, high = max(0.0 if is_share else -math.inf, min(ends) - room), min(1.0, max(ends) + room)
    found = [float(y) for y in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= y <= high]
    told = [f"{round(100 * y, 6):g} %" if is_share else f"{round(y, 6):g}".replace("-", "−") for y in found]
    return Axis(low, high, tuple(zip(found, told, strict=True)), words)


def _figures(curve: Curve, up: Axis) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return places, figures and ends of the intervals, none beyond the scale."""
    estimates = [one for _, one in curve.points]
    ys, lows, highs = (
        [min(max(y, up.low), up.high) for y in some]
        for some in ([one.value for one in estimates], [one.low for one in estimates], [one.high for one in estimates])
    )
    return [x for x, _ in curve.points], ys, lows, highs


def _aside(axes: Axes, x: float, pixels: float) -> float:
    """Return the place that is so many pixels to the right of another one."""
    there = axes.transData.transform((x, axes.get_ylim()[0]))
    return float(axes.transData.inverted().transform((there[0] + pixels, there[1]))[0])


def _draw_reference(axes: Axes, line: Reference) -> None:
    if len(line.points) == 1:
        axes.axhline(line.points[0][1], color=INK, linewidth=1.2, linestyle=line.style)
    else:
        axes.plot(*zip(*line.points, strict=True), color=INK, linewidth=1.2, linestyle=line.style)


def _drawn(look: Look) -> dict[str, Any]:
    return {
        "color": INK, "linewidth": 1.8, "linestyle": look.style, "marker": look.mark, "markersize": 7,
        "clip_on": False, "markerfacecolor": INK if look.is_filled else PAPER, "markeredgecolor": INK,
        "markeredgewidth": 1.5,
    }  # fmt: skip


def _set_scales(axes: Axes, across: Axis, up: Axis, layout: Layout) -> None:
    for scale, set_scale in ((across, axes.set_xscale), (up, axes.set_yscale)):
        if scale.base:
            set_scale("log", base=scale.base)
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(up.low, up.high)
    for scale, axis, set_ticks in ((across, axes.xaxis, axes.set_xticks), (up, axes.yaxis, axes.set_yticks)):
        set_ticks([place for place, _ in scale.ticks], [told for _, told in scale.ticks])
        axis.set_minor_locator(NullLocator())
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.tick_params(labelcolor=MUTED, labelsize=layout.text - 1, length=0, pad=6)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(across.words, color=MUTED, fontsize=layout.text - 1)


def _write_key(figure: Figure, curves: Sequence[Curve], references: Sequence[Reference], layout: Layout) -> None:
    """Name each line under the drawing, beside a piece of it."""
    height = figure.get_size_inches()[1] * 72
    lines = math.ceil((len(curves) + len(references)) / layout.columns)
    key = figure.add_axes((0, 0, 1, KEY * lines / height))
    key.set_axis_off()
    key.set_xlim(0, layout.width)
    key.set_ylim(lines, 0)
    looks = [_drawn(one.look) for one in curves]
    looks += [{"color": INK, "linewidth": 1.2, "linestyle": one.style} for one in references]
    names = [*(one.name for one in curves), *(one.name for one in references)]
    room = (layout.width - layout.left - RIGHT) / layout.columns
    for place, (name, look) in enumerate(zip(names, looks, strict=True)):
        left, y = layout.left + room * (place // lines), place % lines + 0.5
        key.plot([left, left + 34], [y, y], **{**look, "marker": ""})
        if "marker" in look:
            key.plot([left + 17], [y], **{**look, "linestyle": "none"})
        words = fitted(figure, printable(name, 80), room - 50, size=layout.text - 1)
        key.text(left + 44, y, words, va="center", fontsize=layout.text - 1, color=INK)
