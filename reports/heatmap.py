"""A grid of numbers as an SVG: the more, the more ink; each number stands in its own cell.

One ink over the page's paper, so that light, dark, print and grey all show the same order; never so much ink
that a number on it could not be read.
"""

import html
from collections.abc import Sequence

SIDE = 320.0
"""Width of a map in CSS pixels."""
MOST_INK = 0.38
"""Share of ink behind the largest number: figures on it keep a contrast of 4.5 in light and in dark."""
STEPS = 5


def heatmap(grid: Sequence[Sequence[float]], most: float, *, label: str) -> str:
    """Return an `<svg>` element with one cell per number; numbers below 0 are set like 0, and written as they are.

    Args:
        grid: Rows of numbers from top to bottom, each with at least one.
        most: The number that takes the most ink; two maps are drawn to the same one.
        label: The map in words, for who cannot see it.
    """
    columns = max(map(len, grid))
    side = SIDE / columns
    cells = []
    for i, row in enumerate(grid):
        for j, number in enumerate(row):
            x, y = j * side, i * side
            cells.append(_square(x, y, side, side, _ink(number, most)))
            cells.append(_number(x + side / 2, y + side / 2, number, side * 0.28))
    height = side * len(grid)
    return f'<svg viewBox="0 0 {SIDE:g} {height:g}" role="img" aria-label="{html.escape(label)}">{"".join(cells)}</svg>'


def legend(most: float) -> str:
    """Return the scale of a map as an `<svg>` element: 0 or less at the left, `most` at the right."""
    width, height = 24.0, 14.0
    right = 58 + STEPS * width
    steps = [_square(52 + i * width, 1, width, height, _ink(i * most / (STEPS - 1), most)) for i in range(STEPS)]
    most_told = f"{written(max(most, 0))} bits"
    return (
        f'<svg viewBox="0 0 250 16" role="img" aria-label="Scale: from 0 or less to {most_told}">'
        f"{_text(0, 8, '0 or less', 11, 'start')}{''.join(steps)}{_text(right, 8, most_told, 11, 'start')}</svg>"
    )


def written(number: float) -> str:
    """Return bits with as many decimals as a cell has room for."""
    text = f"{number:.2f}" if abs(number) < 10 else f"{number:.3g}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def _ink(number: float, most: float) -> float:
    return MOST_INK * min(max(number, 0) / most, 1) if most > 0 else 0.0


def _square(x: float, y: float, width: float, height: float, ink: float) -> str:
    return (
        f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" fill="var(--ink, #1a1c1f)" '
        f'fill-opacity="{ink:.3f}" stroke="var(--hairline, #c9ccd1)" stroke-width="1"/>'
    )


def _number(x: float, y: float, number: float, size: float) -> str:
    return _text(x, y, written(number), size, "middle")


def _text(x: float, y: float, words: str, size: float, anchor: str) -> str:
    return (
        f'<text x="{x:.4g}" y="{y:.4g}" font-size="{size:.3g}" text-anchor="{anchor}" '
        f'dominant-baseline="central" fill="var(--ink, #1a1c1f)">{words}</text>'
    )
