"""What the strongest attacker reads of each attribute, in every measure, before and after, and what changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.findings import Leakage, Regression
from audit.evidence.headline import Judged, headline, written, written_baseline, written_excess
from audit.evidence.numbers import Figure, bare, bits, change, decimal, named, quantity, share, shorten, signed_quantity
from reports.charts.attribute import Drawing, attribute_drawings
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.inputs.paired_difference import Change, auroc_change, error_change, excess_change
from reports.render.section import Section
from reports.render.table import NOTHING, Body, Row, Table, over
from reports.text.sentences import unpaired

CLASSES = ("Balanced accuracy, %", "Excess over floor, points", "AUROC", "Information, bits", "Given the task, bits")
NUMBERS = ("R²", "Excess over floor, R²", "Mean error")


@dataclass(frozen=True)
class AttributeLeakage:
    """What is read of one private attribute, drawn and in figures."""

    drawing: Drawing
    readings: Table


def view(comparison: Comparison) -> tuple[AttributeLeakage, ...]:
    """Prepare a drawing and a table for each private attribute."""
    private = by_attribute(comparison.pairs)
    drawn = zip(attribute_drawings(private, "leakage"), private, strict=True)
    return tuple(AttributeLeakage(drawing, readings(pairs)) for drawing, pairs in drawn)


SECTION = Section("leakage", "What attackers read", view, heading="What fresh attackers read")


def readings(pairs: Sequence[Pair[Judged]]) -> Table:
    """Return a row per audit and one for the change; with several layers a row per layer, audits side by side."""
    found = pairs[0].last.found
    is_number = isinstance(found, Regression)
    caption = f"What the strongest attacker reads of {named(found.attribute)}, with 95 % intervals{unpaired(pairs)}"
    parts = NUMBERS if is_number else CLASSES
    name = "readings-number" if is_number else "readings"
    if pairs[0].first and len(pairs) > 1:
        return _by_layer(pairs, f"layers-{name}", caption, parts)
    if pairs[0].first:
        rows = (*(_row(one, one.when) for one in pairs[0].readings), *_changes(pairs[0]))
        return Table(caption, ("Audit", *parts), kind=name, bodies=(Body("", rows),), note=written_baseline(found))
    rows = tuple(_row(pair.last, shorten(pair.last.found.layer)) for pair in pairs)
    return Table(caption, ("Layer", *parts), kind=name, bodies=(Body("", rows),), note=written_baseline(found))


def _by_layer(pairs: Sequence[Pair[Judged]], kind: str, caption: str, parts: Sequence[str]) -> Table:
    """Return before, after and change of what is read, and before and after of what has no column of its own yet."""
    last = "Mean error" if isinstance(pairs[0].last.found, Regression) else "Given the task, bits"
    groups = ((parts[0], 3), (parts[1], 2), (last, 2))
    columns = ("Layer", "Before", "After", "Change", "Before", "After", "Before", "After")
    note = written_baseline(pairs[0].last.found)
    return Table(
        caption, columns, groups=groups, kind=kind, bodies=(Body("", tuple(map(_layer_row, pairs))),), note=note
    )


def _layer_row(pair: Pair[Judged]) -> Row:
    read = [bare(written(one.found, headline(one.found))) for one in pair.readings]
    excess = [bare(written_excess(one.found)) for one in pair.readings]
    rest = [_given(one.found) if isinstance(one.found, Leakage) else quantity(one.found.mae) for one in pair.readings]
    told = _points if isinstance(pair.last.found, Leakage) else _decimals
    changed = [told(pair.change)] if pair.change else []
    return Row(shorten(pair.last.found.layer), tuple(map(over, (*read, *changed, *excess, *rest))))


def _row(reading: Reading[Judged], head: str) -> Row:
    found = reading.found
    excess = bare(written_excess(found))
    if isinstance(found, Regression):
        return Row(head, tuple(map(over, (decimal(found.r2), excess, quantity(found.mae)))))
    cells = (bare(share(found.balanced_accuracy)), excess, decimal(found.auroc), bare(bits(found.bits)), _given(found))
    return Row(head, tuple(map(over, cells)))


def _changes(pair: Pair[Judged]) -> list[Row]:
    before, after = pair.first.found if pair.first else None, pair.last.found
    if before is None or pair.change is None:
        return []
    if isinstance(before, Leakage) and isinstance(after, Leakage):
        ranks = _decimals(auroc_change(before, after))
        return [_changed(_points(pair.change), _points(excess_change(before, after)), ranks, _NONE, _NONE)]
    if isinstance(before, Regression) and isinstance(after, Regression):
        error = signed_quantity(error_change(before, after).estimate)
        return [_changed(_decimals(pair.change), _decimals(excess_change(before, after)), error)]
    return []


def _changed(*cells: Figure) -> Row:
    return Row("Change", tuple(map(over, cells)))


_NONE = Figure(NOTHING, "")


def _given(found: Leakage) -> Figure:
    return bare(bits(found.given_task)) if found.given_task else _NONE


def _points(one: Change) -> Figure:
    return bare(change(one.estimate, in_points=True))


def _decimals(one: Change) -> Figure:
    return change(one.estimate, in_points=False)
