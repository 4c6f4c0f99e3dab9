"""Every attacker, and the controls beside it: floor, null, ceiling, and the sanitizer's own head."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import ENSEMBLE, AttackerResult, Measurement
from audit.evidence.headline import null_estimate, written
from audit.evidence.numbers import bare, bits, count, measured, named, of_held, shorten
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.render.facts import listed, protocol_facts
from reports.render.section import Section
from reports.render.table import NOTHING, Body, Cell, Row, Table, cell, figure_cell, over
from reports.text.figures import column, figure, floor, score, selection
from reports.text.sentences import NO_TASK, audit_limit, ceiling_of

FLOORS = ("Read, % or R²", "Information, bits")


@dataclass(frozen=True)
class Attackers:
    """Attackers and controls."""

    attackers: tuple[Table, ...]
    """One for each attribute."""
    floors: Table
    nulls: Table
    ceilings: Table
    heads: Table | None
    """None where no checkpoint was sanitized."""
    protocol: Table


def view(comparison: Comparison) -> Attackers:
    """Prepare the tables of attackers and controls."""
    measured = comparison.measured
    return Attackers(
        attackers=tuple(map(attackers, (*by_attribute(comparison.pairs), *by_attribute(comparison.retained)))),
        floors=floors(measured),
        nulls=nulls(measured),
        ceilings=ceilings(measured),
        heads=heads(comparison),
        protocol=protocol_table(comparison.last),
    )


SECTION = Section("attackers", "Attackers and controls", view, heading="Every attacker and control")


def attackers(pairs: Sequence[Pair]) -> Table:
    """Return every attacker's figures on one attribute, the strongest marked and a failure with its reason."""
    found, measurement, whens = pairs[0].last.found, pairs[0].last.measurement, _whens(pairs)
    parts = ("Selection", *(column(measurement, name) for name in measurement.kind.figures))
    return Table(
        kind=f"attackers-{measurement.metric}-{len(whens)}",
        caption=f"Every attacker on {named(found.attribute)}",
        columns=("Attacker", "Features", *(parts * len(whens))),
        bodies=tuple(Body(shorten(pair.last.found.layer), _attackers(pair)) for pair in pairs),
        lead=1,
        groups=tuple((when, len(parts)) for when in whens) if len(whens) > 1 else (),
    )


def _attackers(pair: Pair) -> tuple[Row, ...]:
    """Return a row for each attacker, and one more for each that did not run."""
    tried = [_tried(reading.measurement) for reading in pair.readings]
    rows = []
    for name, view in dict.fromkeys(key for each in tried for key in each):
        ran = [each.get((name, view)) for each in tried]
        failures = [_not_run(one) for one in ran]
        if not all(failures):
            cells = [
                told for one, each in zip(ran, pair.readings, strict=True) for told in _figures(one, each.measurement)
            ]
            seen = f"{shorten(view)}{_rows_seen(pair.last.measurement, ran[-1])}"
            rows.append(Row(shorten(name), (seen, *cells), tag=_strongest(pair, name, view)))
        for failure in dict.fromkeys(filter(None, failures)):
            whens = [one.when.lower() for one, each in zip(pair.readings, failures, strict=True) if each == failure]
            when = f"{whens[0]}: " if len(whens) < len(failures) else ""
            rows.append(Row(shorten(name), (shorten(view),), note=f"{when}{failure}"))
    return tuple(rows)


def _tried(measurement: Measurement) -> dict[tuple[str, str], AttackerResult]:
    """Return every attacker by name and view; the strongest with the figures that the verdict quotes."""
    listed = {
        (one.name, one.view): one.model_copy(update={"figures": measurement.figures}) if _won(measurement, one) else one
        for one in measurement.attackers
    }
    if measurement.strongest == ENSEMBLE and not any(name == ENSEMBLE for name, _ in listed):  # as in older evidence
        listed[ENSEMBLE, "both"] = AttackerResult(name=ENSEMBLE, view="both", select=None, figures=measurement.figures)
    return listed


def _won(measurement: Measurement, one: AttackerResult) -> bool:
    return _is_named(measurement, one.name, one.view) and one.failure is None


def _is_named(measurement: Measurement, name: str, view: str) -> bool:
    """Return whether an attacker is the strongest, which is an ensemble by its name alone."""
    return measurement.strongest in (name, f"{name} on {view}")


def _strongest(pair: Pair, name: str, view: str) -> str:
    """Return in which audits this attacker was the strongest, or nothing."""
    whens = [one.when for one in pair.readings if _is_named(one.measurement, name, view)]
    if not whens:
        return ""
    return "strongest" if len(whens) == len(pair.readings) else f"strongest {whens[0].lower()}"


def _rows_seen(measurement: Measurement, one: AttackerResult | None) -> str:
    """Return from how many of the training rows an attacker learned that did not take them all, or nothing."""
    if one is None or one.rows is None or one.rows >= measurement.train_rows:
        return ""
    return f", {of_held(one.rows, measurement.train_rows)} rows"


