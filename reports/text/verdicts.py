"""Verdicts on a page: their marks, how they are set, how many there are, and a figure that one is read against."""

from dataclasses import dataclass
from typing import Literal

from audit.evidence.findings import Verdict
from audit.evidence.numbers import Figure
from reports.inputs.by_attribute import by_attribute, tally, worst
from reports.inputs.comparison import Comparison, Does
from reports.text.next_step import NextStep

KINDS: dict[Verdict, str] = {"FAIL": "fail", "INCONCLUSIVE": "open", "PASS": "pass"}
"""How they are set, the worst first."""
MARKS: dict[Verdict, str] = {"FAIL": "●", "INCONCLUSIVE": "◐", "PASS": "○"}
"""How full the mark is tells the verdict in grey and on paper too."""


@dataclass(frozen=True)
class Stat:
    """One figure of a verdict with its name, its interval and what it is read against."""

    name: str
    value: str
    interval: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The answer for one private attribute, at the layer or the point that decides."""

    attribute: str
    layer: str
    verdict: Verdict | Literal[""]
    """Empty where no point of a sweep keeps the task."""
    claim: str
    """What was found, in one sentence with its figures, its limit and its rows."""
    stats: tuple[Stat, ...]
    reason: str
    """Why this verdict, or empty without one."""
    basis: str
    """What the answer rests on: what these rows and attackers can tell, or the limit and what counts as kept."""
    layers: str = ""
    """What the other layers say, or empty where there are none."""
    bound: str = ""
    """What no attacker whatever can exceed, or empty."""
    alarm: str = ""
    """How a fresh attacker refutes the sanitizer's own head, or empty."""
    next: NextStep | None = None
    """What to do about it."""

    @property
    def kind(self) -> str:
        """`fail`, `pass` or `open`: how it is set; empty without a verdict."""
        return KINDS[self.verdict] if self.verdict else ""

    @property
    def mark(self) -> str:
        """How full the verdict's circle is."""
        return MARKS[self.verdict] if self.verdict else ""


CHECKED: dict[Does, str] = {"passes": "pass", "does not pass": "open", "fails": "fail"}
"""How is set what a check does."""


@dataclass(frozen=True)
class CheckAnswer:
    """What the check of a build decided, and on what beside the leakage."""

    kind: str
    """`fail`, `pass` or `open`: how it is set."""
    heading: str
    conclusion: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """The answers, the summary of them if there is one, and what to know before one is believed."""

    answers: tuple[Answer, ...]
    warnings: tuple[str, ...]
    summary: str = ""
    cost: str = ""
    """What removal cost the task and what is to be kept; empty without an audit before."""
    check: CheckAnswer | None = None
    """None where the page is not that of a check."""


def marked(verdict: Verdict) -> str:
    """Return a verdict with its mark."""
    return f"{MARKS[verdict]}\N{NO-BREAK SPACE}{verdict}"


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
