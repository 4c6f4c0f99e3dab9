"""Numbers to SVG: intervals on one scale of shares or of R², drawn to be set inside a page.

No string of the user's enters a drawing, and every colour becomes a CSS variable of the page, so that the
same drawing serves light, dark and print. Marks and line styles carry the meaning without colour.
"""

import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

# Drawn in colours nobody uses, then replaced by the page's; the fallback is for a page without its CSS.
INK, MUTED, HAIRLINE, BAND, PAPER = "#a1b001", "#a1b002", "#a1b003", "#a1b004", "#a1b005"
_VARIABLES = {
    INK: "var(--ink, #1a1c1f)",
    MUTED: "var(--muted, #565b63)",
    HAIRLINE: "var(--hairline, #c9ccd1)",
    BAND: "var(--band, #e6e8eb)",
    PAPER: "var(--paper, #fff)",
}

Mark = Literal["before", "after", "head", "ceiling", "floor", "null", "bound"]
_MARKERS: dict[Mark, str | int] = {
    "before": "o", "after": "s", "head": "D", "ceiling": "^", "floor": "|", "null": "",
    "bound": CARETLEFT,  # its tip is the figure, and it points to where every attacker is
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of a drawing: its name, its figure in words, and the interval."""

    name: str
    told: str
    mark: Mark
    value: float
    low: float
    high: float


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


WIDE = Layout(width=800, names=188, figures=178, row=34, text=13)
NARROW = Layout(width=320, names=0, figures=0, row=46, text=12)


def draw(
    rows: Sequence[Row],
    lines: Sequence[Line],
    band: tuple[float, float] | None,
    *,
    scale: Scale,
    label: str,
    layout: Layout,
    salt: str,
) -> str:
    """Return an `<svg>` element with one interval per row.

    Args:
        rows: From top to bottom.
        lines: References across all rows, named above the scale.
        band: A light band across all rows, in the rows' units.
        scale: What the horizontal axis measures.
        label: The drawing in words, for who cannot see it.
        layout: `WIDE` or `NARROW`.
        salt: Sets the element ids apart from those of other drawings on the page.
    """
    top, bottom = 17.0 * len(lines) + 8, 44.0
    height = top + layout.row * len(rows) + bottom
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc in the user's home must not change the evidence's looks
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": salt, "text.parse_math": False})
        figure = Figure(figsize=(layout.width / 72, height / 72))
        side = 16.0 if layout.names == 0 else 0.0  # the marks at either end need room where no names stand
        left, right = layout.names + side, layout.width - layout.figures - side
        axes = figure.add_axes(
            (left / layout.width, bottom / height, (right - left) / layout.width, 1 - (top + bottom) / height)
        )
        _set_scale(axes, rows, lines, scale, layout)
        if band:
            axes.axvspan(*band, color=BAND, linewidth=0, clip_on=False)
        _draw_lines(axes, lines, 17 / (layout.row * len(rows)), layout)
        for index, row in enumerate(rows):
            _draw_row(axes, row, index, layout)
        target = io.StringIO()
        figure.savefig(
            target,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _for_a_page(target.getvalue(), label)


def _set_scale(axes: Axes, rows: Sequence[Row], lines: Sequence[Line], scale: Scale, layout: Layout) -> None:
    ends = [end for row in rows for end in (row.low, row.high)] + [line.x for line in lines]
    room = max(0.04, 0.06 * (max(ends) - min(ends)))
    axes.set_xlim(max(0.0 if scale.is_share else -math.inf, min(ends) - room), min(1.0, max(ends) + room))
    axes.set_ylim(len(rows), 0)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(4 if layout.names == 0 else 6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda x, _: _tick(x, scale))
    axes.tick_params(axis="x", color=HAIRLINE, labelcolor=MUTED, labelsize=layout.text - 1, length=4)
    axes.set_xlabel(scale.words, color=MUTED, fontsize=layout.text - 1, labelpad=4)


def _tick(x: float, scale: Scale) -> str:
    return f"{round(100 * x, 6):g} %" if scale.is_share else f"{round(x, 6):g}".replace("-", "−")


def _draw_lines(axes: Axes, lines: Sequence[Line], tier: float, layout: Layout) -> None:
    """Name each line on a tier of its own, the outer one highest, so that no line crosses another's name."""
    low, high = axes.get_xlim()
    place = {line: (line.x - low) / (high - low) for line in lines}
    is_reversed = max(place.values()) > 0.6 and min(place.values()) >= 0.35  # names then run to the left
    for index, line in enumerate(sorted(lines, key=place.__getitem__, reverse=not is_reversed)):
        above = 1 + tier * index
        to_left = place[line] > 0.6 or is_reversed
        axes.plot(
            [line.x, line.x], [0, above], color=INK, linewidth=1, linestyle=line.style, clip_on=False,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        axes.annotate(
            line.name, (line.x, above), xycoords=axes.get_xaxis_transform(),
            xytext=(-4 if to_left else 4, 1), textcoords="offset points", ha="right" if to_left else "left",
            fontsize=layout.text - 1, color=INK,
        )  # fmt: skip


def _draw_row(axes: Axes, row: Row, index: int, layout: Layout) -> None:
    is_reference = row.mark in ("ceiling", "floor", "null", "bound")
    color = MUTED if is_reference else INK
    is_narrow = layout.names == 0
    height = index + (0.72 if is_narrow else 0.5)
    written = index + (0.3 if is_narrow else 0.5)
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes stand in no figure")
    across = blended_transform_factory(figure.transFigure, axes.transData)
    # On a narrow drawing the names stand over the scale: paper behind them keeps the lines out.
    behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5} if is_narrow else None
    for x, side, text in ((0, "left", row.name), (1, "right", row.told)):
        axes.text(
            x, written, text, transform=across, ha=side, va="center", fontsize=layout.text, color=color,
            weight="bold" if row.mark == "after" else "normal", bbox=behind,
        )  # fmt: skip
    if row.high > row.low:
        axes.plot(
            [row.low, row.high], [height, height], color=color, clip_on=False, solid_capstyle="butt",
            linewidth=6 if row.mark == "null" else 2.4 if row.mark == "after" else 1.6,
            marker="" if row.mark == "null" else "|", markersize=8, markeredgewidth=1.6,
        )  # fmt: skip
    axes.plot(
        [row.value], [height], marker=_MARKERS[row.mark], markersize=8 if row.mark != "floor" else 14,
        markerfacecolor=PAPER if row.mark in ("head", "before") else color, markeredgecolor=color,
        markeredgewidth=1.6, linestyle="none", clip_on=False,
    )  # fmt: skip


def _for_a_page(svg: str, label: str) -> str:
    """Turn a stand-alone file into an element: no prolog, no style of its own, no font, no fixed size."""
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    box = re.search(r'viewBox="([^"]*)"', svg)
    if box is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    body = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r"<defs>\s*</defs>", "", body)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # `axes_1` and its like would repeat in every drawing
    body = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r"font-family: [^;\"]*;?", "", body)
    body = re.sub(r' transform="rotate\(-0 [^"]*"', "", body).replace("xlink:href", "href")
    for drawn, variable in _VARIABLES.items():
        body = body.replace(drawn, variable)
    body = re.sub(r">\s+<", "><", body).strip()
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{html.escape(label)}">{body}'
