"""Bounds on every attacker, tried or not: only where a layer gives so few distinct vectors that they can be counted.

A bound is rounded up, so that no page tells it lower than it is.
"""

from audit.evidence.findings import Certificate, Finding
from audit.evidence.numbers import at_most, count, percent, rows_told
from reports.inputs.comparison import Comparison


def read_at_most(one: Certificate) -> str:
    """Return the most that anyone can read, as balanced accuracy: `61.0 %`."""
    return f"{at_most(100 * one.balanced_accuracy, 1)} %"


def bits_at_most(one: Certificate) -> str:
    """Return the most that the layer tells of the attribute: `0.12 bits`."""
    return f"{at_most(one.bits, 2 if one.bits >= 0.1 else 3)} bits"


def bound(found: Finding) -> str:
    """Return the bound in a sentence, or nothing where there is none."""
    one = found.certificate
    if one is None:
        return ""
    counted = f"{count(one.codes)} distinct vector{'' if one.codes == 1 else 's'}, counted on {rows_told(one.rows)}"
    confidence = f"with {percent(one.confidence)} confidence"
    if one.balanced_accuracy >= 1:
        return (
            f"This layer gives {counted}, which bounds no attacker's balanced accuracy; what it tells is at most "
            f"{bits_at_most(one)}, {confidence}."
        )
    return (
        f"No attacker whatever can read more than {read_at_most(one)} balanced accuracy, or {bits_at_most(one)}, from "
        f"this layer, each {confidence}: it gives {counted}."
    )


def is_exceeded(found: Finding) -> bool:
    """Whether an attacker's whole interval lies above the bound: one of the two cannot be believed then."""
    one = found.certificate
    return one is not None and found.measurement.score.low > one.balanced_accuracy


_SEVERAL = (
    "Who has several releases of one person may read more. The bound on so many presumes releases that are "
    "independent of each other given the attribute; images of one person that resemble each other beyond it may tell "
    "more."
)


def basis(comparison: Comparison) -> tuple[str, ...]:
    """Return what the bounds rest on, in sentences; nothing where there are none."""
    found = [reading.found.certificate for pair in comparison.pairs for reading in pair.readings]
    confidence = " or ".join(dict.fromkeys(percent(one.confidence) for one in found if one))
    if not confidence:
        return ()
    several = any(one.several for one in found if one)
    return (
        "Where a layer gives few distinct vectors, no attacker does better than the best table of them, and that can "
        "be counted: on rows that the model was not made from, with groups taken for independent of each other. Their "
        "rows are worth at least so many independent ones in the smallest class. Each bound holds with "
        f"{confidence} confidence by itself, not all of them together.",
        "It is a bound on what this layer gives for one row as released, to someone who knows nothing else of that "
        "row. It is none on the weights: whoever holds the encoder before the code sees more.",
        *([_SEVERAL] if several else []),
    )
