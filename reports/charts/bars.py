"""Numbers as bars, each with its name and its figure, as an SVG element of a page."""

from collections.abc import Sequence

from reports.charts.heatmap import SIDE, svg, written

ROW, NAMES, FIGURES = 22.0, 72.0, 52.0
"""Pixels of a line, and of the room for names and for figures."""
INK = 0.55
"""Share of ink of a bar."""


def bars(numbers: Sequence[tuple[str, float]], most: float, *, title: str, label: str) -> str:
    """Return an `<svg>` element with one bar per number from an upright line; numbers below 0 have none.

    Args:
        numbers: From top to bottom, each with a short name of ours.
        most: The number whose bar fills the room; two drawings are set to the same one.
        title: What it shows.
        label: The drawing in words, for who cannot see it.
    """
    room, height = SIDE - NAMES - FIGURES, ROW * len(numbers)
    drawn = []
    for place, (name, number) in enumerate(numbers):
        width = room * min(max(number, 0) / most, 1) if most > 0 else 0.0
        y = place * ROW
        drawn += [
            f'<rect x="{NAMES:g}" y="{y + 4:g}" width="{width:.4g}" height="{ROW - 8:g}" fill-opacity="{INK}"/>',
            f'<text x="0" y="{y + ROW / 2:g}">{name}</text>',
            f'<text x="{SIDE:g}" y="{y + ROW / 2:g}" text-anchor="end">{written(number)}</text>',
        ]
    line = f'<path d="M {NAMES:g} 0 V {height:g}" stroke="var(--muted, #565b63)" fill="none"/>'
    group = f'<g font-size="13" dominant-baseline="central" fill="var(--ink, #1a1c1f)">{"".join(drawn)}{line}</g>'
    return svg(f"0 0 {SIDE:g} {height:g}", group, title=title, label=label)
