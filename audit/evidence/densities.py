"""Where the test rows of each class lie: by the strongest attacker's score, and in two directions of the features.

Nothing here is of one person: a bin or a cell holds FEWEST people of the class at least, or it is withheld.
"""

from typing import Final

from pydantic import Field

from audit.evidence.json_file import Frozen, Number, Share

FEWEST: Final = 20
"""People, the groups of test rows, below which no figure is told of them."""
MOST_BINS: Final = 10
STEP: Final = 0.1
"""Bits: an edge of a bin lies in the middle between two multiples of it, wherever rows lie."""
FURTHEST: Final = 10.0
"""Bits of the log-odds beyond which a score counts as so many: .1 % and 99.9 %."""
SIDES: Final = (12, 6, 3)
"""Cells along each direction of a map, in the grids that it is told in, the finest first."""
GRIDS: Final = {side: sum(one**2 for one in SIDES if one > side) for side in SIDES}
"""By the side of a grid, the number of its first cell."""


class ScoreDensity(Frozen):
    """How sure the strongest attacker is of the rows of one class, in bins that hold about as many of them each.

    A score is the log-odds, in bits, that the attacker gives the second of two classes, or of more classes the row's
    own, if all are as frequent: a guess is 0 of two, and −log2(k − 1) of k.
    """

    name: str
    edges: list[Number] = Field(min_length=2, max_length=MOST_BINS + 1)
    """Of the bins, ascending. FEWEST people of the class, or more, lie beyond each of the outer two and are counted in
    the bin beside it."""
    shares: list[Share]
    """Of the class's test rows, by bin, rounded to percents."""


class MapDensity(Frozen):
    """Where the rows of one class lie on a map: in cells of a fine grid, and where few lie, of coarser ones.

    Along the columns the map goes as a linear reading of the attribute does; along the rows, from the top to the
    bottom, down the direction that varies most of all that know nothing of that reading. Both come from rows that fit,
    and so does the range; rows beyond it are counted in the cells at the border.
    """

    name: str
    cells: list[int]
    """Those that hold FEWEST people of the class or more, ascending; any other is withheld, or holds nobody. A cell of
    the finest grid is row · SIDES[0] + column; those of the next are numbered on, and hold the rows of no finer one."""
    shares: list[Share]
    """Of the rows in these cells, by cell, rounded to percents."""
    withheld: Share
    """The share of the class's test rows that is in no cell, rounded to percents: of FEWEST people, or none."""


def grid_of(number: int) -> int:
    """Return the side of the grid that a cell is of."""
    return max((side for side, first in GRIDS.items() if number >= first), key=GRIDS.__getitem__)


def within(number: int) -> set[tuple[int, int]]:
    """Return row and column of each cell of the finest grid that lies in one of any grid."""
    side = grid_of(number)
    row, column = divmod(number - GRIDS[side], side)
    wide = SIDES[0] // side
    return {(row * wide + i, column * wide + j) for i in range(wide) for j in range(wide)}


class Densities(Frozen):
    """Where the test rows of a private attribute's classes lie; classes of too few people are left out."""

    scores: list[ScoreDensity]
    map: list[MapDensity]
    """Empty where the features hold one vector alone, or no class fills a cell."""
