"""Numbers that often say that there is none, such as -999 among ages: found by where they stand, never left out."""

import re
from collections.abc import Callable

import numpy as np

from audit.data.cells import Floats, Ints, spelling

MOST_CODES = 5
"""Different codes that are looked for at either end."""
FEWEST_ROWS, SMALLEST_SHARE = 3, 0.001
"""Rows, and share of the rows, from which on a number at the end is repeated and no stray one."""
FEWEST_OTHERS = 10
"""Different numbers that have to stand elsewhere before any repeated one can be far from them."""
FIVE_FOLD = 5
"""-1 is a code among ages of up to 90, and a step among scores of -1 to 4."""
_CODE = re.compile(r"-[1-9]|-?(7+|8+|9|9+[6-9])")
"""-1 to -9, and sevens, eights and nines: refused, not known, not asked."""


def codes_of_quantity(values: Floats, rows: Ints) -> list[float]:
    """Return the numbers at the ends of a quantity that may be codes.

    They are farther from all others than the whole range of these; repeated ones that look like a code, a quarter of
    the range and any step in it; or they alone are below zero.

    Args:
        values: Different numbers in ascending order, (m,).
        rows: Rows of each, (m,).
    """
    often = rows >= max(FEWEST_ROWS, SMALLEST_SHARE * rows.sum())

    def is_far(outer: slice, gap: float, rest: Floats) -> bool:
        width, look_so = rest[-1] - rest[0], all(map(_looks_so, values[outer]))
        if gap > width and len(rest) >= FEWEST_OTHERS and (look_so or often[outer].all()):
            return True
        is_apart = gap > max(width / 4, np.diff(rest).max())
        return look_so and bool(often[outer].all()) and (is_apart or _alone_below(values[outer], gap, rest))

    return _outermost(values, is_far)


def codes_of_classes(values: Floats, *, beside_words: bool) -> list[float]:
    """Return the numbers among the classes that may be codes for none: -1 beside 0 and 1, 99 beside 1 to 5.

    Args:
        values: The different classes that are numbers, in ascending order, (m,).
        beside_words: Whether other classes are words, beside which every number that looks like a code may be one.
    """
    if beside_words:
        return [float(one) for one in values] if len(values) <= MOST_CODES and all(map(_looks_so, values)) else []

    def is_far(outer: slice, gap: float, rest: Floats) -> bool:
        if not all(map(_looks_so, values[outer])):
            return False
        below = values[outer][-1] < 0 <= rest[0] and (gap > 1 or len(values[outer]) == 1)
        return below or gap > max(1, (rest[-1] - rest[0]) / 2)

    return _outermost(values, is_far)


def _outermost(values: Floats, is_far: Callable[[slice, float, Floats], bool]) -> list[float]:
    """Return the most numbers at both ends that are far from the rest, which are two at least."""
    best: list[float] = []
    m = len(values)
    for low in range(min(MOST_CODES, m) + 1):
        for high in range(min(MOST_CODES, m) + 1):
            rest = values[low : m - high]
            if len(rest) < 2 or low + high <= len(best):
                continue
            below = low == 0 or is_far(slice(0, low), float(rest[0] - values[low - 1]), rest)
            if below and (high == 0 or is_far(slice(m - high, m), float(values[m - high] - rest[-1]), rest)):
                best = [float(one) for one in (*values[:low], *values[m - high :])]
    return best


def _alone_below(outer: Floats, gap: float, rest: Floats) -> bool:
    """Whether these alone are below zero, and no scale that begins there."""
    return bool(outer[-1] < 0 <= rest[0] and rest[-1] >= -FIVE_FOLD * outer[0] and (len(outer) == 1 or gap > 1))


def _looks_so(value: float) -> bool:
    return _CODE.fullmatch(spelling(float(value))) is not None
