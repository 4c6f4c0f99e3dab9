"""What of densities contradicts the rule that they were told by, the classes' test rows, or what was read of them."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from audit.evidence.checks.figures import ROUNDING
from audit.evidence.densities import FEWEST, FURTHEST, GRIDS, SIDES, STEP, MapDensity, ScoreDensity, within
from audit.evidence.findings import Finding, Measurement
from audit.evidence.numbers import one_line

HALF = 0.005
"""How far a share that was rounded to percents may be from what it was."""


def of_densities(one: Finding) -> Iterator[str]:
    """Hold bins and cells against their rule, against the rows of their classes, and against AUROC and recalls."""
    told, measurement = one.densities, one.measurement
    if told is None:
        return
    if one.role != "private" or not measurement.kind.percent:
        yield "densities are of classes of a private attribute alone"
        return
    rows = {each.name: each.test for each in measurement.classes}
    for what, some in (("scores", told.scores), ("map", told.map)):
        names = [each.name for each in some]
        if names != [name for name in rows if name in names]:
            yield f"its {what} are not of its classes, each once and in their order"
            return
    for score in told.scores:
        yield from (f"the scores of {one_line(score.name)}: {fault}" for fault in _of_bins(score, rows[score.name]))
    for place in told.map:
        yield from (f"the map of {one_line(place.name)}: {fault}" for fault in _of_cells(place, rows[place.name]))
    if all(len(each.edges) == len(each.shares) + 1 for each in told.scores):
        yield from _of_what_was_read(told.scores, measurement)


def _of_bins(score: ScoreDensity, rows: int) -> Iterator[str]:
    if len(score.edges) != len(score.shares) + 1:
        yield "there is not one edge more than bins"
    if max(map(abs, score.edges)) > FURTHEST + STEP:
        yield "an edge lies beyond all scores"
        return
    if any(low >= high for low, high in pairwise(score.edges)):
        yield "its edges do not ascend"
    if any(abs(edge / STEP - 0.5 - round(edge / STEP - 0.5)) > ROUNDING for edge in score.edges):
        yield "an edge lies where a row may lie"
    if rows < 2 * FEWEST:
        yield f"{rows} test rows are of too few people"
    yield from _of_shares(score.shares, rows)


def _of_cells(place: MapDensity, rows: int) -> Iterator[str]:
    if any(not 0 <= cell < GRIDS[SIDES[-1]] + SIDES[-1] ** 2 for cell in place.cells):
        yield "a cell lies beyond the grids"
        return
    if len(place.cells) != len(place.shares) or any(low >= high for low, high in pairwise(place.cells)):
        yield "its cells do not ascend, or have not one share each"
    taken: set[tuple[int, int]] = set()
    for cell in place.cells:
        if within(cell) <= taken:
            yield "finer cells leave nothing of a cell"
        taken |= within(cell)
    if 0 < place.withheld < FEWEST / rows - HALF:
        yield "what is withheld is of too few people"
    yield from _of_shares(place.shares, rows * min(1, 1 - place.withheld + HALF))


def _of_shares(shares: Sequence[float], rows: float) -> Iterator[str]:
    """Say what is wrong with shares of so many rows, at most, each of FEWEST people."""
    if not shares or FEWEST * len(shares) > rows or min(shares) + HALF + ROUNDING < FEWEST / rows:
        yield f"not every share of it is of {FEWEST} people"
    if any(abs(100 * share - round(100 * share)) > ROUNDING for share in shares):
        yield "a share is not rounded to percents"
    if abs(sum(shares) - 1) > HALF * len(shares) + ROUNDING:
        yield "its shares do not add up"


def _of_what_was_read(scores: Sequence[ScoreDensity], measurement: Measurement) -> Iterator[str]:
    """Hold scores against AUROC of two classes, or against the recall of each of several."""
    k = len(measurement.classes)
    if k == 2:
        area = measurement.figures["auroc"].value
        if len(scores) == k and not _least_area(*scores) <= area <= 1 - _least_area(*reversed(scores)):
            yield "its scores and its AUROC are not of one attacker"
    if k <= 2:
        return
    exposure = measurement.exposure
    recalls = {one.name: one.recall.value for one in exposure.recalls if one.recall} if exposure else {}
    for one in scores:
        room, ends = HALF * len(one.shares) + ROUNDING, _open(one)
        surely = sum(share for (low, _), share in zip(ends, one.shares, strict=True) if low > 0)
        never = sum(share for (_, high), share in zip(ends, one.shares, strict=True) if high < -math.log2(k - 1))
        if one.name in recalls and not surely - room <= recalls[one.name] <= 1 - never + room:
            yield f"the scores of {one_line(one.name)} and its recall are not of one attacker"


def _least_area(lower: ScoreDensity, upper: ScoreDensity) -> float:
    """Return the least area under the ROC curve that so many rows in these bins can have, but for rounding."""
    surely = sum(
        above * below
        for (low, _), above in zip(_open(upper), upper.shares, strict=True)
        for (_, high), below in zip(_open(lower), lower.shares, strict=True)
        if low >= high
    )
    return surely - HALF * (len(lower.shares) + len(upper.shares)) - ROUNDING


def _open(score: ScoreDensity) -> list[tuple[float, float]]:
    """Return the ends of each bin; the outer ones hold what lies beyond them, too."""
    edges = [-math.inf, *score.edges[1:-1], math.inf]
    return list(pairwise(edges))
