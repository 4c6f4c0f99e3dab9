"""Every point as it was found and as it was made."""

from dataclasses import dataclass

from audit.evidence.numbers import bits, count, decimal, excess, percent, share, shorten
from audit.evidence.sweep_result import UNTOUCHED, Sweep, SweepFigures, SweepPoint, SweepReading
from reports.inputs.sweep_choice import least_read, level
from reports.render.facts import pairs_text
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, figure_cell, missing
from reports.sweep_page.sections.cells import called, failed_cell, task_cell
from reports.text.bounds import bits_at_most, read_at_most
from reports.text.sentences import described
from reports.text.verdicts import marked

SHORT = 14
"""Characters of a retained attribute's name beside a leakage; it stands in full in a table of its own."""
LONG = 120
"""Seconds from which a duration is written in minutes."""


@dataclass(frozen=True)
class Points:
    """All points."""

    level: str
    """The lowest accuracy at which the task counts as kept."""
    found: tuple[Table, ...]
    """One for each private attribute."""
    made: Table


def view(sweep: Sweep) -> Points:
    """Prepare the tables of all points, in the order they were made."""
    found = tuple(points_table(sweep, name) for name in sweep.setup.private)
    return Points(percent(level(sweep)), found, made_table(sweep))


SECTION = Section("points", "Every point", view)


def points_table(sweep: Sweep, attribute: str) -> Table:
    """Return the leakage of one attribute at every point, beside the task and the retained attributes."""
    kept = ("Kept, AUROC",) if sweep.setup.keep else ()
    columns = (
        "Point", "Accuracy on the task", *kept, "Strongest fresh attacker", "Floor", "Excess", "Verdict",
        "Any attacker, at most", "Information",
    )  # fmt: skip
    found = tuple(_point(point, sweep, attribute, len(columns) - 1) for point in sweep.points)
    return Table(f"Every point: {shorten(attribute)} at {shorten(sweep.setup.layer)}", columns, found)


def made_table(sweep: Sweep) -> Table:
    """Return how each point was made, and how long that took."""
    columns = ("Point", "Settings of the method", "Epochs trained", "Epoch audited", "Training", "Audit", "Call")
    return Table("How each point was made", columns, tuple(map(_made, sweep.points)))


def _point(point: SweepPoint, sweep: Sweep, attribute: str, width: int) -> tuple[Cell, ...]:
    if point.figures is None:
        return cell(called(point)), failed_cell(point, width)
    best, figures = least_read(sweep, attribute), point.figures
    found = next(one for one in figures.read if one.attribute == attribute)
    is_best = best is not None and point is best.point
    return (
        cell(called(point)),
        task_cell(figures, sweep),
        *([_kept_cell(figures)] if figures.kept else []),
        figure_cell(
            share(found.balanced_accuracy), f"by {shorten(found.strongest)}", tag="least read" if is_best else ""
        ),
        figure_cell(share(found.floor)),
        figure_cell(excess(found.excess, sweep.protocol.limit)),
        cell(marked(found.verdict), kind="number"),
        _bound(found),
        figure_cell(bits(found.bits)),
    )


def _kept_cell(figures: SweepFigures) -> Cell:
    first, *others = [f"{shorten(one.attribute, SHORT)} {decimal(one.auroc).value}" for one in figures.kept]
    return cell(first, *others, kind="number")


def _bound(found: SweepReading) -> Cell:
    one = found.certificate
    if one is None:
        return missing()
    return cell(read_at_most(one), bits_at_most(one), f"{count(one.codes)} vectors", kind="number")


def _made(point: SweepPoint) -> tuple[Cell, ...]:
    chosen = "–" if point.chosen is None else count(point.chosen + 1)
    return (
        cell(called(point), "the checkpoint as it is" if point.method == UNTOUCHED else described(point.card)),
        cell(pairs_text(point.settings)),
        cell(count(point.epochs), *(["failed"] if point.failure else []), kind="number"),
        cell(chosen, kind="number"),
        cell(_time(point.train_seconds), kind="number"),
        cell(_time(point.audit_seconds), kind="number"),
        cell(count(point.call + 1), kind="number"),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < LONG else f"{seconds / 60:.1f} min"
