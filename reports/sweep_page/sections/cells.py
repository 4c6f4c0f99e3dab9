"""Cells that several sections share."""

import shlex

from audit.evidence.numbers import share, shorten
from audit.evidence.sweep_result import Sweep, SweepFigures, SweepPoint, title
from reports.inputs.sweep_choice import keeps_the_task
from reports.render.table import Cell, cell, figure_cell

LONGEST_REASON = 300
"""Characters of why a point has no figures."""


def called(point: SweepPoint) -> str:
    """Return what a point is called on a page."""
    return shorten(title(point.method, point.weight))


def options(point: SweepPoint) -> str:
    """Return the options of `irene sanitize` that make a point."""
    weight = "" if point.weight is None else f" --weight {point.weight:g}"
    return f"--method {shlex.quote(shorten(point.method))}{weight}"


def task_cell(figures: SweepFigures, sweep: Sweep) -> Cell:
    """Return how well a point does the task."""
    return figure_cell(share(figures.accuracy), *([] if keeps_the_task(figures, sweep) else ["not kept"]))


def failed_cell(point: SweepPoint, width: int) -> Cell:
    """Return why a point has no figures, over so many columns."""
    return cell("failed", shorten(point.failure or "no reason", LONGEST_REASON), kind="missing", span=width)
