"""The risk that was measured, attribute by attribute, and what the measures changed of it."""

from audit.evidence.headline import (
    Judged,
    headline,
    tested_rows,
    unit,
    written,
    written_excess,
    written_guess,
    written_limit,
)
from audit.evidence.numbers import change, count, shorten
from reports.compliance.purpose import nothing
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.render.table import Cell, Table, cell, figure_cell, missing
from reports.text.bounds import certificate, read_at_most


def risk_table(comparison: Comparison) -> Table:
    """Return what was read of each attribute at each layer, in the first audit given."""
    columns = ("Attribute and layer", "Read", "Floor", "Excess", "Test rows", "Verdict")
    rows = tuple(_risk(pair.readings[0]) for pair in comparison.pairs)
    return Table(f"What can be inferred{', before' if len(comparison.audits) == 2 else ''}", columns, rows)


def effect_table(comparison: Comparison) -> Table | None:
    """Return what was read before and after, or None for one audit alone."""
    if len(comparison.audits) < 2:
        return None
    columns = ("Attribute and layer", "Before", "After", "Change", "Excess, after", "Verdict, after")
    return Table("What can be inferred, before and after", columns, tuple(map(_effect, comparison.pairs)))


def _risk(reading: Reading[Judged]) -> tuple[Cell, ...]:
    found = reading.found
    return (
        _place(reading),
        _read(reading),
        _floor(reading),
        figure_cell(written_excess(found), f"limit {written_limit(found)}"),
        cell(count(tested_rows(found)), kind="number"),
        _verdict(reading),
    )


def _effect(pair: Pair[Judged]) -> tuple[Cell, ...]:
    found, changed = pair.last.found, pair.change
    in_points = unit(found) != "R²"
    return (
        _place(pair.last),
        _read(pair.readings[0]),
        _read(pair.last),
        figure_cell(change(changed.estimate, in_points=in_points)) if changed else missing(),
        figure_cell(
            written_excess(found), f"floor {written(found, found.floor).value}", f"limit {written_limit(found)}"
        ),
        _verdict(pair.last),
    )


def _place(reading: Reading[Judged]) -> Cell:
    return cell(shorten(reading.found.attribute), f"at {shorten(reading.found.layer)}")


def _read(reading: Reading[Judged]) -> Cell:
    found, most = reading.found, certificate(reading.found)
    bound = (f"bound {read_at_most(most)}",) if most and most.balanced_accuracy < 1 else ()
    figure = written(found, headline(found))
    name = "R² " if unit(found) == "R²" else ""
    return cell(f"{name}{figure.value}", figure.interval, *bound, kind="number")


def _floor(reading: Reading[Judged]) -> Cell:
    found = reading.found
    if reading.audit.task is None:
        return cell(written_guess(found), f"{nothing(found)}: no task", kind="number")
    return figure_cell(written(found, found.floor), f"{nothing(found)} {written_guess(found)}")


def _verdict(reading: Reading[Judged]) -> Cell:
    verdict = reading.found.verdict
    return cell(verdict, *(["not a pass"] if verdict == "INCONCLUSIVE" else []), kind="number")
