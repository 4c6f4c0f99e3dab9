"""The task and the retained attributes: what a measure may cost."""

from audit.evidence.headline import written_guess
from audit.evidence.numbers import change, percent, share, shorten
from reports.inputs.comparison import Comparison, Pair
from reports.inputs.paired_difference import accuracy_change
from reports.render.table import Cell, Table, cell, figure_cell
from reports.text.figures import pair_change, score


def use_table(comparison: Comparison) -> Table | None:
    """Return the task's accuracy and what can be read of kept attributes, or None where neither was named."""
    rows = (*_task(comparison), *(_kept(pair) for pair in comparison.retained))
    whens = [when for when, _ in comparison.audits]
    changed = ["Change"] if len(whens) == 2 else []
    columns = ("Task or attribute", *whens, *changed, "Knowing nothing")
    return Table("What the model is for, and what should stay readable", columns, rows) if rows else None


def _task(comparison: Comparison) -> list[tuple[Cell, ...]]:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return []
    changed = [figure_cell(change(accuracy_change(*tasks).estimate, in_points=True))] if len(tasks) == 2 else []
    guess = cell(percent(tasks[-1].chance), "the most frequent class", kind="number")
    read = (figure_cell(share(task.accuracy)) for task in tasks)
    return [(cell(shorten(tasks[-1].name), "accuracy on the task"), *read, *changed, guess)]


def _kept(pair: Pair) -> tuple[Cell, ...]:
    found, measurement = pair.last.found, pair.last.measurement
    place = cell(shorten(found.attribute), f"{measurement.kind.title} at {shorten(found.layer)}")
    read = (figure_cell(score(one.measurement)) for one in pair.readings)
    changed = [figure_cell(pair_change(pair, measurement.metric))] if pair.first else []
    return place, *read, *changed, cell(written_guess(measurement), measurement.kind.guess, kind="number")
