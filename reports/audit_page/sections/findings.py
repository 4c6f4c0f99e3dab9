"""The tables of what was found: how well the task is done, and every attacker."""

from collections.abc import Sequence

from audit.evidence.findings import AttackerResult, Regression, RegressorResult
from audit.evidence.headline import Measured
from audit.evidence.numbers import (
    bare,
    bits,
    change,
    count,
    decimal,
    measured,
    named,
    percent,
    quantity,
    share,
    shorten,
    trimmed,
)
from reports.inputs.comparison import Comparison, Pair
from reports.inputs.paired_difference import accuracy_change
from reports.render.dense import NOTHING, Body, Dense, DenseRow, over
from reports.render.table import Cell, Table, cell, figure_cell

CLASSES = ("Selection", "Balanced accuracy, %", "AUROC", "Information, bits")
NUMBERS = ("Selection", "R²", "Mean error")


def task_table(comparison: Comparison) -> Table | None:
    """Return how well each checkpoint does its task, or None where no task was named."""
    tasks = [(when, audit.data.test.rows, audit.task) for when, audit in comparison.audits if audit.task]
    if not tasks:
        return None
    rows: list[tuple[Cell, ...]] = [
        (
            cell(when),
            figure_cell(share(task.accuracy)),
            figure_cell(share(task.balanced_accuracy)),
            cell(percent(task.chance), kind="number"),
            cell(count(rows), kind="number"),
        )
        for when, rows, task in tasks
    ]
    if len(tasks) == 2:
        one = accuracy_change(tasks[0][2], tasks[1][2])
        paired = "paired on the same rows" if one.paired else "not paired"
        told = figure_cell(change(one.estimate, in_points=True), paired)
        rows.append((cell("Change"), told, *(cell("–", kind="missing") for _ in range(3))))
    columns = ("Checkpoint", "Accuracy", "Balanced accuracy", "Most frequent class", "Test rows")
    return Table(f"Task “{named(tasks[-1][2].name)}” on the same test rows", columns, tuple(rows))


def attackers(pairs: Sequence[Pair[Measured]]) -> Dense:
    """Return every attacker's figures on one attribute, the strongest marked and a failure with its reason."""
    found, whens = pairs[0].last.found, [one.when for one in pairs[0].readings]
    is_number = isinstance(found, Regression)
    parts = NUMBERS if is_number else CLASSES
    return Dense(
        kind=f"{'regressors' if is_number else 'attackers'}-{len(whens)}",
        caption=f"Every attacker on {named(found.attribute)}",
        columns=("Attacker", "Features", *(parts * len(whens))),
        bodies=tuple(Body(shorten(pair.last.found.layer), _attackers(pair)) for pair in pairs),
        lead=1,
        groups=tuple((when, len(parts)) for when in whens) if len(whens) > 1 else (),
    )


def _attackers(pair: Pair[Measured]) -> tuple[DenseRow, ...]:
    """Return a row for each attacker, and one more for each that did not run."""
    tried = [{(one.name, one.view): one for one in reading.found.attackers} for reading in pair.readings]
    rows = []
    for name, view in dict.fromkeys(key for each in tried for key in each):
        ran = [each.get((name, view)) for each in tried]
        failures = [_not_run(one) for one in ran]
        if not all(failures):
            cells = [told for one, each in zip(ran, pair.readings, strict=True) for told in _figures(one, each.found)]
            rows.append(DenseRow(shorten(name), (shorten(view), *cells), tag=_strongest(pair, name, view)))
        for failure in dict.fromkeys(filter(None, failures)):
            whens = [one.when.lower() for one, each in zip(pair.readings, failures, strict=True) if each == failure]
            when = f"{whens[0]}: " if len(whens) < len(failures) else ""
            rows.append(DenseRow(shorten(name), (shorten(view),), note=f"{when}{failure}"))
    return tuple(rows)


def _strongest(pair: Pair[Measured], name: str, view: str) -> str:
    """Return in which audits this attacker was the strongest, or nothing."""
    whens = [one.when for one in pair.readings if one.found.strongest == f"{name} on {view}"]
    if not whens:
        return ""
    return "strongest" if len(whens) == len(pair.readings) else f"strongest {whens[0].lower()}"


def _figures(one: AttackerResult | RegressorResult | None, found: Measured) -> tuple[str, ...]:
    """Return an attacker's figures, in as many cells as its group has."""
    if isinstance(one, RegressorResult):
        if one.r2 is None or one.mae is None:
            return (NOTHING,) * len(NUMBERS)
        chosen = NOTHING if one.select is None else trimmed(one.select, 3)
        return chosen, over(decimal(one.r2)), over(quantity(one.mae))
    if one is None or one.balanced_accuracy is None or one.bits is None:
        return (NOTHING,) * len(NUMBERS if isinstance(found, Regression) else CLASSES)
    return (
        NOTHING if one.select is None else measured(one.select).partition(" ")[0],
        over(bare(share(one.balanced_accuracy))),
        NOTHING if one.auroc is None else over(decimal(one.auroc)),
        over(bare(bits(one.bits))),
    )


def _not_run(one: AttackerResult | RegressorResult | None) -> str:
    """Return why an attacker has no figures, or nothing."""
    if one is None:
        return "not tried"
    figure = one.r2 if isinstance(one, RegressorResult) else one.balanced_accuracy
    return "" if figure is not None else f"did not run: {shorten(one.failure or 'it gave no reason', 300)}"
