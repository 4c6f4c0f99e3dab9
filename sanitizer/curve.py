"""A sweep as one picture: how well the model does its task against what fresh attackers read, a panel an attribute.

A file of its own, for any background: dark ink on paper of its own. Shapes tell the methods apart without colour,
filled marks the points that no other one beats.
"""

import html
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from audit.evidence import Estimate
from audit.files import write_whole
from audit.tradeoff_evidence import UNTOUCHED, Sweep, SweepReading, title
from sanitizer.labels import Box, Name, Places, place

INK, MUTED, HAIRLINE, BAND, PAPER = "#1a1c1f", "#565b63", "#c9ccd1", "#e6e8eb", "#ffffff"
LOOKS = {
    UNTOUCHED: ("D", INK),
    "plain": ("s", "#565b63"),
    "codebook": ("o", "#0b5394"),
    "rich": ("P", "#17653a"),
    "irene": ("^", "#a3410b"),
    "kernel": ("v", "#7a3b8f"),
    "gradient-reversal": ("<", "#8a1c3c"),
    "leace": ("X", "#6b5900"),
    "end": (">", "#1f6f78"),
    "rubi": ("p", "#7d4e2d"),
    "learned-mixin": ("h", "#3d4fa8"),
    "rebias": ("d", "#4c6b1f"),
    "lff": ("8", "#93306f"),
}
"""Mark and colour of each method; a user's own take turns among OTHERS."""
OTHERS = (("*", "#2f4858"), ("H", "#734b00"))
FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif'
HALO = f'<style>g[id^="name"] text{{paint-order:stroke;stroke:{PAPER};stroke-width:3.5px}}</style>'
"""Keeps lines out of the names that stand over them."""
TEXT, SMALL = 12.5, 11.5
PANEL = (700.0, 400.0)
"""Width and height of what is plotted, in pixels, where there is one panel."""
EDGE, LEFT, RIGHT, GAP, HEAD, FOOT = 20.0, 58.0, 28.0, 30.0, 86.0, 58.0
TIER = 17.0
"""Height of a line of text."""
MARK = 11.0
"""Side of the square that a mark takes."""
NEAR = 17.0
"""Pixels to which a name needs no line to its point."""
LONGEST = 40
"""Characters of a name of the user's."""


@dataclass(frozen=True)
class Spot:
    """One point in one panel."""

    method: str
    title: str
    weight: float | None
    x: Estimate
    """What the strongest attacker reads."""
    y: Estimate
    """The task's accuracy."""
    reading: SweepReading
    efficient: bool
    """No other point reads less at a task as good, or does the task better at as little read."""


def write_curve(sweep: Sweep, path: Path) -> None:
    """Write the picture of a sweep as SVG, whole or not at all."""
    write_whole(path, draw_curve(sweep).encode())


