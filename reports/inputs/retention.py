"""What a release cost: whether what should stay was retained or lost, by the paired change and never by its middle."""

from typing import Final, Literal

from audit.evidence.findings import Estimate, Measurement
from reports.inputs.comparison import Pair
from reports.inputs.paired_difference import Change

TOLERANCE: Final = 0.05
"""Largest loss of balanced accuracy, or of R², at which an attribute counts as retained, if nobody sets another."""

Retention = Literal["retained", "lost", "open"]


def loss(change: Change) -> Estimate:
    """Return by how much a figure is lower after than before, with its interval; a gain is negative."""
    one = change.estimate
    return Estimate(value=-one.value, low=-one.high, high=-one.low)


def within(lost: Estimate, tolerance: float) -> Retention:
    """Decide on a loss by its interval."""
    return "lost" if lost.low > tolerance else "retained" if lost.high <= tolerance else "open"


def is_readable(measurement: Measurement) -> bool:
    """Whether more is read of an attribute than its floor, by the interval of the excess."""
    return measurement.excess.low > 0


def retention(pair: Pair, tolerance: float = TOLERANCE) -> Retention | None:
    """Return whether an attribute was retained from the first audit to the last; None for one audit alone.

    It is lost, too, if it was read above its floor before, is not any more, and has clearly fallen; and it is not
    retained while it cannot be told from its floor.
    """
    if pair.first is None or pair.change is None:
        return None
    lost = loss(pair.change)
    found = within(lost, tolerance)
    if is_readable(pair.last.measurement):
        return found
    has_fallen = is_readable(pair.first.measurement) and lost.low > 0
    return "lost" if found == "lost" or has_fallen else "open"


def kept_state(pair: Pair, tolerance: float | None = None) -> str:
    """Return what became of an attribute to keep: `retained`, `lost`, `open`; of one audit, if it is readable."""
    found = retention(pair, TOLERANCE if tolerance is None else tolerance)
    return found or ("readable" if is_readable(pair.last.measurement) else "not readable")
