"""The figures of the retained attributes at every point."""

from audit.evidence.numbers import decimal, percent, share, shorten
from audit.evidence.sweep_result import Sweep, SweepFigures, SweepKept
from reports.inputs.sweep_choice import untouched
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, figure_cell
from reports.sweep_page.sections.cells import called, failed_cell, task_cell


def view(sweep: Sweep) -> tuple[Table, ...] | None:
    """Return a table for each retained attribute; None where there is none."""
    return tuple(_kept(sweep, place, name) for place, name in enumerate(sweep.setup.keep)) or None


SECTION = Section("retained", "What should stay", view, heading="What should stay readable", anchor="kept")


def _kept(sweep: Sweep, place: int, name: str) -> Table:
    columns = ("Point", "AUROC", "Balanced accuracy", "Accuracy on the task")
    chance = untouched(sweep, sweep.setup.private[0]).figures.kept[place].chance
    found = tuple(
        (cell(called(point)), *_kept_row(point.figures.kept[place], point.figures, sweep))
        if point.figures
        else (cell(called(point)), failed_cell(point, len(columns) - 1))
        for point in sweep.points
    )
    return Table(f"{shorten(name)}, which should stay readable; a guess: {percent(chance)}", columns, found)


def _kept_row(one: SweepKept, figures: SweepFigures, sweep: Sweep) -> tuple[Cell, ...]:
    return (
        figure_cell(decimal(one.auroc), f"by {shorten(one.strongest)}"),
        figure_cell(share(one.balanced_accuracy)),
        task_cell(figures, sweep),
    )