def draw_curve(sweep: Sweep) -> str:
    """Return the picture of a sweep as a stand-alone SVG file whose text stays text."""
    panels = [(name, spots_of(sweep, name)) for name in sweep.setup.private]
    notes = _notes(sweep)
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    w, h = PANEL if across == 1 else (PANEL[0] * 0.72, PANEL[1] * 0.9)
    tiers = 3 + (len(panels) > 1)
    top = TIER * tiers + 6  # over each panel: its name, what goes up, and the names of its references
    width = LEFT + across * w + (across - 1) * (GAP + LEFT) + RIGHT
    lines = textwrap.wrap(notes, int((width - 2 * EDGE) / 6.1))
    foot = 20 + TIER * len(lines)
    height = HEAD + down * (top + h + FOOT) + foot
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc in the user's home must not change the looks
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sweep", "text.parse_math": False})
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=PAPER)
        FigureCanvasAgg(figure)
        _write_head(figure, sweep)
        for index, (name, spots) in enumerate(panels):
            left = LEFT + (index % across) * (w + GAP + LEFT)
            above = HEAD + (index // across) * (top + h + FOOT) + top
            axes = figure.add_axes((left / width, 1 - (above + h) / height, w / width, h / height))
            _draw_panel(axes, name, spots, sweep, is_named=len(panels) > 1)
        for index, line in enumerate(lines):
            figure.text(EDGE / width, (foot - 10 - TIER * (index + 0.5)) / height, line, fontsize=SMALL, color=MUTED)
        target = io.StringIO()
        figure.savefig(target, format="svg", facecolor=PAPER, metadata={"Date": None, "Creator": None})
    return _finished(target.getvalue(), _in_words(panels))


def spots_of(sweep: Sweep, attribute: str) -> list[Spot]:
    """Return the points of one attribute's panel, in the order they were made; those without figures have none."""
    found = [
        (point, point.figures, one)
        for point in sweep.points
        if point.figures
        for one in point.figures.read
        if one.attribute == attribute
    ]
    best = efficient([(one.balanced_accuracy.value, figures.accuracy.value) for _, figures, one in found])
    return [
        Spot(
            point.method,
            _clean(title(point.method.rpartition(":")[2], point.weight)),
            point.weight,
            one.balanced_accuracy,
            figures.accuracy,
            one,
            is_best,
        )
        for (point, figures, one), is_best in zip(found, best, strict=True)
    ]


def efficient(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each (read, accuracy) whether no other one is better in one of them and as good in the other."""
    return [
        not any(
            read <= own_read and accuracy >= own and (read, accuracy) != (own_read, own) for read, accuracy in points
        )
        for own_read, own in points
    ]


def _write_head(figure: Figure, sweep: Sweep) -> None:
    width, height = (72 * side for side in figure.get_size_inches())
    data, split = sweep.data, sweep.data.test
    groups = f" of {split.groups:,} {_clean(data.group)}s" if data.group and split.groups < split.rows else ""
    lines = (
        f"{_clean(sweep.checkpoint.file)}, layer {_clean(sweep.setup.layer)}, data {_clean(data.name)}",
        f"n = {split.rows:,} test rows{groups}, which no training and no attacker saw",
    )
    head = {"fontsize": 16, "weight": "bold", "color": INK}
    figure.text(EDGE / width, 1 - 32 / height, "How well the task is done, and what can still be read", **head)  # type: ignore[arg-type]
    for index, line in enumerate(lines):
        figure.text(EDGE / width, 1 - (54 + TIER * index) / height, line, fontsize=TEXT, color=MUTED)


def _draw_panel(axes: Axes, name: str, spots: Sequence[Spot], sweep: Sweep, *, is_named: bool) -> None:
    _set_scales(axes, spots)
    axes.set_xlabel(
        f"balanced accuracy of the strongest fresh attacker on {_clean(name)}, n = {spots[0].reading.test_rows:,}",
        color=MUTED, fontsize=SMALL, labelpad=6, loc="left",
    )  # fmt: skip
    tiers = _draw_references(axes, spots)
    area = axes.get_window_extent()
    start = (EDGE - LEFT) / area.width
    above = [(tiers, f"accuracy on {_clean(sweep.setup.task)}, the task", SMALL, "normal", MUTED)]
    above += [(tiers + 1, _clean(name), 14, "bold", INK)] if is_named else []
    for tier, words, size, weight, color in above:
        up = 1 + (TIER * tier + 9) / area.height
        axes.text(start, up, words, transform=axes.transAxes, fontsize=size, weight=weight, color=color)
    for method, own in _by_method(spots).items():
        xs, ys = [spot.x.value for spot in own], [spot.y.value for spot in own]
        axes.plot(xs, ys, color=_look(method, sweep)[1], linewidth=1.3, alpha=0.7, zorder=2)
    for spot in spots:
        _draw_spot(axes, spot, *_look(spot.method, sweep))
    _write_names(axes, spots, sweep)


def _by_method(spots: Sequence[Spot]) -> dict[str, list[Spot]]:
    """Return the points of each method in order of weight."""
    found: dict[str, list[Spot]] = {}
    for spot in sorted(spots, key=lambda spot: spot.weight or 0.0):
        found.setdefault(spot.method, []).append(spot)
    return found


def _set_scales(axes: Axes, spots: Sequence[Spot]) -> None:
    xs = [end for s in spots for end in (s.x.low, s.x.high, s.reading.floor.value, s.reading.chance)]
    ys = [end for s in spots for end in (s.y.low, s.y.high)]
    for limits, ends in ((axes.set_xlim, xs), (axes.set_ylim, ys)):
        room = max(0.01, 0.09 * (max(ends) - min(ends)))
        limits(min(ends) - room, max(ends) + room)
    axes.set_facecolor(PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(HAIRLINE)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda value, _: f"{round(100 * value, 6):g} %" if 0 <= value <= 1 else "")
    axes.tick_params(color=HAIRLINE, labelcolor=MUTED, labelsize=SMALL, length=4)


def _draw_references(axes: Axes, spots: Sequence[Spot]) -> int:
    """Draw chance and the floors of all points, named over the panel, and return how many lines of text that took."""
    chance = spots[0].reading.chance
    floors = sorted(spot.reading.floor.value for spot in spots)
    middle, half = (floors[0] + floors[-1]) / 2, (floors[-1] - floors[0]) / 2
    area = axes.get_window_extent()
    left, right = axes.get_xlim()
    half = max(half, 2 * (right - left) / area.width)  # four pixels, or it could not be seen
    axes.axvspan(middle - half, middle + half, color=BAND, linewidth=0, zorder=0)
    ends = list(dict.fromkeys(_percent(value) for value in (floors[0], floors[-1])))
    named = [(chance, f"chance {_percent(chance)}", ":"), (middle, f"floor {' to '.join(ends)}", "")]
    if ends == [_percent(chance)]:
        named = [(chance, f"chance and floor {_percent(chance)}", ":")]
    across = axes.get_xaxis_transform()
    for tier, (x, words, style) in enumerate(sorted(named, reverse=True)):  # no line crosses another's name
        top = 1 + (4 + TIER * tier) / area.height
        line = {"color": INK if style else HAIRLINE, "linewidth": 1, "linestyle": style or "-"}
        axes.plot([x, x], [0 if style else 1, top], transform=across, clip_on=False, zorder=1, **line)  # type: ignore[arg-type]
        axes.annotate(
            words, (x, top), xycoords=across, xytext=(4, 1), textcoords="offset points", fontsize=SMALL, color=INK,
        )  # fmt: skip
    return len(named)


def _draw_spot(axes: Axes, spot: Spot, mark: str, color: str) -> None:
    bars = {"color": color, "linewidth": 1.0, "alpha": 0.35, "zorder": 3, "solid_capstyle": "butt"}
    axes.plot([spot.x.low, spot.x.high], [spot.y.value] * 2, **bars)  # type: ignore[arg-type]
    axes.plot([spot.x.value] * 2, [spot.y.low, spot.y.high], **bars)  # type: ignore[arg-type]
    axes.plot(
        [spot.x.value], [spot.y.value], marker=mark, markersize=9 if spot.efficient else 7, markeredgewidth=1.5,
        markerfacecolor=color if spot.efficient else PAPER, markeredgecolor=color, linestyle="none", zorder=4,
    )  # fmt: skip


def _write_names(axes: Axes, spots: Sequence[Spot], sweep: Sweep) -> None:
    """Write each point's name where it covers nothing, with a line to its point where that is not beside it."""
    figure = axes.get_figure(root=True)
    assert figure is not None and isinstance(figure.canvas, FigureCanvasAgg)
    renderer = figure.canvas.get_renderer()  # type: ignore[no-untyped-call]
    fonts = [FontProperties(size=TEXT, weight="bold" if spot.efficient else "normal") for spot in spots]
    names = []
    for spot, font in zip(spots, fonts, strict=True):
        x, y = axes.transData.transform((spot.x.value, spot.y.value))
        width, height, _ = renderer.get_text_width_height_descent(spot.title, font, ismath=False)
        names.append(Name((float(x), float(y)), width, height))
    area = axes.get_window_extent()
    placed = place(
        names,
        [Box.around(*name.at, MARK, MARK) for name in names],
        _along_lines(axes, spots),
        Box(area.x0 + 4, area.y0 + 4, area.x1 + RIGHT - 6, area.y1 - 2),
    )
    pixels = IdentityTransform()
    for spot, font, name, one in zip(spots, fonts, names, placed, strict=True):
        color, box = _look(spot.method, sweep)[1], one.box
        if one.reach > NEAR:
            end = box.nearest(name.at)
            axes.plot(
                [name.at[0], end[0]], [name.at[1], end[1]], color=color, linewidth=0.7, alpha=0.6, zorder=2.5,
                transform=pixels, clip_on=False, scalex=False, scaley=False,
            )  # fmt: skip
        x = {"left": box.left, "right": box.right, "center": (box.left + box.right) / 2}[one.side]
        axes.text(
            x, (box.low + box.high) / 2, spot.title, transform=pixels, ha=one.side, va="center", fontproperties=font,
            color=color, zorder=5, gid=f"name{len(axes.texts)}",
        )  # fmt: skip


def _along_lines(axes: Axes, spots: Sequence[Spot]) -> Places:
    """Return places along everything that is drawn as a line, a few pixels apart."""
    chance, (bottom, top) = spots[0].reading.chance, axes.get_ylim()
    lines = [((chance, bottom), (chance, top))]
    for spot in spots:
        lines.append(((spot.x.low, spot.y.value), (spot.x.high, spot.y.value)))
        lines.append(((spot.x.value, spot.y.low), (spot.x.value, spot.y.high)))
    for own in _by_method(spots).values():
        lines += pairwise((spot.x.value, spot.y.value) for spot in own)
    ends = axes.transData.transform(np.array(lines).reshape(-1, 2)).reshape(-1, 2, 2)
    return np.concatenate([np.linspace(start, end, 2 + int(np.abs(end - start).max() / 4)) for start, end in ends])


def _notes(sweep: Sweep) -> str:
    failed = [_clean(title(point.method, point.weight)) for point in sweep.points if point.figures is None]
    left_out = f" Not shown, since training failed: {', '.join(failed)}." if failed else ""
    return (
        "Further left less is read; further up the task is done better. Filled and bold: no other point is as good in "
        "both and better in one. Thin bars: 95 % bootstrap intervals. Lines join a method's points in order of weight. "
        f"Floor: what the predicted {_clean(sweep.setup.task)} alone tells, from point to point.{left_out}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _look(method: str, sweep: Sweep) -> tuple[str, str]:
    own = [name for name in dict.fromkeys(point.method for point in sweep.points) if name not in LOOKS]
    return LOOKS.get(method) or OTHERS[own.index(method) % len(OTHERS)]


def _in_words(panels: Sequence[tuple[str, Sequence[Spot]]]) -> str:
    """Tell the picture to who cannot see it."""
    return " ".join(
        f"{_clean(name)}: "
        + "; ".join(f"{s.title}: accuracy of the task {s.y.value:.1%}, read {s.x.value:.1%}" for s in spots)
        + f"; chance {spots[0].reading.chance:.1%}."
        for name, spots in panels
    )


def _clean(name: str) -> str:
    """Make a name fit for a drawing: printable, and not too long."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def _finished(svg: str, words: str) -> str:
    """Name the picture, give it the page's fonts, and its size in pixels."""
    svg = re.sub(r"(font: [^;\"]*?[\d.]+px) [^;\"]*", lambda found: f"{found[1]} {html.escape(FONTS, quote=True)}", svg)
    svg = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', svg)
    place = svg.index(">", svg.index("<svg")) + 1
    opening = svg[:place].replace("<svg", '<svg role="img"', 1)
    return f"{opening}<title>{html.escape(words)}</title>{HALO}{svg[place:]}"
