"""The figures of the retained attributes at every point."""

from dataclasses import dataclass

from audit.evidence.numbers import decimal, percent, share, shorten
from audit.evidence.sweep_result import Sweep, SweepKept
from reports.charts.attribute import Drawing
from reports.charts.tradeoff_curve import kept_curves
from reports.inputs.sweep_choice import untouched
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, figure_cell, missing
from reports.sweep_page.sections.cells import called, failed_cell

MOST_DRAWN = 6
"""Drawings on one page."""


@dataclass(frozen=True)
class Retained:
    """Attributes that should stay."""

    curves: tuple[Drawing, ...]
    """What is kept against what is read, one for each of the first private attributes; none in evidence of before."""
    tables: tuple[Table, ...]
    """One for each attribute."""


def view(sweep: Sweep) -> Retained | None:
    """Prepare drawings and tables of the retained attributes; None where there is none."""
    tables = tuple(_kept(sweep, place, name) for place, name in enumerate(sweep.setup.keep))
    return Retained(kept_curves(sweep, sweep.setup.private[:MOST_DRAWN]), tables) if tables else None


SECTION = Section("retained", "What should stay", view, heading="What should stay readable", anchor="kept")


def _kept(sweep: Sweep, place: int, name: str) -> Table:
    columns = ("Point", "AUROC", "At best", "Balanced accuracy")
    chance = untouched(sweep, sweep.setup.private[0]).figures.kept[place].chance
    found = tuple(
        (cell(called(point)), *_kept_row(point.figures.kept[place]))
        if point.figures
        else (cell(called(point)), failed_cell(point, len(columns) - 1))
        for point in sweep.points
    )
    return Table(f"{shorten(name)}, which should stay readable; a guess: {percent(chance)}", columns, found)


def _kept_row(one: SweepKept) -> tuple[Cell, ...]:
    return (
        figure_cell(decimal(one.auroc), f"by {shorten(one.strongest)}"),
        figure_cell(decimal(one.at_best)) if one.at_best else missing(),
        figure_cell(share(one.balanced_accuracy)),
    )
