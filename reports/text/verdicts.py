"""Verdicts on a page: their marks, how they are set, how many there are, and a figure that one is read against."""

from dataclasses import dataclass

from audit.evidence.numbers import Figure
from reports.inputs.by_attribute import by_attribute, tally, worst
from reports.inputs.comparison import Comparison

KINDS = {"FAIL": "fail", "PASS": "pass", "INCONCLUSIVE": "open"}
MARKS = {"FAIL": "●", "INCONCLUSIVE": "◐", "PASS": "○"}
"""How full the mark is tells the verdict in grey and on paper too."""


@dataclass(frozen=True)
class Stat:
    """One figure of a verdict with its name, its interval and what it is read against."""

    name: str
    value: str
    interval: str
    notes: tuple[str, ...]


def summary(comparison: Comparison) -> str:
    """Return how many verdicts there are of each kind."""
    found = by_attribute(comparison.pairs)
    layers = max(map(len, found))
    last = [worst(pairs).last.found.decided.verdict for pairs in found]
    each = "one verdict per private attribute" + (", the worst of its layers" if layers > 1 else "")
    return f"{tally(last)} — {each}."


def stat(name: str, figure: Figure, *notes: str) -> Stat:
    """Return a figure of a verdict with its interval."""
    return Stat(name, figure.value, figure.interval, notes)
