"""The trade-off curve: task accuracy of each point against its leakage."""

from dataclasses import dataclass

from audit.evidence.sweep_result import Sweep
from reports.charts.attribute import Drawing
from reports.charts.tradeoff_curve import curves
from reports.render.section import Section

MOST_DRAWN = 6
"""Curves on one page; further attributes stand in its tables alone."""


@dataclass(frozen=True)
class Curve:
    """A drawing for each of the first private attributes."""

    curves: tuple[Drawing, ...]
    undrawn: int
    """Private attributes without a curve."""


def view(sweep: Sweep) -> Curve:
    """Prepare the curves."""
    private = sweep.setup.private
    return Curve(curves(sweep, private[:MOST_DRAWN]), len(private[MOST_DRAWN:]))


SECTION = Section("curve", "Curve", view, heading="Task against leakage")
