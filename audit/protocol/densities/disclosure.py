"""What may be told of where people lie: bins and cells that hold FEWEST people each, and none that could be told so.

A row is of one person, by its group; a person of several rows counts once in each bin and cell. Statistical offices
call the rule for cells primary and complementary suppression (Hundepool et al., Statistical Disclosure Control, 2012).
"""

from dataclasses import dataclass

import numpy as np

from audit.data.columns import Ints
from audit.evidence.densities import FEWEST, GRIDS, MOST_BINS, SIDES, grid_of


@dataclass(frozen=True)
class Bins:
    """Neighbouring places put together."""

    ends: list[int]
    """The first place of each bin, and the place behind the last."""
    rows: list[int]
    """Rows in each."""


@dataclass(frozen=True)
class Cells:
    """Cells that may be told."""

    numbers: list[int]
    """Ascending, as `audit.evidence.densities.cell` knows them."""
    rows: list[int]
    """Rows in each."""
    withheld: int
    """Rows in none of them: of FEWEST people or more, or none."""


def bins(places: Ints, people: Ints) -> Bins | None:
    """Cut the line into bins of about as many rows, each of FEWEST people or more; None for less than twice as many.

    So many people lie at the outer ends or beyond them as well: neither tells where the outermost person is.

    Args:
        places: Where each row lies on the line, (n,), whole numbers.
        people: Whose each row is, (n,).
    """
    count = len(np.unique(people))
    if count < 2 * FEWEST:
        return None
    low, high = _reached(places, people), -_reached(-places, people)
    places = np.clip(places, low, high)
    ends, most = [low], min(MOST_BINS, count // (2 * FEWEST))
    rows: list[int] = []
    for place in np.unique(places).tolist():
        inside, after = (places >= ends[-1]) & (places <= place), places > place
        is_full = sum(rows) + inside.sum() >= (len(rows) + 1) / most * len(places)
        if place == high or (is_full and min(_count(people[inside]), _count(people[after])) >= FEWEST):
            ends.append(place + 1)
            rows.append(int(inside.sum()))
    return Bins(ends, rows)


def cells(places: Ints, people: Ints) -> Cells | None:
    """Return cells of FEWEST people or more, the rows of smaller ones in cells of coarser grids; None without any.

    If the rows in no cell are of fewer people, the smallest of the coarsest cells is withheld with them: what is
    withheld in all tells of none of them.

    Args:
        places: Row and column of each row in the finest grid, (n, 2).
        people: Whose each row is, (n,).
    """
    number = np.full(len(places), -1)  # of the cell that each row is told in
    for side, first in GRIDS.items():
        row, column = (places * side // SIDES[0]).T
        here, rest = first + row * side + column, number < 0
        pairs = np.unique(np.stack([here[rest], people[rest]], axis=1), axis=0)
        found, counts = np.unique(pairs[:, 0], return_counts=True)
        number = np.where(rest & np.isin(here, found[counts >= FEWEST]), here, number)
    told = np.unique(number[number >= 0]).tolist()
    if told and 0 < _count(people[number < 0]) < FEWEST:
        coarsest = [one for one in told if grid_of(one) == grid_of(told[-1])]
        told.remove(min(coarsest, key=lambda one: _count(people[number == one])))
    rows = [int((number == one).sum()) for one in told]
    return Cells(told, rows, len(places) - sum(rows)) if told else None


def _reached(places: Ints, people: Ints) -> int:
    """Return the first place at which, or below which, FEWEST people lie."""
    member = np.unique(people, return_inverse=True)[1]
    first = np.full(member.max() + 1, places.max())
    np.minimum.at(first, member, places)
    return int(np.sort(first)[FEWEST - 1])


def _count(people: Ints) -> int:
    return len(np.unique(people))
