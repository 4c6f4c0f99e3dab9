"""Where the strongest attacker reads: which units of the bottleneck, and which part of the input."""

from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence import Leakage, Where
from reports.comparison import Pair
from reports.figures import LONGEST_TEXT, count, shorten
from reports.headline import Judged
from reports.heatmap import heatmap, legend, written
from reports.tables import Cell, Table, cell
from reports.wording import attribute_at


@dataclass(frozen=True)
class MapView:
    """One checkpoint's map over the input."""

    when: str
    svg: Markup | None
    """None where the inputs are no images."""
    caption: str


@dataclass(frozen=True)
class WhereView:
    """Where one attribute is read at one layer."""

    attribute: str
    layer: str
    maps: tuple[MapView, ...]
    legend: Markup | None
    units: Table


def where(pair: Pair[Judged]) -> WhereView | None:
    """Prepare the maps and the units of one attribute at one layer, or None where nobody looked."""
    found = {one.when: one.found.where for one in pair.readings if isinstance(one.found, Leakage) and one.found.where}
    if not found:
        return None
    numbers = [number for one in found.values() for row in one.input_map or [] for number in row]
    most = max(numbers, default=0.0)
    return WhereView(
        attribute=shorten(pair.last.found.attribute),
        layer=shorten(pair.last.found.layer),
        maps=tuple(_map(when, one, most) for when, one in found.items()),
        legend=Markup(legend(most)) if numbers else None,
        units=_units(attribute_at(pair.last.found), found),
    )


def _map(when: str, one: Where, most: float) -> MapView:
    rows = f"Mean over {count(one.samples)} test rows, read by {shorten(one.attacker)}; no person's image."
    note = f" {shorten(one.note, LONGEST_TEXT)}" if one.note else ""
    grid = [row for row in one.input_map or [] if row]
    if not grid:
        return MapView(when, None, rows + note)
    value, place = max((number, (i, j)) for i, row in enumerate(grid, 1) for j, number in enumerate(row, 1))
    patch = f" A patch is {one.patch[0]} × {one.patch[1]} pixels." if one.patch and len(one.patch) == 2 else ""
    label = (
        f"{when}: bits lost by hiding each patch of the input, {len(grid)} rows of patches. "
        f"The most, {written(value)} bits, is lost in row {place[0]}, column {place[1]}."
    )
    return MapView(when, Markup(heatmap(grid, most, label=label)), rows + patch + note)


def _units(place: str, found: dict[str, Where]) -> Table:
    longest = max(len(one.units) for one in found.values())
    rows = tuple(
        (cell(str(rank + 1)), *(part for one in found.values() for part in _unit_cells(one, rank)))
        for rank in range(longest)
    )
    widths = " and ".join(dict.fromkeys(count(one.width) for one in found.values()))
    return Table(
        f"Units worth most to the attacker on {place}, of {widths}",
        ("Rank", *(("Unit", "Bits lost when shuffled") * len(found))),
        rows,
        groups=tuple((when, 2) for when in found),
    )


def _unit_cells(one: Where, rank: int) -> tuple[Cell, ...]:
    if rank >= len(one.units):
        return cell("–", kind="missing"), cell("–", kind="missing")
    unit = one.units[rank]
    return cell(str(unit.index), kind="number"), cell(_bits(unit.bits), kind="number")


def _bits(number: float) -> str:
    text = f"{number:.3f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
