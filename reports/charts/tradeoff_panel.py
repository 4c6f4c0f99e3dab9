"""One panel of a sweep: a private attribute, every point with its intervals and its name.

Shapes tell the methods apart without colour; filled marks and bold names the points that no other one beats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from audit.evidence.sweep_result import UNTOUCHED
from reports.charts.label_placement import Box, Name, Place, Places, place
from reports.charts.svg import BAND, HAIRLINE, INK, MUTED, NAME, PAPER, fitted, measured
from reports.charts.tradeoff_points import Spot, by_method

TIER = 17.0
"""Height of a line of text, in pixels."""
NEAR = 17.0
"""Pixels to which a name needs no line to its point."""
FAR = 0.7
"""Share of a panel's width beyond which a reference is named to its left."""
NAMED = 0.45
"""Share of a panel's width that a point's name may take."""
RING = 1.7
"""Times the size of a mark, around the chosen one."""


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels of one way to set a panel."""

    width: float
    """Of what is plotted."""
    height: float
    left: float
    """Room for the scale, and over it for what goes up."""
    right: float
    """Room for names beside what is plotted."""
    edge: float
    """From the left of it all to its words."""
    text: float
    small: float
    mark: float
    """Side of the square that a mark takes."""
    steps: int
    """Ticks on a scale, at most."""
    every_name: bool
    """Otherwise the untouched checkpoint and the points that no other one beats are named, and no others."""


def draw_panel(
    axes: Axes, spots: Sequence[Spot], layout: Layout, *, across: str, up: str, heading: str, chance: float, kept: float
) -> None:
    """Draw the points of one attribute.

    Args:
        axes: In a figure of `drawing`.
        spots: One at least.
        layout: Sizes.
        across: What is read further right.
        up: What is done better further up.
        heading: The panel's name, or nothing where it stands elsewhere.
        chance: Balanced accuracy of a guess.
        kept: The lowest accuracy at which the task counts as kept.
    """
    _set_scales(axes, spots, layout, chance)
    figure, beside = _figure(axes), layout.width + layout.right
    across = fitted(figure, across, beside, size=layout.small)
    axes.set_xlabel(across, color=MUTED, fontsize=layout.small, labelpad=6, loc="left")
    tiers = _draw_references(axes, spots, layout, chance)
    area = axes.get_window_extent()
    for tier, words, size, weight, color in (
        (tiers, up, layout.small, "normal", MUTED),
        (tiers + 1, heading, 14.0, "bold", INK),
    ):
        at = ((layout.edge - layout.left) / area.width, 1 + (TIER * tier + 9) / area.height)
        shown = fitted(figure, words, beside + layout.left - layout.edge, size=size, weight=weight)
        axes.text(*at, shown, transform=axes.transAxes, fontsize=size, weight=weight, color=color)
    written = _draw_kept(axes, layout, kept)
    for own in by_method(spots):
        xs, ys = [spot.x.value for spot in own], [spot.y.value for spot in own]
        axes.plot(xs, ys, color=own[0].look.colour, linewidth=1.3, alpha=0.7, zorder=2, clip_on=False)
    for spot in spots:
        _draw_spot(axes, spot, layout)
    named = [spot for spot in spots if layout.every_name or spot.efficient or spot.chosen or spot.method == UNTOUCHED]
    unnamed = [_mark(axes, spot, layout) for spot in spots if spot not in named]
    in_the_way = [_along_lines(axes, spots, chance, kept), *map(_filled, (written, *unnamed))]
    _write_names(axes, named, layout, np.concatenate(in_the_way))


def _set_scales(axes: Axes, spots: Sequence[Spot], layout: Layout, chance: float) -> None:
    xs = [end for spot in spots for end in (spot.x.low, spot.x.high, spot.floor)]
    if chance >= 2 * min(xs) - max(xs):  # else it would squeeze the points together, and is named at the edge
        xs.append(chance)
    ys = [end for spot in spots for end in (spot.y.low, spot.y.high)]
    for limits, ends in ((axes.set_xlim, xs), (axes.set_ylim, ys)):
        room = max(0.01, 0.09 * (max(ends) - min(ends)))
        limits(min(ends) - room, max(ends) + room)
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(HAIRLINE)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(layout.steps, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g} %" if 0 <= share <= 1 else "")
    axes.tick_params(color=HAIRLINE, labelcolor=MUTED, labelsize=layout.small, length=4)


def _draw_references(axes: Axes, spots: Sequence[Spot], layout: Layout, chance: float) -> int:
    """Draw chance and the floors of all points, named over the panel, and return how many lines of text that took."""
    area, across, (left, right) = axes.get_window_extent(), axes.get_xaxis_transform(), axes.get_xlim()
    low, high = min(spot.floor for spot in spots), max(spot.floor for spot in spots)
    least = 4 * (right - left) / area.width  # a narrower band could not be seen
    middle, width = (low + high) / 2, max(high - low, least)
    axes.axvspan(middle - width / 2, middle + width / 2, color=BAND, linewidth=0, zorder=0, clip_on=False)
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
            ha="right" if to_left else "left", fontsize=layout.small, color=INK, gid=f"{NAME}{len(axes.texts)}",
        )  # fmt: skip
    return len(named)


def _draw_kept(axes: Axes, layout: Layout, kept: float) -> Box:
    """Draw from where on the task counts as kept, and return where that is written."""
    axes.plot(
        [0, 1], [kept, kept], transform=axes.get_yaxis_transform(), color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)),
        zorder=1, clip_on=False,
    )  # fmt: skip
    written = axes.annotate(
        "task kept above", (1, kept), xycoords=axes.get_yaxis_transform(), xytext=(layout.right - 6, -3),
        textcoords="offset points", ha="right", va="top", fontsize=layout.small - 1, color=MUTED,
    )  # fmt: skip
    box = written.get_window_extent()
    return Box(box.x0, box.y0, box.x1, box.y1)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _draw_spot(axes: Axes, spot: Spot, layout: Layout) -> None:
    colour, size = spot.look.colour, layout.mark
    for xs, ys in (
        ((spot.x.low, spot.x.high), (spot.y.value, spot.y.value)),
        ((spot.x.value, spot.x.value), (spot.y.low, spot.y.high)),
    ):
        axes.plot(xs, ys, color=colour, linewidth=1, alpha=0.35, zorder=3, solid_capstyle="butt", clip_on=False)
    at = [spot.x.value], [spot.y.value]
    axes.plot(
        *at, marker=spot.look.mark, markersize=0.82 * size if spot.efficient else 0.64 * size, markeredgewidth=1.5,
        markerfacecolor=colour if spot.efficient else PAPER, markeredgecolor=colour, linestyle="none", zorder=4,
        clip_on=False,
    )  # fmt: skip
    if spot.chosen:
        axes.plot(
            *at, marker="o", markersize=RING * size, markeredgewidth=1.2, markerfacecolor="none", markeredgecolor=INK,
            linestyle="none", zorder=4, clip_on=False,
        )  # fmt: skip


def _write_names(axes: Axes, spots: Sequence[Spot], layout: Layout, lines: Places) -> None:
    """Write each point's name where it covers nothing, with a line to its point where that is not beside it."""
    fonts: list[dict[str, Any]] = [
        {"size": layout.text, "weight": "bold" if spot.efficient else "normal"} for spot in spots
    ]
    room = NAMED * layout.width
    titles = [fitted(_figure(axes), spot.title, room, **font) for spot, font in zip(spots, fonts, strict=True)]
    names = [_name(axes, *one) for one in zip(spots, titles, fonts, strict=True)]
    area, pixels = axes.get_window_extent(), IdentityTransform()
    marks = [_mark(axes, spot, layout) for spot in spots]
    inside = Box(area.x0 + 4, area.y0 + 4, area.x1 + layout.right - 6, area.y1 - 2)
    placed = place(names, marks, lines, inside)
    for spot, title, font, name, one in zip(spots, titles, fonts, names, placed, strict=True):
        box, colour = one.box, spot.look.colour
        if one.reach > NEAR:
            end = box.nearest(name.at)
            axes.plot(
                [name.at[0], end[0]], [name.at[1], end[1]], color=colour, linewidth=0.7, alpha=0.6, zorder=2.5,
                transform=pixels, clip_on=False, scalex=False, scaley=False,
            )  # fmt: skip
        x = {"left": box.left, "right": box.right, "center": (box.left + box.right) / 2}[one.side]
        axes.text(
            x, (box.low + box.high) / 2, title, transform=pixels, ha=one.side, va="center", color=colour, zorder=5,
            gid=f"{NAME}{len(axes.texts)}", fontproperties=FontProperties(**font),
        )  # fmt: skip


