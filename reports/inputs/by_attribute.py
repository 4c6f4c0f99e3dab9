"""Findings by attribute: a page says one thing of each attribute, however many layers were audited."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from audit.evidence.findings import Regression, Verdict
from audit.evidence.headline import Judged, Measured
from reports.inputs.comparison import Pair

Found = TypeVar("Found", bound=Measured)

LARGE = 120
"""A page of more findings, attributes times layers, draws less: it would not stay small otherwise."""
WORST_FIRST: tuple[Verdict, ...] = ("FAIL", "INCONCLUSIVE", "PASS")


def by_attribute(pairs: Iterable[Pair[Found]]) -> tuple[tuple[Pair[Found], ...], ...]:
    """Return the pairs of each attribute together, one per layer, in the order of the evidence."""
    found: dict[tuple[str, bool], list[Pair[Found]]] = {}
    for pair in pairs:
        one = pair.last.found
        found.setdefault((one.attribute, isinstance(one, Regression)), []).append(pair)
    return tuple(map(tuple, found.values()))


def worst(pairs: Sequence[Pair[Judged]]) -> Pair[Judged]:
    """Return the layer that decides on an attribute: of the worst verdict, and there of the largest excess."""
    return min(pairs, key=severity)


def severity(pair: Pair[Judged]) -> tuple[int, float]:
    """Return what sorts findings by their verdict, the worst first, and then by their excess."""
    return WORST_FIRST.index(pair.last.found.verdict), -pair.last.found.excess.value


def tally(verdicts: Sequence[Verdict]) -> str:
    """Return how many verdicts there are of each kind: `1 FAIL, 2 PASS`."""
    return ", ".join(f"{verdicts.count(one)} {one}" for one in WORST_FIRST if one in verdicts)
