"""The controls: what each figure is read against, at each layer."""

from collections.abc import Iterable, Sequence

from audit.evidence.findings import Regression
from audit.evidence.headline import Measured, null_estimate, written
from audit.evidence.numbers import bare, bits, count, shorten
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Pair
from reports.render.dense import NOTHING, Body, Dense, DenseRow, over
from reports.render.table import Cell, Table, cell, figure_cell
from reports.text.sentences import ceiling_of

FLOORS = ("Read, % or R²", "Information, bits")


def floors(pairs: Sequence[Pair[Measured]]) -> Dense:
    """Return what is read of each attribute from the predicted task label alone, once where all layers agree."""
    whens = _whens(pairs)
    bodies = []
    for found in by_attribute(pairs):
        rows = {shorten(pair.last.found.layer): _floor(pair) for pair in found}
        if len(found) > 1 and len(set(rows.values())) == 1:
            rows = {f"all {count(len(found))} layers": _floor(found[0])}
        told = tuple(DenseRow(layer, cells) for layer, cells in rows.items())
        bodies.append(Body(shorten(found[0].last.found.attribute), told))
    return Dense(
        kind=f"floors-{len(whens)}",
        caption="Floors: what the predicted task label alone gives",
        columns=("Layer", *(FLOORS * len(whens))),
        bodies=tuple(bodies),
        groups=tuple((when, len(FLOORS)) for when in whens) if len(whens) > 1 else (),
    )


def nulls(pairs: Sequence[Pair[Measured]]) -> Dense:
    """Return what the strongest single attacker scores on shuffled labels, at each layer."""
    refits = " or ".join(dict.fromkeys(count(one.found.null.refits) for pair in pairs for one in pair.readings))
    bodies = tuple(
        Body(shorten(found[0].last.found.attribute), tuple(_null(pair) for pair in found))
        for found in by_attribute(pairs)
    )
    caption = f"Null bands: shuffled labels, {refits} refits; mean and 95 % of refits, in % or R²"
    return Dense("nulls", caption, ("Layer", *_whens(pairs)), bodies)


def ceilings(pairs: Iterable[Pair[Measured]]) -> Table:
    """Return what the same kind of attackers reads of each attribute from the raw input."""
    once = {pair.last.found.attribute: pair for pair in pairs}  # the raw input is the same at every layer
    columns = ("Attribute", "Read from the raw input", "By", "What it saw")
    return Table(
        "Ceilings: what the same attackers read from the raw input", columns, tuple(map(_ceiling, once.values()))
    )


def _whens(pairs: Sequence[Pair[Measured]]) -> list[str]:
    return [one.when for one in pairs[0].readings]


def _floor(pair: Pair[Measured]) -> tuple[str, ...]:
    return tuple(
        told
        for one in (reading.found for reading in pair.readings)
        for told in (
            over(bare(written(one, one.floor))),
            NOTHING if isinstance(one, Regression) else over(bare(bits(one.floor_bits))),
        )
    )


def _null(pair: Pair[Measured]) -> DenseRow:
    told = (over(bare(written(one.found, null_estimate(one.found.null)))) for one in pair.readings)
    return DenseRow(shorten(pair.last.found.layer), tuple(told))


def _ceiling(pair: Pair[Measured]) -> tuple[Cell, ...]:
    found, ceiling = pair.last.found, ceiling_of(pair)
    if ceiling is None:
        return cell(shorten(found.attribute)), cell("not measured", kind="missing", span=3)
    read = figure_cell(written(found, ceiling.figure))
    return cell(shorten(found.attribute)), read, cell(shorten(ceiling.strongest)), cell(shorten(ceiling.source))
