"""What each figure is read against at each layer, and how many rows of each class it rests on."""

from audit.evidence import Readability, Regression
from reports.comparison import Pair, Reading
from reports.figures import bits, count, quantity, rows_told, shorten
from reports.headline import Measured, null_estimate, written
from reports.tables import Cell, Table, cell, figure_cell
from reports.wording import ceiling_of


def references(pairs: tuple[Pair[Measured], ...]) -> tuple[Table, ...]:
    """Return the references at each layer, the ceilings, and the rows of each attribute."""
    once = {pair.last.found.attribute: pair.last.found for pair in pairs}  # rows are the same at every layer
    return (_layers(pairs), _ceilings(pairs), *(_rows(found) for found in once.values()))


def _layers(pairs: tuple[Pair[Measured], ...]) -> Table:
    columns = (
        "Attribute and layer",
        "Width",
        "Most there is to read",
        "Floor",
        "Shuffled labels",
        "Raw input (ceiling)",
    )
    rows = tuple(_layer(reading) for pair in pairs for reading in pair.readings)
    return Table("Layers and their references", columns, rows)


def _layer(reading: Reading[Measured]) -> tuple[Cell, ...]:
    one = reading.found
    projected = (f"projected from {count(one.projected_from)}",) if one.projected_from else ()
    return (
        cell(shorten(one.attribute), f"at {shorten(one.layer)}, {reading.when.lower()}"),
        cell(count(one.width), *projected, kind="number"),
        _most(one),
        figure_cell(written(one, one.floor), *([] if isinstance(one, Regression) else [str(bits(one.floor_bits))])),
        figure_cell(written(one, null_estimate(one.null)), f"{count(one.null.refits)} refits"),
    )


def _ceilings(pairs: tuple[Pair[Measured], ...]) -> Table:
    once = {pair.last.found.attribute: pair for pair in pairs}  # the raw input is the same at every layer
    columns = ("Attribute", "Read from the raw input", "By", "What it saw")
    return Table(
        "Ceilings: what the same attackers read from the raw input", columns, tuple(map(_ceiling, once.values()))
    )


def _ceiling(pair: Pair[Measured]) -> tuple[Cell, ...]:
    found, ceiling = pair.last.found, ceiling_of(pair)
    if ceiling is None:
        return cell(shorten(found.attribute)), cell("not measured", kind="missing", span=3)
    read = figure_cell(written(found, ceiling.figure))
    return cell(shorten(found.attribute)), read, cell(shorten(ceiling.strongest)), cell(shorten(ceiling.source))


def _most(one: Measured) -> Cell:
    if isinstance(one, Regression):
        median = quantity(one.mae.model_copy(update={"value": one.median_mae}))
        return cell("R² 1", f"error of the median: {median.value}", kind="number")
    return cell(f"{one.entropy:.3f} bits", "H(v)", kind="number")


def _rows(found: Measured) -> Table:
    name = shorten(found.attribute)
    columns = ("Class", "Train", "Select", "Test")
    split = [found.rows] if isinstance(found, Regression) else found.classes
    rows = [
        (
            cell("with a value" if isinstance(found, Regression) else shorten(one.name)),
            *(cell(count(rows), kind="number") for rows in (one.train, one.select, one.test)),
        )
        for one in split
    ]
    if found.missing:
        rows.append(
            (cell("no value"), cell(f"{rows_told(found.missing)}; no attacker saw them", kind="missing", span=3))
        )
    if isinstance(found, Readability):
        rows += [
            (cell(shorten(one)), cell(f"left out: {rows_told(number)}, too few to audit", kind="missing", span=3))
            for one, number in found.left_out.items()
        ]
    caption = f"Rows: {name}" if isinstance(found, Regression) else f"Rows per class: {name}"
    return Table(caption, columns, tuple(rows))
