"""One panel of a sweep's picture: a private attribute, every point with its intervals and its name.

Shapes tell the methods apart without colour; filled marks and bold names the points that no other one beats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from audit.evidence import Estimate
from sanitizer.labels import Box, Name, Places, place

INK, MUTED, HAIRLINE, BAND, PAPER = "#1a1c1f", "#565b63", "#c9ccd1", "#e6e8eb", "#ffffff"
TEXT, SMALL = 12.5, 11.5
EDGE, LEFT, RIGHT = 20.0, 58.0, 28.0
"""Pixels from the picture's edge to its words and to its panels, and beside a panel for the names."""
TIER = 17.0
"""Height of a line of text, in pixels."""
MARK = 11.0
"""Side of the square that a mark takes."""
NEAR = 17.0
"""Pixels to which a name needs no line to its point."""
FAR = 0.7
"""Share of a panel's width beyond which a reference is named to its left."""


@dataclass(frozen=True)
class Spot:
    """One point in one panel."""

    method: str
    weight: float | None
    title: str
    mark: str
    """A matplotlib marker."""
    color: str
    x: Estimate
    """What the strongest attacker reads."""
    y: Estimate
    """The task's accuracy."""
    floor: float
    efficient: bool
    """No other point is as good in both and better in one."""


def draw_panel(axes: Axes, spots: Sequence[Spot], *, across: str, up: str, heading: str, chance: float) -> None:
    """Draw the points of one attribute.

    Args:
        axes: In a figure of 72 dots an inch, so that its pixels are those of the picture.
        spots: One at least.
        across: What is read further right.
        up: What is done better further up.
        heading: The panel's name, or nothing where there is one panel.
        chance: Balanced accuracy of a guess.
    """
    _set_scales(axes, spots, chance)
    axes.set_xlabel(across, color=MUTED, fontsize=SMALL, labelpad=6, loc="left")
    tiers = _draw_references(axes, spots, chance)
    area = axes.get_window_extent()
    for tier, words, size, weight, color in (
        (tiers, up, SMALL, "normal", MUTED),
        (tiers + 1, heading, 14.0, "bold", INK),
    ):
        place_ = ((EDGE - LEFT) / area.width, 1 + (TIER * tier + 9) / area.height)
        axes.text(*place_, words, transform=axes.transAxes, fontsize=size, weight=weight, color=color)
    for own in _by_method(spots):
        xs, ys = [spot.x.value for spot in own], [spot.y.value for spot in own]
        axes.plot(xs, ys, color=own[0].color, linewidth=1.3, alpha=0.7, zorder=2)
    for spot in spots:
        _draw_spot(axes, spot)
    _write_names(axes, spots, chance)


def _by_method(spots: Sequence[Spot]) -> list[list[Spot]]:
    """Return the points of each method in order of weight."""
    found: dict[str, list[Spot]] = {}
    for spot in sorted(spots, key=lambda spot: spot.weight or 0.0):
        found.setdefault(spot.method, []).append(spot)
    return [*found.values()]


def _set_scales(axes: Axes, spots: Sequence[Spot], chance: float) -> None:
    xs = [end for spot in spots for end in (spot.x.low, spot.x.high, spot.floor)]
    if chance >= 2 * min(xs) - max(xs):  # else it would squeeze the points together, and is named at the edge
        xs.append(chance)
    ys = [end for spot in spots for end in (spot.y.low, spot.y.high)]
    for limits, ends in ((axes.set_xlim, xs), (axes.set_ylim, ys)):
        room = max(0.01, 0.09 * (max(ends) - min(ends)))
        limits(min(ends) - room, max(ends) + room)
    axes.set_facecolor(PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(HAIRLINE)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g} %" if 0 <= share <= 1 else "")
    axes.tick_params(color=HAIRLINE, labelcolor=MUTED, labelsize=SMALL, length=4)


