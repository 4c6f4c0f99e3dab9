"""The tables of what was found: every attacker, the task, and the sanitizer's own head beside them."""

from audit.evidence import AuditResult, Leakage
from reports.comparison import Comparison, Pair, Reading
from reports.figures import bits, bits_share, count, measured, percent, share, shorten
from reports.tables import Cell, Table, cell, figure_cell


def task_table(comparison: Comparison) -> Table:
    """Return how well each checkpoint does its task."""
    rows = tuple(
        (
            cell(when),
            figure_cell(share(audit.task.accuracy)),
            figure_cell(share(audit.task.balanced_accuracy)),
            cell(percent(audit.task.chance), kind="number"),
            cell(count(audit.data.test.rows), kind="number"),
        )
        for when, audit in comparison.audits
    )
    name = shorten(comparison.audits[-1][1].task.name)
    columns = ("Checkpoint", "Accuracy", "Balanced accuracy", "Most frequent class", "Test rows")
    return Table(f"Task “{name}” on the same test rows", columns, rows)


def attackers(pair: Pair) -> Table:
    """Return every attacker's figures, the strongest marked and a failure with its reason."""
    leakage = pair.last.leakage
    names = dict.fromkeys((one.name, one.view) for reading in pair.readings for one in reading.leakage.attackers)
    rows = tuple(
        (
            cell(shorten(name), shorten(view)),
            *(part for reading in pair.readings for part in _attacker_cells(reading.leakage, name, view)),
        )
        for name, view in names
    )
    parts = ("Selection rows", "Test rows", "Usable information, share of H(v)")
    columns = ("Attacker", *(parts * len(pair.readings)))
    caption = f"Every attacker on {shorten(leakage.attribute)} at {shorten(leakage.layer)}"
    return Table(caption, columns, rows, groups=tuple((one.when, len(parts)) for one in pair.readings))


def _attacker_cells(leakage: Leakage, name: str, view: str) -> tuple[Cell, ...]:
    one = next((one for one in leakage.attackers if (one.name, one.view) == (name, view)), None)
    if one is None:
        return (cell("not tried", kind="missing", span=3),)
    if one.balanced_accuracy is None or one.bits is None:
        reason = one.failure or "it gave no reason"
        return (cell("did not run", shorten(reason, 300), kind="missing", span=3),)
    is_strongest = leakage.strongest == f"{name} on {view}"
    return (
        cell("–" if one.select is None else measured(one.select), kind="number"),
        figure_cell(share(one.balanced_accuracy), tag="strongest" if is_strongest else ""),
        figure_cell(bits(one.bits), str(bits_share(one.bits, leakage.entropy))),
    )


def heads(comparison: Comparison) -> Table | None:
    """Return the sanitizer's own head beside fresh attackers, or None where nothing was sanitized."""
    rows = [row for pair in comparison.pairs for reading in pair.readings if (row := _head_row(reading))]
    columns = ("Attribute and layer", "Its own head", "A fresh attacker", "What follows")
    return Table("The head of the training loop beside a fresh attacker", columns, tuple(rows)) if rows else None


def _head_row(reading: Reading) -> tuple[Cell, ...] | None:
    made = _sanitizing(reading.audit)
    if made is None:
        return None
    leakage, head = reading.leakage, reading.head
    place = cell(shorten(leakage.attribute), f"at {shorten(leakage.layer)}, {reading.when.lower()}")
    fresh = figure_cell(share(leakage.balanced_accuracy))
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
