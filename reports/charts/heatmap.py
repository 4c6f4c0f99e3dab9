"""A grid of numbers as an SVG: the more, the more ink; each number stands in its own cell.

One ink over the page's paper, so that light, dark, print and grey all show the same order; never so much ink
that a number on it could not be read.
"""

import html
from collections.abc import Sequence

from audit.errors import visible

SIDE = 320.0
"""Width of a map in CSS pixels."""
MOST_INK = 0.38
"""Share of ink behind the largest number: figures on it keep a contrast of 4.5 in light and in dark."""
STEPS = 5


def heatmap(grid: Sequence[Sequence[float]], most: float, *, title: str, label: str) -> str:
    """Return an `<svg>` element with one cell per number; numbers below 0 are set like 0, and written as they are.

    Args:
        grid: Rows of numbers from top to bottom, each with at least one.
        most: The number that takes the most ink; two maps are drawn to the same one.
        title: What it shows.
        label: The map in words, for who cannot see it.
    """
    columns = max(map(len, grid))
    side = SIDE / columns
    placed = [(j * side, i * side, number) for i, row in enumerate(grid) for j, number in enumerate(row)]
    squares = [_square(x, y, side, side, _ink(number, most)) for x, y, number in placed]
    numbers = [_text(x + side / 2, y + side / 2, written(number)) for x, y, number in placed]
    drawn = _squares(squares) + _texts(numbers, side * 0.28, "middle")
    return svg(f"0 0 {SIDE:g} {side * len(grid):g}", drawn, title=title, label=label)


def legend(most: float) -> str:
    """Return the scale of a map as an `<svg>` element: 0 or less at the left, `most` at the right."""
    width, height = 24.0, 14.0
    most_told = f"{written(max(most, 0))} bits"
    steps = [_square(52 + i * width, 1, width, height, _ink(i * most / (STEPS - 1), most)) for i in range(STEPS)]
    ends = [_text(0, 8, "0 or less"), _text(58 + STEPS * width, 8, most_told)]
    drawn = _squares(steps) + _texts(ends, 11, "start")
    return svg("0 0 250 16", drawn, title="Scale", label=f"From 0 or less to {most_told}.")


def written(number: float) -> str:
    """Return bits with as many decimals as a cell has room for."""
    text = f"{number:.2f}" if abs(number) < 10 else f"{number:.3g}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def svg(box: str, drawn: str, *, title: str, label: str) -> str:
    """Return an `<svg>` element of what was drawn, with its title and its words."""
    return (
        f'<svg viewBox="{box}" role="img"><title>{html.escape(visible(title))}</title>'
        f"<desc>{html.escape(visible(label))}</desc>{drawn}</svg>"
    )


def _ink(number: float, most: float) -> float:
    return MOST_INK * min(max(number, 0) / most, 1) if most > 0 else 0.0


def _square(x: float, y: float, width: float, height: float, ink: float) -> str:
    return f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" fill-opacity="{ink:.3f}"/>'


def _squares(drawn: Sequence[str]) -> str:
    return f'<g fill="var(--ink, #1a1c1f)" stroke="var(--hairline, #c9ccd1)">{"".join(drawn)}</g>'


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.4g}" y="{y:.4g}">{words}</text>'


def _texts(drawn: Sequence[str], size: float, anchor: str) -> str:
    return (
        f'<g font-size="{size:.3g}" text-anchor="{anchor}" dominant-baseline="central" fill="var(--ink, #1a1c1f)">'
        f"{''.join(drawn)}</g>"
    )