def _name(axes: Axes, spot: Spot, title: str, font: Mapping[str, Any]) -> Name:
    """Measure a name in pixels, in matplotlib's own font, which is wider than those of a screen."""
    return Name(_at(axes, spot), *measured(_figure(axes), title, **font))


def _mark(axes: Axes, spot: Spot, layout: Layout) -> Box:
    size = layout.mark * (RING if spot.chosen else 1)
    return Box.around(*_at(axes, spot), size, size)


def _at(axes: Axes, spot: Spot) -> Place:
    x, y = axes.transData.transform((spot.x.value, spot.y.value))
    return float(x), float(y)


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _along_lines(axes: Axes, spots: Sequence[Spot], chance: float, kept: float) -> Places:
    """Return places along everything that is drawn as a line, a few pixels apart."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    lines = [((chance, bottom), (chance, top)), ((left, kept), (right, kept))]
    for spot in spots:
        lines.append(((spot.x.low, spot.y.value), (spot.x.high, spot.y.value)))
        lines.append(((spot.x.value, spot.y.low), (spot.x.value, spot.y.high)))
    for own in by_method(spots):
        lines += pairwise((spot.x.value, spot.y.value) for spot in own)
    ends = axes.transData.transform(np.array(lines).reshape(-1, 2)).reshape(-1, 2, 2)
    return np.concatenate([np.linspace(start, end, 2 + int(np.abs(end - start).max() / 4)) for start, end in ends])


def _filled(box: Box) -> Places:
    """Return places all over a box, a few pixels apart."""
    x, y = np.meshgrid(np.arange(box.left, box.right, 2.0), np.arange(box.low, box.high, 2.0))
    return np.stack([x.ravel(), y.ravel()], axis=1)
