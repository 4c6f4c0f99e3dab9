"""The head of the sanitizer's own training loop beside a fresh attacker: what it said, and what that was worth."""

from audit.evidence.findings import Leakage
from audit.evidence.headline import Judged
from audit.evidence.numbers import count, measured, named, share, shorten
from reports.inputs.comparison import Comparison, Reading
from reports.render.table import Cell, Table, cell, figure_cell


def heads(comparison: Comparison) -> Table | None:
    """Return the sanitizer's own head beside fresh attackers, or None where nothing was sanitized."""
    rows = [row for pair in comparison.pairs for reading in pair.readings if (row := _row(reading))]
    columns = ("Attribute and layer", "Its own head", "A fresh attacker", "What follows")
    return Table("The head of the training loop beside a fresh attacker", columns, tuple(rows)) if rows else None


def _row(reading: Reading[Judged]) -> tuple[Cell, ...] | None:
    made, found, head = reading.audit.checkpoint.sanitizing, reading.found, reading.head
    if made is None or made.layer != found.layer or not isinstance(found, Leakage):
        return None
    place = cell(shorten(found.attribute), f"at {named(found.layer)}, {reading.when.lower()}")
    fresh = figure_cell(share(found.balanced_accuracy))
    if head is None:
        return place, cell("none", f"{named(made.method)} reports none for it"), fresh, cell("Nothing to compare.")
    verdict = (
        cell("Contradicted.", "The head says less than the fresh attacker's whole interval.", kind="alarm")
        if head.contradicted
        else cell("Not contradicted.", "Still no evidence: only the fresh attacker counts.")
    )
    return place, cell(measured(head.accuracy), f"{count(head.rows)} rows", kind="number"), fresh, verdict
