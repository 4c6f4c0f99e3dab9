"""What in the evidence of a sweep contradicts something else in it, as far as its points hold it."""

import math
from collections.abc import Iterator

from audit.evidence.checks.figures import DRAWN, ROUNDING
from audit.evidence.findings import Estimate
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.sweep_result import Sweep, SweepFigures, SweepReading, title


def sweep_contradictions(sweep: Sweep) -> Iterator[str]:
    """Say what in a sweep contradicts something else in it: `irene 1, age: …`."""
    setup, protocol, audited = sweep.setup, sweep.protocol, sweep.checkpoint.sha256
    alike = (setup.limit, setup.attackers, setup.seed) == (protocol.limit, protocol.attackers, protocol.seed)
    if not alike or (setup.checkpoint, setup.audit_rows) != (audited, sweep.data.rows):
        yield "what was asked for is not what was done: limit, attackers, seed, checkpoint or rows"
    named = [(point.method, point.weight) for point in sweep.points]
    if len(named) > len(set(named)):
        yield "a point stands there twice"
    for point in sweep.points:
        if point.figures:
            name = one_line(title(point.method, point.weight))
            yield from (f"{name}, {fault}" for fault in _of_point(point.figures, sweep))


def _of_point(figures: SweepFigures, sweep: Sweep) -> Iterator[str]:
    shares = [figures.accuracy, figures.balanced_accuracy]
    shares += [each for one in figures.read for each in (one.balanced_accuracy, one.floor)]
    shares += [one.balanced_accuracy for one in figures.kept]
    areas = [each for one in figures.kept for each in (one.auroc, one.at_best) if each]
    if not all(map(_is_share, (*shares, *areas))):
        yield "task or attributes: an accuracy is not within 0 and 1"
    others = [figure for one in figures.read for figure in (one.excess, one.bits)]
    if not all(map(_is_whole, (*shares, *areas, *others))):
        yield "task or attributes: a figure lies outside its own interval"
    tested = [one.test_rows for one in figures.read] + [one.test_rows for one in figures.kept]
    if max(tested, default=0) > sweep.data.test.rows:
        yield "its attributes: more rows tested them than there are"
    for one in figures.read:
        yield from (f"{one_line(one.attribute)}: {fault}" for fault in _of_reading(one, sweep.protocol.limit))


def _is_share(one: Estimate) -> bool:
    """Return whether a figure is within 0 and 1, and its interval not far beyond them."""
    return -ROUNDING <= one.value <= 1 + ROUNDING and one.low >= -1 and one.high <= 2


def _is_whole(one: Estimate) -> bool:
    room = (one.high - one.low) / 2 + ROUNDING
    return one.low <= one.high and one.low - room <= one.value <= one.high + room


def _of_reading(one: SweepReading, limit: float) -> Iterator[str]:
    read, floor, excess = one.balanced_accuracy, one.floor, one.excess
    if abs(read.value - floor.value - excess.value) > ROUNDING:
        yield "the excess is not what was read less the floor"
    if excess.low < read.low - floor.high - DRAWN or excess.high > read.high - floor.low + DRAWN:
        yield "the interval of the excess is wider than those of what was read and of the floor"
    if one.chance * one.test_rows < 1 - ROUNDING or abs(1 / one.chance - round(1 / one.chance)) > ROUNDING:
        yield "chance is not one among several classes"
    elif not 0 <= one.entropy <= math.log2(round(1 / one.chance)) + ROUNDING or one.bits.value > one.entropy + ROUNDING:
        yield "its bits are more than its classes have"
    if floor.high - floor.low < DRAWN and abs(floor.value - one.chance) > DRAWN:
        yield "its floor has no interval, as that of a guess, and is none"
    given = "FAIL" if excess.low > limit else "PASS" if excess.high <= limit else "INCONCLUSIVE"
    if one.verdict not in (given, "INCONCLUSIVE"):  # attackers that are not able enough leave it open
        yield f"it says {one.verdict}, and its own figures give {given} at the limit of {trimmed(limit, 5)}"
    most = one.certificate
    if most and (most.balanced_accuracy < read.low or not 0 <= most.bits <= one.entropy * 1.1 + ROUNDING):
        yield "more was read than its upper bound, or the bound is beyond what there is"
