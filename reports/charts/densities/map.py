"""A map of the rows of one class: cells, the denser the more ink, on the page's paper."""

from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence.densities import SIDES, MapDensity, within
from audit.evidence.numbers import percent, shorten
from reports.charts.heatmap import svg

UNIT = 12.0
"""CSS pixels of a cell's side."""
STEPS = 8
"""Strengths of ink, so that cells of one strength are one shape."""
MOST_INK, LEAST_INK = 0.85, 0.08
"""Shares of ink of the densest cell and of the palest."""


@dataclass(frozen=True)
class Panel:
    """One class on its map."""

    name: str
    svg: Markup
    withheld: str
    """What share of its rows is in no cell; empty where none is."""


def densities_of(one: MapDensity) -> dict[tuple[int, int], float]:
    """Return the share of the rows that are told, by cell of the finest grid: a coarse cell's spread evenly in it."""
    found: dict[tuple[int, int], float] = {}
    for number, share in zip(one.cells, one.shares, strict=True):
        own = within(number) - found.keys()  # what finer cells hold is told in them
        found |= dict.fromkeys(own, share / len(own))
    return found


def panel(one: MapDensity, most: float, when: str) -> Panel:
    """Draw one class.

    Args:
        one: Where its rows lie.
        most: The share of rows in a cell that takes the most ink; several maps are drawn to the same one.
        when: Of which audit it is; empty for one alone.
    """
    found, name = densities_of(one), shorten(one.name)
    by_ink: dict[int, list[tuple[int, int]]] = {}
    for place, share in sorted(found.items()):
        by_ink.setdefault(round(share / most * (STEPS - 1)) if most > 0 else 0, []).append(place)
    shapes = "".join(_shape(strength, places) for strength, places in sorted(by_ink.items()))
    side = UNIT * SIDES[0]
    frame = f'<path d="M0 0H{side:g}V{side:g}H0z" fill="none" stroke="var(--hairline, #c9ccd1)"/>'
    title = f"{when}: where the rows of {name} lie" if when else f"Where the rows of {name} lie"
    withheld = f"{percent(one.withheld, 0)} withheld" if one.withheld else ""
    drawn = f'<g fill="var(--ink, #1a1c1f)">{shapes}</g>{frame}'
    return Panel(
        name, Markup(svg(f"0 0 {side:g} {side:g}", drawn, title=title, label=_in_words(found, withheld))), withheld
    )


def _shape(strength: int, places: list[tuple[int, int]]) -> str:
    """Return all cells of one strength of ink as one shape, those side by side as one piece of it."""
    ink = LEAST_INK + (MOST_INK - LEAST_INK) * strength / (STEPS - 1)
    runs: list[tuple[int, int, int]] = []
    for row, column in places:
        if runs and runs[-1][0] == row and runs[-1][1] + runs[-1][2] == column:
            runs[-1] = row, runs[-1][1], runs[-1][2] + 1
        else:
            runs.append((row, column, 1))
    pieces = "".join(
        f"M{column * UNIT:g} {row * UNIT:g}h{n * UNIT:g}v{UNIT:g}h-{n * UNIT:g}z" for row, column, n in runs
    )
    return f'<path d="{pieces}" fill-opacity="{ink:.2f}"/>'


def _in_words(found: dict[tuple[int, int], float], withheld: str) -> str:
    """Say where the densest cell is, and where rows lie in the mean."""
    total = sum(found.values()) or 1
    across, down = (sum(place[i] * share for place, share in found.items()) / total + 1 for i in (1, 0))
    (row, column), share = max(found.items(), key=lambda item: item[1])
    hidden = f"; {withheld}" if withheld else ""
    return (
        f"Densest in column {column + 1}, row {row + 1} of {SIDES[0]}, with {percent(share, 0)} of what is drawn; in "
        f"the mean in column {across:.1f}, row {down:.1f}{hidden}."
    )
