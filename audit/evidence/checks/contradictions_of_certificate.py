"""What of a bound on every attacker contradicts what was read, and what so many independent rows can prove at all."""

import math
from collections.abc import Iterator

from audit.evidence.checks.figures import ROUNDING, level
from audit.evidence.findings import MOST_CODES, ROWS_PER_CODE, Certificate, Measurement
from audit.evidence.numbers import trimmed
from audit.evidence.verdict import CONFIDENCE


def of_certificate(most: Certificate, measurement: Measurement, rows: int) -> Iterator[str]:
    """Hold a bound against what was read, and what so many independent rows can prove at all (protocol.bound)."""
    k = len(measurement.classes)
    if not measurement.kind.percent or len(most.independent) != k or min(most.independent) <= 0:
        yield "its upper bound is not of its classes"
        return
    if most.confidence < CONFIDENCE - ROUNDING:
        yield f"its upper bound holds with a confidence of {trimmed(most.confidence, 4)}, less than {CONFIDENCE:g}"
    if not measurement.rows <= most.rows <= rows or max(most.independent) > most.rows or most.codes > most.rows:
        yield "its upper bound was counted on other rows than there are"
    spread = math.sqrt(math.log(1 / (1 - CONFIDENCE)) / 2 * sum(1 / count for count in most.independent)) / k
    if most.balanced_accuracy < min(1.0, 1 / k + spread) - ROUNDING:
        yield f"so few independent rows cannot prove an upper bound of {trimmed(100 * most.balanced_accuracy, 2)} %"
    if most.balanced_accuracy < measurement.score.low:
        told = "was read, above the bound on every attacker: look for rows that belong together (--group)"
        yield f"{level(measurement.score)} {told}"
    yield from _of_code(most, measurement, rows)
    if not 0 <= most.bits <= math.log2(k) + ROUNDING:
        yield "its upper bound in bits is beyond what there is"
    for one in most.several:
        apart = 1 - (2 - 2 * max(most.balanced_accuracy, 0.5)) ** one.releases
        if k != 2 or abs((1 + apart) / 2 - one.balanced_accuracy) > ROUNDING:
            yield "its upper bound of several releases does not follow from the one of one"


def _of_code(most: Certificate, measurement: Measurement, rows: int) -> Iterator[str]:
    """Hold a finite code, and the bits that it bounds, against what so many rows can count at all."""
    if not 1 <= most.codes <= MOST_CODES or most.codes * ROWS_PER_CODE > rows:
        yield f"{most.codes} vectors of {rows} rows are no finite code that could be bounded"
        return
    k = len(measurement.classes)
    tail = (1 - CONFIDENCE) / (2 * k * (most.codes + 1))
    unseen = min(1 - tail ** (1 / count) for count in most.independent) * math.log2(k)  # of a vector that no row has
    if most.bits < min(0.9 * (measurement.entropy or 0), unseen) - ROUNDING:
        yield f"so few independent rows cannot prove an upper bound of {trimmed(most.bits, 4)} bits"
    read = measurement.figures["bits"]
    if most.bits < min(read.low, measurement.entropy or 0) - 0.02 * max(
        1.0, measurement.entropy or 0
    ):  # entropy is of all rows there
        yield f"{level(read)} bits were read, above the bound on every attacker"
    if any(
        one.figures[measurement.metric].low > most.balanced_accuracy for one in measurement.attackers if one.figures
    ):
        yield "one of the attackers read more than the bound on every attacker"
