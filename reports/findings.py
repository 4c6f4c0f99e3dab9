"""The tables of what was found: every attacker, the task, and the sanitizer's own head beside them."""

from collections.abc import Callable

from audit.evidence import AuditResult, Leakage, Readability, Regression
from reports.comparison import Comparison, Pair, Reading
from reports.figures import bits, bits_share, count, decimal, measured, percent, quantity, share, shorten, trimmed
from reports.headline import Judged, Measured
from reports.tables import Cell, Table, cell, figure_cell
from reports.wording import attribute_at


def task_table(comparison: Comparison) -> Table | None:
    """Return how well each checkpoint does its task, or None where no task was named."""
    tasks = [(when, audit.data.test.rows, audit.task) for when, audit in comparison.audits if audit.task]
    if not tasks:
        return None
    rows = tuple(
        (
            cell(when),
            figure_cell(share(task.accuracy)),
            figure_cell(share(task.balanced_accuracy)),
            cell(percent(task.chance), kind="number"),
            cell(count(rows), kind="number"),
        )
        for when, rows, task in tasks
    )
    columns = ("Checkpoint", "Accuracy", "Balanced accuracy", "Most frequent class", "Test rows")
    return Table(f"Task “{shorten(tasks[-1][2].name)}” on the same test rows", columns, rows)


def attackers(pair: Pair[Measured]) -> Table:
    """Return every attacker's figures, the strongest marked and a failure with its reason."""
    found = pair.last.found
    names = dict.fromkeys((one.name, one.view) for reading in pair.readings for one in reading.found.attackers)
    rows = tuple(
        (
            cell(shorten(name), shorten(view)),
            *(part for reading in pair.readings for part in _attacker_cells(reading.found, name, view)),
        )
        for name, view in names
    )
    parts = _NUMBER_PARTS if isinstance(found, Regression) else _CLASS_PARTS
    columns = ("Attacker", *(parts * len(pair.readings)))
    caption = f"Every attacker on {attribute_at(found)}"
    return Table(caption, columns, rows, groups=tuple((one.when, len(parts)) for one in pair.readings))


_CLASS_PARTS = ("Test rows", "AUROC", "Usable information, share of H(v)")
_NUMBER_PARTS = ("Test rows, R²", "Mean error")


def _attacker_cells(found: Measured, name: str, view: str) -> tuple[Cell, ...]:
    tag = "strongest" if found.strongest == f"{name} on {view}" else ""
    if isinstance(found, Regression):
        return _regressor_cells(found, name, view, tag)
    return _classifier_cells(found, name, view, tag)


def _classifier_cells(found: Readability, name: str, view: str, tag: str) -> tuple[Cell, ...]:
    one = next((one for one in found.attackers if (one.name, one.view) == (name, view)), None)
    if one is None:
        return (cell("not tried", kind="missing", span=len(_CLASS_PARTS)),)
    if one.balanced_accuracy is None or one.bits is None:
        return (_not_run(one.failure, len(_CLASS_PARTS)),)
    return (
        figure_cell(share(one.balanced_accuracy), *_select(one.select, measured), tag=tag),
        cell("–", kind="number") if one.auroc is None else figure_cell(decimal(one.auroc)),
        figure_cell(bits(one.bits), str(bits_share(one.bits, found.entropy))),
    )


def _regressor_cells(found: Regression, name: str, view: str, tag: str) -> tuple[Cell, ...]:
    one = next((one for one in found.attackers if (one.name, one.view) == (name, view)), None)
    if one is None:
        return (cell("not tried", kind="missing", span=len(_NUMBER_PARTS)),)
    if one.r2 is None or one.mae is None:
        return (_not_run(one.failure, len(_NUMBER_PARTS)),)
    return (
        figure_cell(decimal(one.r2), *_select(one.select, lambda figure: trimmed(figure, 3)), tag=tag),
        figure_cell(quantity(one.mae)),
    )


def _select(figure: float | None, told: Callable[[float], str]) -> list[str]:
    return [] if figure is None else [f"selection: {told(figure)}"]


def _not_run(failure: str | None, span: int) -> Cell:
    return cell("did not run", shorten(failure or "it gave no reason", 300), kind="missing", span=span)


def heads(comparison: Comparison) -> Table | None:
    """Return the sanitizer's own head beside fresh attackers, or None where nothing was sanitized."""
    rows = [row for pair in comparison.pairs for reading in pair.readings if (row := _head_row(reading))]
    columns = ("Attribute and layer", "Its own head", "A fresh attacker", "What follows")
    return Table("The head of the training loop beside a fresh attacker", columns, tuple(rows)) if rows else None


def _head_row(reading: Reading[Judged]) -> tuple[Cell, ...] | None:
    made, found, head = _sanitizing(reading.audit), reading.found, reading.head
    if made is None or not isinstance(found, Leakage):
        return None
    place = cell(shorten(found.attribute), f"at {shorten(found.layer)}, {reading.when.lower()}")
    fresh = figure_cell(share(found.balanced_accuracy))
    if head is None:
        return (
            place,
            cell("none", f"{shorten(made)} reports none for it"),
            fresh,
            cell("Nothing to compare."),
        )
    verdict = (
        cell("Contradicted.", "The head says less than the fresh attacker's whole interval.", kind="alarm")
        if head.contradicted
        else cell("Not contradicted.", "Still no evidence: only the fresh attacker counts.")
    )
    return place, cell(measured(head.accuracy), f"{count(head.rows)} rows", kind="number"), fresh, verdict


def _sanitizing(audit: AuditResult) -> str | None:
    return audit.checkpoint.sanitizing.method if audit.checkpoint.sanitizing else None
