"""Bounds on every attacker, tried or not: only where a layer gives so few distinct vectors that they can be counted.

A bound is rounded up, so that no page tells it lower than it is.
"""

from audit.evidence import Certificate, Leakage
from reports.comparison import Comparison, Reading
from reports.figures import at_most, bits, count, percent, rows_told, share, shorten
from reports.headline import Measured, written_guess
from reports.tables import Cell, Table, cell


def certificate(found: Measured) -> Certificate | None:
    """Return the bound on every attacker of one attribute at one layer, where there is one."""
    return found.certificate if isinstance(found, Leakage) else None


def read_at_most(one: Certificate) -> str:
    """Return the most that anyone can read, as balanced accuracy: `61.0 %`."""
    return f"{at_most(100 * one.balanced_accuracy, 1)} %"


def told_at_most(one: Certificate) -> str:
    """Return the most that there is to know of the attribute: `0.12 bits`."""
    return f"{at_most(one.bits, 2 if one.bits >= 0.1 else 3)} bits"


def bound(found: Measured) -> str:
    """Return the bound in a sentence, or nothing where there is none."""
    one = certificate(found)
    if one is None:
        return ""
    counted = f"it gives {_vectors(one)}, counted on {rows_told(one.rows)}"
    if one.balanced_accuracy >= 1:
        return (
            f"The bound on every attacker, tried or not, excludes nothing here: {read_at_most(one)} balanced accuracy, "
            f"{told_at_most(one)}, each with {percent(one.confidence)} confidence. The layer can be counted, {counted}."
        )
    return (
        f"No attacker whatever can read more than {read_at_most(one)} balanced accuracy, or {told_at_most(one)}, from "
        f"this layer, each with {percent(one.confidence)} confidence: {counted}."
    )


def is_exceeded(found: Measured) -> bool:
    """Whether an attacker's whole interval lies above the bound: then one of the two cannot be believed."""
    one = certificate(found)
    return one is not None and isinstance(found, Leakage) and found.balanced_accuracy.low > one.balanced_accuracy


def basis(comparison: Comparison) -> tuple[str, ...]:
    """Return what the bounds rest on, in sentences; nothing where there are none."""
    found = [one for pair in comparison.pairs for reading in pair.readings if (one := certificate(reading.found))]
    if not found:
        return ()
    confidence = " or ".join(dict.fromkeys(percent(one.confidence) for one in found))
    return (
        "Where a layer gives few distinct vectors, no attacker can do better than a table of them, so the best table "
        "bounds them all. It is counted on audited rows: the bound needs them to be rows that the model was not made "
        f"from, and groups that are independent. Each bound holds with {confidence} confidence by itself, not all "
        "together.",
        "It is a bound on what this layer gives for one row as released, to someone who knows nothing else of that "
        "row. It is none on the weights: whoever holds the encoder before the code sees more.",
    )


def bounds_table(comparison: Comparison) -> Table | None:
    """Return every bound with what it was counted on, or None where there are none."""
    rows = tuple(
        _row(reading, one)
        for pair in comparison.pairs
        for reading in pair.readings
        if (one := certificate(reading.found)) is not None
    )
    columns = ("Attribute and layer", "Any attacker, at most", "Information, at most", "Distinct vectors", "Counted on")
    return Table("Bounds on every attacker, tried or not", columns, rows) if rows else None


def _row(reading: Reading[Measured], one: Certificate) -> tuple[Cell, ...]:
    found = reading.found
    read = (f"read: {share(found.balanced_accuracy).value}",) if isinstance(found, Leakage) else ()
    known = (f"read: {bits(found.bits).value}", f"H(v): {found.entropy:.2f} bits") if isinstance(found, Leakage) else ()
    fewest = min(one.independent, default=0)
    return (
        cell(shorten(found.attribute), f"at {shorten(found.layer)}, {reading.when.lower()}"),
        cell(read_at_most(one), *read, f"a guess: {written_guess(found)}", kind="number"),
        cell(told_at_most(one), *known, kind="number"),
        cell(count(one.codes), kind="number"),
        cell(rows_told(one.rows), f"worth {count(int(fewest))} independent ones in the smallest class", kind="number"),
    )


def _vectors(one: Certificate) -> str:
    return f"{count(one.codes)} distinct vector{'' if one.codes == 1 else 's'}"
