"""A sweep as one picture: how well the task is done against what fresh attackers read, a panel for each attribute.

An SVG file of its own for any background: dark ink on paper that it brings along, and text that stays text.
"""

import textwrap
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from audit.atomic_write import refuse_unless, write_whole
from audit.evidence.sweep_result import Sweep
from reports.charts.svg import INK, MUTED, drawing, fitted, picture, printable
from reports.charts.tradeoff_panel import TASK_KEPT, TIER, Layout, Line, draw_key, draw_panel, key_height
from reports.charts.tradeoff_points import called, in_words, spots_of
from reports.inputs.sweep_choice import level, refuse_unsound, untouched

EDGE, LEFT, RIGHT = 20.0, 58.0, 28.0
ALONE = Layout(700, 400, LEFT, RIGHT, EDGE, text=12.5, small=11.5, mark=11, steps=6, columns=4)
BESIDE = Layout(504, 360, LEFT, RIGHT, EDGE, text=12.5, small=11.5, mark=11, steps=6, columns=6)
"""One panel, and one of two in a row."""
HEAD, FOOT, GAP = 86.0, 58.0, 30.0
"""Pixels over and under the panels, and between two."""
TITLE = "Accuracy of the task, and balanced accuracy of an attacker on"
LETTER = 6.1
"""Pixels of a letter of the small text, on average."""


def write_picture(path: Path, sweep: Sweep) -> None:
    """Write the picture of a sweep, whole or not at all.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
        IreneError: The file cannot be written, or is there already and no such picture.
    """
    refuse_unless(is_own, path)
    write_whole(path, draw(sweep).encode())


def is_own(path: Path) -> bool:
    """Return whether a file begins as the picture of a sweep does."""
    try:
        with path.open("rb") as file:
            start = file.read(1000)
    except OSError:
        return False
    return start.startswith(b"<svg ") and f"<title>{TITLE}".encode() in start


def draw(sweep: Sweep) -> str:
    """Return the picture of a sweep as a stand-alone SVG file.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
    """
    refuse_unsound(sweep)
    attributes = sweep.setup.private
    columns = min(2, len(attributes))
    layout = ALONE if columns == 1 else BESIDE
    top = TIER * (4 if columns == 1 else 5) + 6  # over a panel: its name, what goes up, and its references' names
    width = LEFT + columns * layout.width + (columns - 1) * (GAP + LEFT) + RIGHT
    letters = int((width - 2 * EDGE) / LETTER)
    notes = [line for note in _notes(sweep) for line in textwrap.wrap(note, letters)]
    is_alone = len(attributes) == 1  # else no other point may beat one in one panel alone
    points = [replace(one, efficient=is_alone and one.efficient) for one in spots_of(sweep, attributes[0])]
    foot = key_height(points, layout) + TIER * len(notes) + 30
    height = HEAD + -(-len(attributes) // columns) * (top + layout.height + FOOT) + foot
    with drawing(width, height, salt="sweep") as figure:
        _write(figure, [(32, "How well the task is done, and what can still be read")], size=16, bold=True)
        _write(figure, [(54 + TIER * index, line) for index, line in enumerate(_what(sweep))], size=layout.text)
        for index, name in enumerate(attributes):
            left = LEFT + index % columns * (layout.width + GAP + LEFT)
            low = height - HEAD - (index // columns) * (top + layout.height + FOOT) - top - layout.height
            found = untouched(sweep, name).read
            whom = f" on {printable(name)}" if columns == 1 else ""
            draw_panel(
                figure.add_axes((left / width, low / height, layout.width / width, layout.height / height)),
                spots_of(sweep, name),
                layout,
                across=f"balanced accuracy of the strongest fresh attacker{whom}, n = {found.test_rows:,}",
                up=f"accuracy on {printable(sweep.setup.task)}, the task",
                heading="" if columns == 1 else printable(name),
                chance=found.chance,
                line=Line(level(sweep), TASK_KEPT),
            )
        draw_key(figure, points, layout, foot - 10)
        under = height - TIER * len(notes) - 10
        _write(figure, [(under + TIER * (index + 0.5), line) for index, line in enumerate(notes)], size=layout.small)
        told = (f"{TITLE} {printable(name)}. {in_words(spots_of(sweep, name))}." for name in sweep.setup.private)
        return picture(figure, title=" ".join(told))


def _write(figure: Figure, lines: list[tuple[float, str]], *, size: float, bold: bool = False) -> None:
    """Write lines at the left, each so many pixels from the top."""
    width, height = 72 * figure.get_size_inches()
    weight, colour = ("bold", INK) if bold else ("normal", MUTED)
    for down, line in lines:
        words = fitted(figure, line, width - EDGE, size=size, weight=weight)
        figure.text(EDGE / width, 1 - down / height, words, fontsize=size, weight=weight, color=colour)


def _what(sweep: Sweep) -> tuple[str, str]:
    """Return what was swept, and on how many rows it was judged."""
    data, split = sweep.data, sweep.data.test
    groups = f" of {split.groups:,} {printable(data.group)}s" if data.group and split.groups < split.rows else ""
    return (
        f"{printable(sweep.checkpoint.file)}, layer {printable(sweep.setup.layer)}, data {printable(data.name)}",
        f"n = {split.rows:,} test rows{groups}, which no training and no attacker saw",
    )


def _notes(sweep: Sweep) -> list[str]:
    failed = ", ".join(called(point) for point in sweep.points if point.figures is None)
    return [
        "Further left less is read; further up the task is done better. Numbers: the points in the order they were "
        "made, named above. Filled and bold: no other point is as good in "
        "both and better in one. Ringed: least read of those that keep the task, at or above the lower end of the "
        "untouched checkpoint's interval; chosen on these very rows. Thin bars: 95 % bootstrap intervals. Lines join a "
        f"method's points in order of weight. Floor: what the predicted {printable(sweep.setup.task)} alone tells, "
        "lowest to highest of all points. Dashed: the highest floor with the limit on top, a guide only.",
        *([f"Not shown, since training failed: {failed}."] if failed else []),
    ]
