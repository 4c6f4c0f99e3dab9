"""The leakage of each private attribute by the strongest attacker: every figure, before and after, and its change."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.headline import written_baseline, written_excess
from audit.evidence.metric import EXCESS
from audit.evidence.numbers import Figure, bare, named, shorten
from reports.charts.attribute import Drawing, attribute_drawings, captioned_once
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.render.section import Section
from reports.render.table import Body, Row, Table, over
from reports.text.figures import column, columns, figure, pair_change
from reports.text.sentences import ceiling_of, unpaired


@dataclass(frozen=True)
class Leakage:
    """The private attributes."""

    sentences: tuple[str, ...]
    """What stands beside what an attacker reads, and what the figures of the tables are."""
    attributes: tuple[tuple[Drawing, Table], ...]


def view(comparison: Comparison) -> Leakage:
    """Prepare a drawing and a table for each private attribute."""
    private = by_attribute(comparison.pairs)
    drawn = zip(captioned_once(attribute_drawings(private, "leakage")), private, strict=True)
    return Leakage(_terms(comparison), tuple((drawing, readings(pairs)) for drawing, pairs in drawn))


def _terms(comparison: Comparison) -> tuple[str, ...]:
    """Return what the words of the drawings and of the tables mean, those that are used."""
    has_task = comparison.last.task is not None
    beside = ["what a guess gives (chance)"]
    if has_task:
        beside.append("what the task's own answer gives away (floor)")
    if any(ceiling_of(pair) for pair in comparison.pairs):
        beside.append("what the same attackers read from the raw input (ceiling)")
    beside.append("what is read where there is nothing to read (null)")
    given = "; given the task: those that the answer does not tell" if has_task else ""
    told = [f"The strongest attacker at each layer, beside {', '.join(beside[:-1])}, and {beside[-1]}."]
    if any(pair.last.measurement.kind.percent for pair in comparison.pairs):
        told.append(
            "Balanced accuracy: how often it is right, averaged over the classes. AUROC: how often it ranks a row of a "
            f"class above one of another. Information: the bits that it gains of the attribute{given}."
        )
    return tuple(told)


SECTION = Section("leakage", "What attackers read", view, heading="What fresh attackers read")


def readings(pairs: Sequence[Pair]) -> Table:
    """Return a row per audit and one for the change; with several layers a row per layer, audits side by side.

    Of one audit at one layer, what the drawing and the verdict tell stands in no table.
    """
    found, measurement = pairs[0].last.found, pairs[0].last.measurement
    names = columns(measurement)
    if len(pairs) == 1 and pairs[0].first is None:
        names = names[2:]
    parts = tuple(column(measurement, name) for name in names)
    caption = f"What the strongest attacker reads of {named(found.attribute)}, with 95 % intervals{unpaired(pairs)}"
    kind, note = f"readings-{measurement.metric}-{len(names)}", written_baseline(measurement)
    if pairs[0].first is None:
        rows = tuple(_row(pair.last, shorten(pair.last.found.layer), names) for pair in pairs)
        return Table(caption, ("Layer", *parts), kind=kind, bodies=(Body("", rows),), note=note)
    if len(pairs) == 1:
        changes = Row("Change", tuple(over(bare(pair_change(pairs[0], name))) for name in names))
        rows = (*(_row(one, one.when, names) for one in pairs[0].readings), changes)
        return Table(caption, ("Audit", *parts), kind=kind, bodies=(Body("", rows),), note=note)
    # before, after and change of what is read, and before and after of what has no column of its own yet
    groups = ((parts[0], 3), (parts[1], 2), (parts[-1], 2))
    heads = ("Layer", "Before", "After", "Change", "Before", "After", "Before", "After")
    body = Body("", tuple(_layer_row(pair, names) for pair in pairs))
    return Table(caption, heads, groups=groups, kind=f"layers-{kind}", bodies=(body,), note=note)


def _layer_row(pair: Pair, names: Sequence[str]) -> Row:
    read, excess, rest = ([_told(one, name) for one in pair.readings] for name in (names[0], names[1], names[-1]))
    changed = bare(pair_change(pair, names[0]))
    return Row(shorten(pair.last.found.layer), tuple(map(over, (*read, changed, *excess, *rest))))


def _row(reading: Reading, head: str, names: Sequence[str]) -> Row:
    return Row(head, tuple(over(_told(reading, name)) for name in names))


def _told(reading: Reading, name: str) -> Figure:
    return bare(written_excess(reading.found)) if name == EXCESS else figure(reading.measurement, name)
