"""The risk that was measured, attribute by attribute, and its change by the measures."""

from audit.evidence.headline import written_excess, written_guess, written_limit
from audit.evidence.numbers import count, shorten
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.render.table import Cell, Table, cell, figure_cell
from reports.text.bounds import read_at_most
from reports.text.figures import floor, pair_change, score, with_metric


def risk_table(comparison: Comparison) -> Table:
    """Return the leakage of each attribute at each layer, in the first audit given."""
    columns = ("Attribute and layer", "Read", "Floor", "Excess", "Test rows", "Verdict")
    rows = tuple(_risk(pair.readings[0]) for pair in comparison.pairs)
    return Table(f"What can be inferred{', before' if len(comparison.audits) == 2 else ''}", columns, rows)


def effect_table(comparison: Comparison) -> Table | None:
    """Return the leakage before and after, or None for one audit alone."""
    if len(comparison.audits) < 2:
        return None
    columns = ("Attribute and layer", "Before", "After", "Change", "Excess, after", "Verdict, after")
    return Table("What can be inferred, before and after", columns, tuple(map(_effect, comparison.pairs)))


def _risk(reading: Reading) -> tuple[Cell, ...]:
    found = reading.found
    return (
        _place(reading),
        _read(reading),
        _floor(reading),
        figure_cell(written_excess(found), f"limit {written_limit(found)}"),
        cell(count(found.measurement.test_rows), kind="number"),
        _verdict(reading),
    )


def _effect(pair: Pair) -> tuple[Cell, ...]:
    found, measurement = pair.last.found, pair.last.measurement
    return (
        _place(pair.last),
        _read(pair.readings[0]),
        _read(pair.last),
        figure_cell(pair_change(pair, measurement.metric)),
        figure_cell(
            written_excess(found),
            f"floor {floor(measurement).value}",
            f"limit {written_limit(found)}",
        ),
        _verdict(pair.last),
    )


def _place(reading: Reading) -> Cell:
    return cell(shorten(reading.found.attribute), f"at {shorten(reading.found.layer)}")


def _read(reading: Reading) -> Cell:
    most, read = reading.found.certificate, score(reading.measurement)
    bound = (f"bound {read_at_most(most)}",) if most and most.balanced_accuracy < 1 else ()
    return cell(with_metric(reading.measurement, read.value), read.interval, *bound, kind="number")


def _floor(reading: Reading) -> Cell:
    measurement, known = reading.measurement, reading.measurement.kind.guess
    if reading.audit.task is None:
        return cell(written_guess(measurement), f"{known}: no task", kind="number")
    return figure_cell(floor(measurement), f"{known} {written_guess(measurement)}")


def _verdict(reading: Reading) -> Cell:
    verdict = reading.found.decided.verdict
    return cell(verdict, *(["not a pass"] if verdict == "INCONCLUSIVE" else []), kind="number")
