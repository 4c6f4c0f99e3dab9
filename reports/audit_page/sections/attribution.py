"""Where the strongest attacker reads: which units of the bottleneck, and which part of the input."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence.findings import Where
from audit.evidence.numbers import LONGEST_TEXT, count, fixed, named, shorten
from reports.charts.bars import bars
from reports.charts.heatmap import heatmap, legend, written
from reports.inputs.by_attribute import LARGE, by_attribute, severity, worst
from reports.inputs.comparison import Comparison, Pair
from reports.render.section import Section

MOST, FEW = 8, 2
"""How many attributes are shown on a page, and on a large one."""


@dataclass(frozen=True)
class MapView:
    """One checkpoint's map over the input."""

    when: str
    svg: Markup | None
    """None where the inputs are no images."""
    caption: str
    note: str
    """Why there is no map, or nothing, in the evidence's own words."""
    units: Markup | None
    """Bars of the units worth most; None where there are none."""


@dataclass(frozen=True)
class WhereView:
    """Where one attribute is read at one layer."""

    attribute: str
    layer: str
    others: str
    """That other layers were looked at too, or empty."""
    maps: tuple[MapView, ...]
    legend: Markup | None
    width: str
    """How many units there are."""


@dataclass(frozen=True)
class Attribution:
    """All views, and how many attributes have none."""

    views: tuple[WhereView, ...]
    not_shown: str
    """Empty where every attribute that was looked into has a view."""


def view(comparison: Comparison) -> Attribution | None:
    """Prepare a view of the worst layer of each attribute that was looked into; None where none was."""
    views = wheres(comparison.pairs)
    return Attribution(views, not_shown(comparison.pairs)) if views else None


SECTION = Section("attribution", "Where it leaks", view, heading="Where the attacker reads", anchor="where")


def wheres(pairs: Sequence[Pair]) -> tuple[WhereView, ...]:
    """Prepare a view per attribute where anybody looked, of its worst layer; of the worst alone if they are many."""
    looked = _looked(pairs)
    shown = [worst(found) for found in sorted(looked, key=lambda found: severity(worst(found)))[: _most(pairs)]]
    views = ((worst(found), len(found) - 1) for found in looked)
    return tuple(_view(pair, others=others) for pair, others in views if any(pair is one for one in shown))


def not_shown(pairs: Sequence[Pair]) -> str:
    """Return how many attributes somebody looked at that have no view, or nothing."""
    rest = len(_looked(pairs)) - _most(pairs)
    attributes = f"{count(rest)} other attribute{'' if rest == 1 else 's'}"
    return f"The worst attributes are shown; the evidence holds the same for {attributes}." if rest > 0 else ""


def _most(pairs: Sequence[Pair]) -> int:
    return FEW if len(pairs) > LARGE else MOST


def _looked(pairs: Sequence[Pair]) -> list[tuple[Pair, ...]]:
    """Return the findings of each attribute that somebody looked into."""
    found = (tuple(pair for pair in some if _found(pair)) for some in by_attribute(pairs))
    return [some for some in found if some]


def _found(pair: Pair) -> dict[str, Where]:
    return {one.when: one.found.where for one in pair.readings if one.found.where}


def _view(pair: Pair, *, others: int) -> WhereView:
    found = _found(pair)
    numbers = [number for one in found.values() for row in one.input_map or [] for number in row]
    most = max(numbers, default=0.0)
    best = max((unit.bits for one in found.values() for unit in one.units), default=0.0)
    return WhereView(
        attribute=shorten(pair.last.found.attribute),
        layer=shorten(pair.last.found.layer),
        others=_others(others),
        maps=tuple(_map(when, one, most, best) for when, one in found.items()),
        legend=Markup(legend(most)) if most > 0 else None,
        width=" and ".join(dict.fromkeys(count(one.width) for one in found.values())),
    )


def _others(number: int) -> str:
    layers = f"{count(number)} other layer{'' if number == 1 else 's'}"
    return f"The worst layer is shown; the evidence holds the same for {layers}." if number else ""


def _map(when: str, one: Where, most: float, best: float) -> MapView:
    rows = f"Mean over {count(one.samples)} test rows, read by {named(one.attacker)}; no person's image."
    note = shorten(one.note, LONGEST_TEXT)
    units = _units(when, one, best)
    grid = [row for row in one.input_map or [] if row]
    if not grid:
        return MapView(when, None, rows, note, units)
    value, place = max((number, (i, j)) for i, row in enumerate(grid, 1) for j, number in enumerate(row, 1))
    patch = f" A patch is {one.patch[0]} × {one.patch[1]} pixels." if one.patch and len(one.patch) == 2 else ""
    title = f"{when}: bits lost by hiding each patch of the input"
    label = (
        f"{len(grid)} rows of patches. The most, {written(value)} bits, is lost in row {place[0]}, column {place[1]}."
    )
    return MapView(when, Markup(heatmap(grid, most, title=title, label=label)), rows + patch, note, units)


def _units(when: str, one: Where, most: float) -> Markup | None:
    """Draw what the units worth most are worth; `most` is the bits of the longest bar."""
    if not one.units:
        return None
    named_units = [(f"unit {unit.index}", unit.bits) for unit in one.units]
    label = "; ".join(f"{name}: {fixed(bits, 3)}" for name, bits in named_units)
    return Markup(bars(named_units, most, title=f"{when}: bits lost by shuffling each unit", label=f"{label}."))
