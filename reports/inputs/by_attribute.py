"""Findings by attribute: a page says one thing of each attribute, however many layers were audited."""

from collections.abc import Iterable, Sequence

from audit.evidence.findings import Verdict
from audit.evidence.metric import MetricName
from reports.inputs.comparison import Pair

LARGE = 120
"""A page of more findings, attributes times layers, draws less: it would not stay small otherwise."""
WORST_FIRST: tuple[Verdict, ...] = ("FAIL", "INCONCLUSIVE", "PASS")


def by_attribute(pairs: Iterable[Pair]) -> tuple[tuple[Pair, ...], ...]:
    """Return the pairs of each attribute together, one per layer, in the order of the evidence."""
    found: dict[tuple[str, MetricName], list[Pair]] = {}
    for pair in pairs:
        one = pair.last.found
        found.setdefault((one.attribute, one.measurement.metric), []).append(pair)
    return tuple(map(tuple, found.values()))


def worst(pairs: Sequence[Pair]) -> Pair:
    """Return the layer that decides on an attribute: of the worst verdict, and there of the largest excess."""
    return min(pairs, key=severity)


def severity(pair: Pair) -> tuple[int, float]:
    """Return what sorts findings by their verdict, the worst first, and then by their excess."""
    found = pair.last.found
    return WORST_FIRST.index(found.decided.verdict), -found.measurement.excess.value


def tally(verdicts: Sequence[Verdict]) -> str:
    """Return how many verdicts there are of each kind: `1 FAIL, 2 PASS`."""
    return ", ".join(f"{verdicts.count(one)} {one}" for one in WORST_FIRST if one in verdicts)