def _draw_references(axes: Axes, spots: Sequence[Spot], chance: float) -> int:
    """Draw chance and the floors of all points, named over the panel, and return how many lines of text that took."""
    area, across, (left, right) = axes.get_window_extent(), axes.get_xaxis_transform(), axes.get_xlim()
    low, high = min(spot.floor for spot in spots), max(spot.floor for spot in spots)
    least = 4 * (right - left) / area.width  # a narrower band could not be seen
    middle, width = (low + high) / 2, max(high - low, least)
    axes.axvspan(middle - width / 2, middle + width / 2, color=BAND, linewidth=0, zorder=0)
    ends = list(dict.fromkeys(_percent(one) for one in (low, high)))
    named = [(chance, f"chance {_percent(chance)}", INK, ":"), (middle, f"floor {' to '.join(ends)}", HAIRLINE, "-")]
    if ends == [_percent(chance)]:
        named = [(chance, f"chance and floor {_percent(chance)}", INK, ":")]
    elif chance < left:
        named[0] = (left, f"← chance {_percent(chance)}", INK, "")
    for tier, (x, words, color, style) in enumerate(sorted(named, reverse=True)):  # no line crosses another's name
        top, to_left = 1 + (4 + TIER * tier) / area.height, x > left + FAR * (right - left)
        axes.plot(
            [x, x], [0 if style == ":" else 1, top], transform=across, color=color, linestyle=style or "none",
            linewidth=1, clip_on=False, zorder=1,
        )  # fmt: skip
        axes.annotate(
            words, (x, top), xycoords=across, xytext=(-4 if to_left else 4, 1), textcoords="offset points",
            ha="right" if to_left else "left", fontsize=SMALL, color=INK, gid=f"name{len(axes.texts)}",
        )  # fmt: skip
    return len(named)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _draw_spot(axes: Axes, spot: Spot) -> None:
    for xs, ys in (
        ((spot.x.low, spot.x.high), (spot.y.value, spot.y.value)),
        ((spot.x.value, spot.x.value), (spot.y.low, spot.y.high)),
    ):
        axes.plot(xs, ys, color=spot.color, linewidth=1, alpha=0.35, zorder=3, solid_capstyle="butt")
    axes.plot(
        [spot.x.value], [spot.y.value], marker=spot.mark, markersize=9 if spot.efficient else 7, markeredgewidth=1.5,
        markerfacecolor=spot.color if spot.efficient else PAPER, markeredgecolor=spot.color, linestyle="none", zorder=4,
    )  # fmt: skip


def _write_names(axes: Axes, spots: Sequence[Spot], chance: float) -> None:
    """Write each point's name where it covers nothing, with a line to its point where that is not beside it."""
    fonts = [FontProperties(size=TEXT, weight="bold" if spot.efficient else "normal") for spot in spots]
    names = [_name(axes, spot, font) for spot, font in zip(spots, fonts, strict=True)]
    area, pixels = axes.get_window_extent(), IdentityTransform()
    marks = [Box.around(*name.at, MARK, MARK) for name in names]
    inside = Box(area.x0 + 4, area.y0 + 4, area.x1 + RIGHT - 6, area.y1 - 2)
    placed = place(names, marks, _along_lines(axes, spots, chance), inside)
    for spot, font, name, one in zip(spots, fonts, names, placed, strict=True):
        box = one.box
        if one.reach > NEAR:
            end = box.nearest(name.at)
            axes.plot(
                [name.at[0], end[0]], [name.at[1], end[1]], color=spot.color, linewidth=0.7, alpha=0.6, zorder=2.5,
                transform=pixels, clip_on=False, scalex=False, scaley=False,
            )  # fmt: skip
        x = {"left": box.left, "right": box.right, "center": (box.left + box.right) / 2}[one.side]
        axes.text(
            x, (box.low + box.high) / 2, spot.title, transform=pixels, ha=one.side, va="center", fontproperties=font,
            color=spot.color, zorder=5, gid=f"name{len(axes.texts)}",
        )  # fmt: skip


def _name(axes: Axes, spot: Spot, font: FontProperties) -> Name:
    """Measure a name in pixels, in matplotlib's own font, which is wider than those of a screen."""
    figure = axes.get_figure(root=True)
    assert figure is not None and isinstance(figure.canvas, FigureCanvasAgg)
    renderer = figure.canvas.get_renderer()  # type: ignore[no-untyped-call]
    x, y = axes.transData.transform((spot.x.value, spot.y.value))
    width, height, _ = renderer.get_text_width_height_descent(spot.title, font, ismath=False)
    return Name((float(x), float(y)), width, height)


def _along_lines(axes: Axes, spots: Sequence[Spot], chance: float) -> Places:
    """Return places along everything that is drawn as a line, a few pixels apart."""
    bottom, top = axes.get_ylim()
    lines = [((chance, bottom), (chance, top))]
    for spot in spots:
        lines.append(((spot.x.low, spot.y.value), (spot.x.high, spot.y.value)))
        lines.append(((spot.x.value, spot.y.low), (spot.x.value, spot.y.high)))
    for own in _by_method(spots):
        lines += pairwise((spot.x.value, spot.y.value) for spot in own)
    ends = axes.transData.transform(np.array(lines).reshape(-1, 2)).reshape(-1, 2, 2)
    return np.concatenate([np.linspace(start, end, 2 + int(np.abs(end - start).max() / 4)) for start, end in ends])
