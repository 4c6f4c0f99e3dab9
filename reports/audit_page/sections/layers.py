"""Where in the model the attributes can be read: every layer beside every other."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from audit.evidence.findings import Finding, Measurement, Verdict
from audit.evidence.headline import written_excess
from audit.evidence.numbers import Figure, bare, count, named, shorten
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair
from reports.render.facts import listed
from reports.render.section import Section
from reports.render.table import Table, cell, over

MANY = 6
"""With more columns than this their names are set upright."""


@dataclass(frozen=True)
class MatrixCell:
    """The finding on one attribute at one layer."""

    verdict: Verdict
    figure: str
    """The excess and its interval, and the excess before."""


@dataclass(frozen=True)
class Matrix:
    """All findings at once: the fewer of attributes and layers across."""

    caption: str
    head: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell | None, ...]], ...]
    """Each attribute or layer, and its cells; None where this was not audited."""
    upright: bool
    """Whether the columns are so many that their names stand on end."""


@dataclass(frozen=True)
class Layers:
    """All layers."""

    sentence: str
    matrix: Matrix | None
    """None where one layer was audited."""
    widths: Table | None


def view(comparison: Comparison) -> Layers | None:
    """Prepare the findings by attribute and layer; None where one layer was audited."""
    pairs = comparison.pairs
    if layer_matrix(pairs) is None:
        return None
    return Layers(layers_text(pairs), layer_matrix(pairs), widths_table(comparison.measured))


SECTION = Section("layers", "Layers", view)


def layers_text(pairs: tuple[Pair, ...]) -> str:
    """Return what the layers say in a sentence."""
    names = _widths(pairs)
    if len(names) == 1:
        ((name, one),) = names.items()
        return (
            f"One layer was audited: {named(name)}, {_features(one)}. What other layers hold is not known from "
            "this; --layer a,b audits several in one pass."
        )
    earlier = ", and what the excess was before" if pairs[0].first else ""
    return (
        f"{count(len(names))} layers were audited, each by itself. In each cell stand the excess over the floor, in "
        f"points or in R², its 95 % interval, on which the verdict is{earlier}."
    )


def layer_matrix(pairs: tuple[Pair, ...]) -> Matrix | None:
    """Return the excess of each attribute at each layer; None for one layer."""
    layers = list(_widths(pairs))
    if len(layers) == 1:
        return None
    found = [
        (shorten(some[0].last.found.attribute), {pair.last.found.layer: pair for pair in some})
        for some in by_attribute(pairs)
    ]
    if len(found) < len(layers):
        head, columns = "Layer", tuple(name for name, _ in found)
        rows = [(shorten(layer), [at.get(layer) for _, at in found]) for layer in layers]
    else:
        head, columns = "Attribute", tuple(map(shorten, layers))
        rows = [(name, [at.get(layer) for layer in layers]) for name, at in found]
    upright = len(columns) > MANY
    return Matrix(
        caption="Excess over the floor, by attribute and layer",
        head=head,
        columns=columns,
        rows=tuple((name, tuple(_cell(one, narrow=upright) for one in row)) for name, row in rows),
        upright=upright,
    )


def widths_table(pairs: tuple[Pair, ...]) -> Table | None:
    """Return how many features attackers saw at each layer; None for one layer."""
    found = _widths(pairs)
    if len(found) == 1:
        return None
    facts = [(shorten(name), cell(_features(one))) for name, one in found.items()]
    return listed("Features a row at each layer", facts, ("Layer", "Features"))


def _widths(pairs: Iterable[Pair]) -> dict[str, Measurement]:
    found: dict[str, Measurement] = {}
    for pair in pairs:
        found.setdefault(pair.last.found.layer, pair.last.measurement)
    return found


def _features(one: Measurement) -> str:
    projected = f", projected at random from {count(one.projected_from)}" if one.projected_from else ""
    return f"{count(one.width)} feature{'' if one.width == 1 else 's'} a row{projected}"


def _cell(pair: Pair | None, *, narrow: bool) -> MatrixCell | None:
    if pair is None:
        return None
    figure = _bare_excess(pair.last.found)
    if narrow:
        figure = replace(figure, interval=figure.interval.replace(" to ", "…"))
    earlier = [f"was\N{NARROW NO-BREAK SPACE}{_bare_excess(pair.first.found).value}"] if pair.first else []
    return MatrixCell(pair.last.found.decided.verdict, " ".join([over(figure), *earlier]))


def _bare_excess(found: Finding) -> Figure:
    return bare(written_excess(found))
