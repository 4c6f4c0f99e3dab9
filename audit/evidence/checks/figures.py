"""What several checks ask of a figure: that it lies within its interval, and its interval around its draws."""

import math
from collections.abc import Iterator

import numpy as np

from audit.evidence.findings import Draws, Estimate
from audit.evidence.verdict import CONFIDENCE

ROUNDING = 1e-6
"""How far two figures may be apart that are equal but for rounding."""
DRAWN = 2e-4
"""How far the ends of an interval may be from those of its draws, which are kept to four digits."""


def of_interval(estimate: Estimate) -> Iterator[str]:
    """Say that an interval ends before it begins, or that its figure lies outside of it."""
    room = (estimate.high - estimate.low) / 2 + ROUNDING
    if estimate.low > estimate.high:
        yield "an interval ends before it begins"
    elif not estimate.low - room <= estimate.value <= estimate.high + room:
        yield "a figure lies outside its own interval"


def ends(values: Draws) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval; NaN where nothing was drawn."""
    known = [one for one in values if one is not None]
    if not known:
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def is_narrower(figure: Estimate, low: float, high: float) -> bool:
    """Return whether the interval of a figure ends before either of these ends, beyond rounding."""
    return figure.low > low + DRAWN or figure.high < high - DRAWN


def level(figure: Estimate) -> str:
    """Return a figure with its interval: `0.612 [0.590, 0.634]`."""
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
