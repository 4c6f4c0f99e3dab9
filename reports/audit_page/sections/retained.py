"""What should stay readable: how much of it does, and what changed."""

from collections.abc import Sequence

from audit.evidence.findings import Readability, Regression
from audit.evidence.headline import Measured, written, written_baseline
from audit.evidence.numbers import bare, bits, change, decimal, quantity, share, shorten, signed_quantity
from reports.audit_page.sections.leakage import unpaired
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.inputs.paired_difference import auroc_change, error_change
from reports.render.dense import NOTHING, Body, Dense, DenseRow, over
from reports.text.sentences import attribute_at


def kept_table(comparison: Comparison) -> Dense | None:
    """Return the figures of the attributes that should stay readable, or None where none was named."""
    if not comparison.kept:
        return None
    first = "Audit" if comparison.kept[0].first else "Layer"
    columns = (first, "Balanced accuracy in %, or R²", "Floor", "AUROC", "Information in bits, or mean error")
    bodies = tuple(body for pairs in by_attribute(comparison.kept) for body in _bodies(pairs))
    caption = f"What can be read of attributes that should stay readable{unpaired(comparison.kept)}"
    return Dense("kept", caption, columns, bodies)


def _bodies(pairs: Sequence[Pair[Measured]]) -> list[Body]:
    """Return a body per layer with a row per audit, or for one audit alone a body with a row per layer."""
    if pairs[0].first:
        return [Body(attribute_at(pair.last.found), _rows(pair), written_baseline(pair.last.found)) for pair in pairs]
    rows = tuple(_row(pair.last, shorten(pair.last.found.layer)) for pair in pairs)
    found = pairs[0].last.found
    return [Body(shorten(found.attribute), rows, written_baseline(found))]


def _rows(pair: Pair[Measured]) -> tuple[DenseRow, ...]:
    return (*(_row(one, one.when) for one in pair.readings), *_changes(pair))


def _row(reading: Reading[Measured], head: str) -> DenseRow:
    found = reading.found
    floor = over(bare(written(found, found.floor)))
    if isinstance(found, Regression):
        return DenseRow(head, (over(decimal(found.r2)), floor, NOTHING, over(quantity(found.mae))))
    cells = (bare(share(found.balanced_accuracy)), decimal(found.auroc), bare(bits(found.bits)))
    read, auroc, information = map(over, cells)
    return DenseRow(head, (read, floor, auroc, information))


def _changes(pair: Pair[Measured]) -> list[DenseRow]:
    before, after = pair.first.found if pair.first else None, pair.last.found
    if before is None or pair.change is None:
        return []
    read = over(bare(change(pair.change.estimate, in_points=isinstance(after, Readability))))
    rest: tuple[str, str] = (NOTHING, NOTHING)
    if isinstance(before, Readability) and isinstance(after, Readability):
        rest = over(change(auroc_change(before, after).estimate, in_points=False)), NOTHING
    if isinstance(before, Regression) and isinstance(after, Regression):
        rest = NOTHING, over(signed_quantity(error_change(before, after).estimate))
    return [DenseRow("Change", (read, NOTHING, *rest))]
