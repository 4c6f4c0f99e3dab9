"""What should stay readable: how much of it does, and what changed.

The interval of a change joins the intervals of its two ends as if they were independent (the square-and-add
rule of Zou & Donner 2008). Both are taken on the same rows, so it is rather too wide than too narrow.
"""

import math
from collections.abc import Callable
from functools import partial

from audit.evidence import Estimate, Readability, Regression
from reports.comparison import Comparison, Pair
from reports.figures import Figure, bits, change, decimal, quantity, share, shorten
from reports.headline import Measured, written
from reports.tables import Cell, Table, cell, figure_cell


def kept_table(comparison: Comparison) -> Table | None:
    """Return the figures of the attributes that should stay readable, or None where none was named."""
    if not comparison.kept:
        return None
    columns = ("Attribute and layer", "Balanced accuracy or R²", "AUROC", "Information or mean error")
    rows = tuple(_row(pair) for pair in comparison.kept)
    return Table("What can be read of attributes that should stay readable", columns, rows)


def difference(before: Estimate, after: Estimate) -> Estimate:
    """Return `after` − `before` with its 95 % interval."""
    value = after.value - before.value
    low = math.hypot(after.value - after.low, before.high - before.value)
    high = math.hypot(after.high - after.value, before.value - before.low)
    return Estimate(value=value, low=value - low, high=value + high)


def _row(pair: Pair[Measured]) -> tuple[Cell, ...]:
    found = pair.last.found
    earlier = pair.first.found if pair.first else None
    kind = "a number" if isinstance(found, Regression) else f"{len(found.classes)} classes"
    place = cell(shorten(found.attribute), f"{kind}, at {shorten(found.layer)}", f"floor {written(found, found.floor)}")
    in_points, in_decimals = partial(change, in_points=True), partial(change, in_points=False)
    if isinstance(found, Regression):
        before = earlier if isinstance(earlier, Regression) else None
        return (
            place,
            _changed(found.r2, before.r2 if before else None, decimal, in_decimals),
            cell("–", kind="number"),
            _changed(found.mae, before.mae if before else None, quantity, None),
        )
    other = earlier if isinstance(earlier, Readability) else None
    return (
        place,
        _changed(found.balanced_accuracy, other.balanced_accuracy if other else None, share, in_points),
        _changed(found.auroc, other.auroc if other else None, decimal, in_decimals),
        _changed(found.bits, other.bits if other else None, bits, None),
    )


def _changed(
    now: Estimate,
    before: Estimate | None,
    told: Callable[[Estimate], Figure],
    signed: Callable[[Estimate], Figure] | None,
) -> Cell:
    if before is None:
        return figure_cell(told(now))
    changed = (f"change {signed(difference(before, now))}",) if signed else ()
    return figure_cell(told(now), f"before {told(before)}", *changed)
