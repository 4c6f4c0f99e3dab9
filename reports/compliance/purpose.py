"""What the model is for, and what else is to stay readable: what a measure may cost."""

from audit.evidence.headline import Measured, headline, unit, written, written_guess
from audit.evidence.numbers import change, percent, share, shorten
from reports.inputs.comparison import Comparison, Pair
from reports.inputs.paired_difference import Change, accuracy_change
from reports.render.table import Cell, Table, cell, figure_cell


def use_table(comparison: Comparison) -> Table | None:
    """Return the task's accuracy and what can be read of kept attributes, or None where neither was named."""
    rows = (*_task(comparison), *(_kept(pair) for pair in comparison.kept))
    whens = [when for when, _ in comparison.audits]
    changed = ["Change"] if len(whens) == 2 else []
    columns = ("Task or attribute", *whens, *changed, "Knowing nothing")
    return Table("What the model is for, and what should stay readable", columns, rows) if rows else None


def nothing(found: Measured) -> str:
    """Return what who knows nothing does."""
    return "answering the mean" if unit(found) == "R²" else "a guess"


def _task(comparison: Comparison) -> list[tuple[Cell, ...]]:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return []
    changed = [accuracy_change(*tasks)] if len(tasks) == 2 else []
    guess = cell(percent(tasks[-1].chance), "the most frequent class", kind="number")
    read = (figure_cell(share(task.accuracy)) for task in tasks)
    return [(cell(shorten(tasks[-1].name), "accuracy on the task"), *read, *_changes(changed, in_points=True), guess)]


def _kept(pair: Pair[Measured]) -> tuple[Cell, ...]:
    found = pair.last.found
    place = cell(shorten(found.attribute), f"{unit(found)} at {shorten(found.layer)}")
    read = (figure_cell(written(found, headline(one.found))) for one in pair.readings)
    changed = [pair.change] if pair.change else []
    guess = cell(written_guess(found), nothing(found), kind="number")
    return place, *read, *_changes(changed, in_points=unit(found) != "R²"), guess


def _changes(changed: list[Change], *, in_points: bool) -> list[Cell]:
    return [figure_cell(change(one.estimate, in_points=in_points)) for one in changed]