def _figures(one: AttackerResult | None, measurement: Measurement) -> tuple[str, ...]:
    """Return an attacker's figures, in as many cells as its group has."""
    names = measurement.kind.figures
    if one is None or not one.figures:
        return (NOTHING,) * (1 + len(names))
    return selection(measurement, one), *(over(figure(one, name)) for name in names)


def _not_run(one: AttackerResult | None) -> str:
    """Return why an attacker has no figures, or nothing."""
    if one is None:
        return "not tried"
    return "" if one.figures else f"did not run: {shorten(one.failure or 'it gave no reason', 300)}"


def floors(pairs: Sequence[Pair]) -> Table:
    """Return the task-label baseline of each attribute, once where all layers agree."""
    whens = _whens(pairs)
    bodies = []
    for found in by_attribute(pairs):
        rows = {shorten(pair.last.found.layer): _floor(pair) for pair in found}
        if len(found) > 1 and len(set(rows.values())) == 1:
            rows = {f"all {count(len(found))} layers": _floor(found[0])}
        told = tuple(Row(layer, cells) for layer, cells in rows.items())
        bodies.append(Body(shorten(found[0].last.found.attribute), told))
    return Table(
        kind=f"floors-{len(whens)}",
        caption="Floors: what the predicted task label alone gives",
        columns=("Layer", *(FLOORS * len(whens))),
        bodies=tuple(bodies),
        groups=tuple((when, len(FLOORS)) for when in whens) if len(whens) > 1 else (),
    )


def nulls(pairs: Sequence[Pair]) -> Table:
    """Return what the strongest single attacker scores on shuffled labels, at each layer."""
    refits = " or ".join(dict.fromkeys(count(one.measurement.null.refits) for pair in pairs for one in pair.readings))
    bodies = tuple(
        Body(shorten(found[0].last.found.attribute), tuple(_null(pair) for pair in found))
        for found in by_attribute(pairs)
    )
    caption = f"Null bands: shuffled labels, {refits} refits; mean and 95 % of refits, in % or R²"
    return Table(caption, ("Layer", *_whens(pairs)), kind="nulls", bodies=bodies)


def ceilings(pairs: Iterable[Pair]) -> Table:
    """Return what the same kind of attackers reads of each attribute from the raw input."""
    once = {pair.last.found.attribute: pair for pair in pairs}  # the raw input is the same at every layer
    columns = ("Attribute", "Read from the raw input", "By", "What it saw")
    return Table(
        "Ceilings: what the same attackers read from the raw input", columns, tuple(map(_ceiling, once.values()))
    )


def _whens(pairs: Sequence[Pair]) -> list[str]:
    return [one.when for one in pairs[0].readings]


def _floor(pair: Pair) -> tuple[str, ...]:
    told = ((bare(floor(one.measurement)), one.measurement.floor.get("bits")) for one in pair.readings)
    return tuple(cell for read, some in told for cell in (over(read), over(bare(bits(some))) if some else NOTHING))


def _null(pair: Pair) -> Row:
    told = (over(bare(written(one.measurement, null_estimate(one.measurement.null)))) for one in pair.readings)
    return Row(shorten(pair.last.found.layer), tuple(told))


def _ceiling(pair: Pair) -> tuple[Cell, ...]:
    found, ceiling = pair.last.found, ceiling_of(pair)
    if ceiling is None:
        return cell(shorten(found.attribute)), cell("not measured", kind="missing", span=3)
    read = figure_cell(written(found.measurement, ceiling.figure))
    return cell(shorten(found.attribute)), read, cell(shorten(ceiling.strongest)), cell(shorten(ceiling.source))


def heads(comparison: Comparison) -> Table | None:
    """Return the sanitizer's own head beside fresh attackers, or None where nothing was sanitized."""
    rows = [row for pair in comparison.pairs for reading in pair.readings if (row := _head_row(reading))]
    columns = ("Attribute and layer", "Its own head", "A fresh attacker", "What follows")
    return Table("The head of the training loop beside a fresh attacker", columns, tuple(rows)) if rows else None


def _head_row(reading: Reading) -> tuple[Cell, ...] | None:
    made, found, head = reading.audit.checkpoint.sanitizing, reading.found, reading.head
    if made is None or made.layer != found.layer or not found.measurement.kind.percent:
        return None
    place = cell(shorten(found.attribute), f"at {named(found.layer)}, {reading.when.lower()}")
    fresh = figure_cell(score(found.measurement))
    if head is None:
        return place, cell("none", f"{named(made.method)} reports none for it"), fresh, cell("Nothing to compare.")
    verdict = (
        cell("Contradicted.", "The head says less than the fresh attacker's whole interval.", kind="alarm")
        if head.contradicted
        else cell("Not contradicted.", "Still no evidence: only the fresh attacker counts.")
    )
    return place, cell(measured(head.accuracy), f"{count(head.rows)} rows", kind="number"), fresh, verdict


def protocol_table(audit: AuditResult) -> Table:
    """Return how it was measured, as a table of facts."""
    facts = [
        *protocol_facts(audit.protocol, audit_limit(audit)),
        ("Task", cell(f"{audit.task.name}: {audit.task.told}" if audit.task else NO_TASK)),
        ("Evidence schema", cell(audit.schema_version)),
    ]
    return listed("Protocol", facts)
