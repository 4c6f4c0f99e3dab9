"""A sweep as one picture: how well the task is done against what fresh attackers read, a panel for each attribute.

An SVG file of its own for any background: dark ink on paper that it brings along, and text that stays text.
"""

import html
import io
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audit.files import write_whole
from audit.tradeoff_evidence import UNTOUCHED, Sweep, SweepPoint, title
from sanitizer.panel import EDGE, INK, LEFT, MUTED, PAPER, RIGHT, SMALL, TEXT, TIER, Spot, draw_panel

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
ALONE, BESIDE = (700.0, 400.0), (504.0, 360.0)
"""Width and height of what is plotted, in pixels: one panel, and one of two in a row."""
HEAD, FOOT, GAP = 86.0, 58.0, 30.0
"""Pixels over and under the panels, and between two."""
LETTER = 6.1
"""Pixels of a letter of the small text, on average."""
LONGEST = 40
"""Characters of a name of the user's."""


def write_curve(sweep: Sweep, path: Path) -> None:
    """Write the picture of a sweep, whole or not at all."""
    write_whole(path, draw_curve(sweep).encode())


def draw_curve(sweep: Sweep) -> str:
    """Return the picture of a sweep as a stand-alone SVG file."""
    attributes = sweep.setup.private
    columns = min(2, len(attributes))
    w, h = ALONE if columns == 1 else BESIDE
    top = TIER * (3 if columns == 1 else 4) + 6  # over a panel: its name, what goes up, and its references' names
    width = LEFT + columns * w + (columns - 1) * (GAP + LEFT) + RIGHT
    notes = textwrap.wrap(_notes(sweep), int((width - 2 * EDGE) / LETTER))
    foot = TIER * len(notes) + 20
    height = HEAD + -(-len(attributes) // columns) * (top + h + FOOT) + foot
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc in the user's home must not change the looks
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sweep", "text.parse_math": False})
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=PAPER)
        FigureCanvasAgg(figure)  # measures text
        figure.text(EDGE / width, 1 - 32 / height, "How well the task is done, and what can still be read", fontsize=16,
                    weight="bold", color=INK)  # fmt: skip
        for index, line in enumerate(_what(sweep)):
            figure.text(EDGE / width, 1 - (54 + TIER * index) / height, line, fontsize=TEXT, color=MUTED)
        for index, name in enumerate(attributes):
            left = LEFT + index % columns * (w + GAP + LEFT)
            low = height - HEAD - (index // columns) * (top + h + FOOT) - top - h
            reading = next(one for point in sweep.points if point.figures for one in point.figures.read
                           if one.attribute == name)  # fmt: skip
            whom = f" on {_clean(name)}" if columns == 1 else ""
            draw_panel(
                figure.add_axes((left / width, low / height, w / width, h / height)),
                spots_of(sweep, name),
                across=f"balanced accuracy of the strongest fresh attacker{whom}, n = {reading.test_rows:,}",
                up=f"accuracy on {_clean(sweep.setup.task)}, the task",
                heading="" if columns == 1 else _clean(name),
                chance=reading.chance,
            )
        for index, line in enumerate(notes):
            figure.text(EDGE / width, (foot - 10 - TIER * (index + 0.5)) / height, line, fontsize=SMALL, color=MUTED)
        target = io.StringIO()
        figure.savefig(target, format="svg", facecolor=PAPER, metadata={"Date": None, "Creator": None})
    return _finished(target.getvalue(), _in_words(sweep))


def spots_of(sweep: Sweep, attribute: str) -> list[Spot]:
    """Return the points of one attribute's panel, in the order they were made; one without figures has none."""
    found = [
        (point, point.figures.accuracy, one)
        for point in sweep.points
        if point.figures
        for one in point.figures.read
        if one.attribute == attribute
    ]
    best = efficient([(one.balanced_accuracy.value, accuracy.value) for _, accuracy, one in found])
    own = [name for name in dict.fromkeys(point.method for point in sweep.points) if name not in LOOKS]
    looks = LOOKS | {name: OTHERS[index % len(OTHERS)] for index, name in enumerate(own)}
    return [
        Spot(
            method=point.method,
            weight=point.weight,
            title=_called(point),
            mark=looks[point.method][0],
            color=looks[point.method][1],
            x=one.balanced_accuracy,
            y=accuracy,
            floor=one.floor.value,
            efficient=is_best,
        )
        for (point, accuracy, one), is_best in zip(found, best, strict=True)
    ]


def efficient(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each (read, accuracy) whether no other one is as good in both and better in one."""
    return [
        not any(
            read <= own_read and accuracy >= own and (read, accuracy) != (own_read, own) for read, accuracy in points
        )
        for own_read, own in points
    ]


def _what(sweep: Sweep) -> tuple[str, str]:
    """Return what was swept, and on how many rows it was judged."""
    data, split = sweep.data, sweep.data.test
    groups = f" of {split.groups:,} {_clean(data.group)}s" if data.group and split.groups < split.rows else ""
    return (
        f"{_clean(sweep.checkpoint.file)}, layer {_clean(sweep.setup.layer)}, data {_clean(data.name)}",
        f"n = {split.rows:,} test rows{groups}, which no training and no attacker saw",
    )


def _notes(sweep: Sweep) -> str:
    failed = ", ".join(_called(point) for point in sweep.points if point.figures is None)
    return (
        "Further left less is read; further up the task is done better. Filled and bold: no other point is as good in "
        "both and better in one. Thin bars: 95 % bootstrap intervals. Lines join a method's points in order of weight. "
        f"Floor: what the predicted {_clean(sweep.setup.task)} alone tells, lowest to highest of all points."
        f"{f' Not shown, since training failed: {failed}.' if failed else ''}"
    )


def _in_words(sweep: Sweep) -> str:
    """Tell the picture to who cannot see it."""
    told = []
    for name in sweep.setup.private:
        spots = spots_of(sweep, name)
        figures = "; ".join(f"{one.title}: task {one.y.value:.1%}, read {one.x.value:.1%}" for one in spots)
        told.append(f"Accuracy of the task, and balanced accuracy of an attacker on {_clean(name)}. {figures}.")
    return " ".join(told)


def _called(point: SweepPoint) -> str:
    """Return a point's name; of a method of the user's, its last part."""
    return _clean(title(point.method.rpartition(":")[2], point.weight))


def _clean(name: str) -> str:
    """Make a name fit for a drawing: printable, and not too long."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def _finished(svg: str, words: str) -> str:
    """Name the picture, give it the fonts of a screen, and its size in pixels."""
    fonts = html.escape(FONTS)
    svg = re.sub(r"(font: [^;\"]*?[\d.]+px|font-family:) [^;\"]*", lambda found: f"{found[1]} {fonts}", svg)
    svg = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', svg)
    end = svg.index(">", svg.index("<svg")) + 1
    opening = svg[:end].replace("<svg", '<svg role="img"', 1)
    return f"{opening}<title>{html.escape(words)}</title>{HALO}{svg[end:]}"
