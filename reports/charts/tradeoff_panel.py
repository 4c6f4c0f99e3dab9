"""One panel of a sweep: a private attribute, every point with its intervals and its number, and a key to the numbers.

Shapes tell the methods apart without colour; filled marks and bold numbers the points that no other one beats.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from reports.charts.svg import BAND, HAIRLINE, INK, MUTED, NAME, PAPER, fitted, measured, printable
from reports.charts.tradeoff_points import Spot, by_method

TASK_KEPT = "task kept above"
TIER = 17.0
"""Height of a line of text, in pixels."""
FAR = 0.7
"""Share of a panel's width beyond which a reference is named to its left."""
SIDES = [(math.cos(turn), math.sin(turn)) for turn in (math.pi / 4 * step for step in (1, 7, 3, 5, 0, 4, 2, 6))]
"""Where a number may stand beside its mark, the places that are tried first at the front."""
RING = 1.7
"""Times the size of a mark, around the chosen one."""


@dataclass(frozen=True)
class Line:
    """A dotted line across a panel."""

    at: float
    name: str
    is_shown: bool = False
    """Whether the scale is to reach it."""


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
    columns: int
    """Of the key to the numbers."""


def draw_panel(
    axes: Axes, spots: Sequence[Spot], layout: Layout, *, across: str, up: str, heading: str, chance: float, line: Line
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
        line: Across, at a height that says something.
    """
    _set_scales(axes, spots, layout, chance, line)
    figure, beside = axes.get_figure(root=True), layout.width + layout.right
    assert figure is not None
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
    _draw_line(axes, layout, line)
    for own in by_method(spots):
        xs, ys = [spot.x.value for spot in own], [spot.y.value for spot in own]
        axes.plot(xs, ys, color=own[0].look.colour, linewidth=1.3, alpha=0.7, zorder=2, clip_on=False)
    for spot in spots:
        _draw_spot(axes, spot, layout)
    _write_numbers(axes, spots, layout, _name_of(axes, layout, line))


def key_height(spots: Sequence[Spot], layout: Layout) -> float:
    """Return how many pixels the key to the numbers is high."""
    return TIER * math.ceil(len(spots) / layout.columns)


def draw_key(figure: Figure, spots: Sequence[Spot], layout: Layout, top: float) -> None:
    """Name every point beside its number and mark, column by column.

    Args:
        figure: Of `drawing`.
        spots: In the order of their numbers.
        layout: Sizes.
        top: Pixels from the figure's lower end to the key's upper one.
    """
    width, height = 72 * figure.get_size_inches()
    rows, column = math.ceil(len(spots) / layout.columns), (width - layout.edge - 8) / layout.columns
    for index, spot in enumerate(spots):
        x, y = layout.edge + 8 + index // rows * column, top - TIER * (index % rows + 0.5)
        figure.add_artist(
            Line2D([x / width], [y / height], marker=spot.look.mark, markersize=0.64 * layout.mark, linestyle="none",
                   markerfacecolor=spot.look.colour if spot.efficient else PAPER, markeredgewidth=1.5,
                   markeredgecolor=spot.look.colour)
        )  # fmt: skip
        weight = "bold" if spot.efficient else "normal"
        name = fitted(figure, f"{spot.number} {printable(spot.title)}", column - 24, size=layout.small, weight=weight)
        figure.text((x + 10) / width, y / height, name, fontsize=layout.small, color=INK if spot.efficient else MUTED,
                    weight=weight, va="center_baseline")  # fmt: skip


def _set_scales(axes: Axes, spots: Sequence[Spot], layout: Layout, chance: float, line: Line) -> None:
    xs = [end for spot in spots for end in (spot.x.low, spot.x.high, spot.floor)]
    if chance >= 2 * min(xs) - max(xs):  # else it would squeeze the points together, and is named at the edge
        xs.append(chance)
    ys = [end for spot in spots for end in (spot.y.low, spot.y.high)] + ([line.at] if line.is_shown else [])
    for limits, ends in ((axes.set_xlim, xs), (axes.set_ylim, ys)):
        room = max(0.01, 0.09 * (max(ends) - min(ends)))
        limits(min(ends) - room, max(ends) + room)
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(HAIRLINE)
    for axis, ends in ((axes.xaxis, xs), (axes.yaxis, ys)):
        axis.set_major_locator(MaxNLocator(layout.steps, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(partial(_tick, most=max(1.0, *ends)))  # more than the best can be kept by chance
    axes.tick_params(color=HAIRLINE, labelcolor=MUTED, labelsize=layout.small, length=4)


def _tick(share: float, _: int | None, *, most: float) -> str:
    return f"{round(100 * share, 6):g} %" if 0 <= share <= most else ""


def _draw_references(axes: Axes, spots: Sequence[Spot], layout: Layout, chance: float) -> int:
    """Draw chance, floors and limit, named over the panel, and return how many lines of text that took."""
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
    if (most := max(spot.most for spot in spots)) < right:
        named.append((most, f"limit {_percent(most)}", INK, "--"))
    for tier, (x, words, color, style) in enumerate(sorted(named, reverse=True)):  # no line crosses another's name
        top, to_left = 1 + (4 + TIER * tier) / area.height, x > left + FAR * (right - left)
        axes.plot(
            [x, x], [1 if style == "-" else 0, top], transform=across, color=color, linestyle=style or "none",
            linewidth=1, clip_on=False, zorder=1,
        )  # fmt: skip
        axes.annotate(
            words, (x, top), xycoords=across, xytext=(-4 if to_left else 4, 1), textcoords="offset points",
            ha="right" if to_left else "left", fontsize=layout.small, color=INK, gid=f"{NAME}{len(axes.texts)}",
        )  # fmt: skip
    return len(named)


def _draw_line(axes: Axes, layout: Layout, line: Line) -> None:
    axes.plot(
        [0, 1], [line.at, line.at], transform=axes.get_yaxis_transform(), color=MUTED, linewidth=0.8,
        linestyle=(0, (1, 3)), zorder=1, clip_on=False,
    )  # fmt: skip
    axes.annotate(
        line.name, (1, line.at), xycoords=axes.get_yaxis_transform(), xytext=(layout.right - 6, -3),
        textcoords="offset points", ha="right", va="top", fontsize=layout.small - 1, color=MUTED,
        gid=f"{NAME}{len(axes.texts)}",
    )  # fmt: skip


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


def _name_of(axes: Axes, layout: Layout, line: Line) -> list[tuple[float, float]]:
    """Return pixels along the name of the line across."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    end, y = axes.get_window_extent().x1 + layout.right - 6, axes.transData.transform((0, line.at))[1]
    size = layout.small - 1
    steps = int(measured(figure, line.name, size=size)[0] / size) + 1
    return [(end - step * size, float(y) - 3 - size / 2) for step in range(steps)]


def _write_numbers(
    axes: Axes, spots: Sequence[Spot], layout: Layout, words: Sequence[tuple[float, float]] = ()
) -> None:
    """Write each point's number beside its mark, at the side that is furthest from other marks, numbers and words."""
    marks = [(float(x), float(y)) for x, y in (axes.transData.transform((one.x.value, one.y.value)) for one in spots)]
    taken = [*marks, *words]
    for spot, mark in zip(spots, marks, strict=True):
        reach = layout.mark * (RING if spot.chosen else 1) / 2 + 0.7 * layout.small
        places = [(mark[0] + reach * across, mark[1] + reach * up) for across, up in SIDES]
        others = [other for other in taken if other != mark]
        free = [min((math.dist(place, other) for other in others), default=math.inf) for place in places]
        x, y = places[max(range(len(places)), key=lambda side: min(free[side], 2 * reach))]
        taken.append((x, y))
        axes.text(
            x, y, str(spot.number), transform=IdentityTransform(), ha="center", va="center_baseline", zorder=5,
            fontsize=layout.small, color=spot.look.colour, weight="bold" if spot.efficient else "normal",
            gid=f"{NAME}{len(axes.texts)}",
        )  # fmt: skip
