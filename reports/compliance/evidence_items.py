"""The closed list of evidence that provisions are mapped to, and which items of it the audit holds.

An item says little however many attributes and layers there are; the report has them all.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from audit.evidence.findings import Finding
from audit.evidence.headline import written_excess, written_guess, written_limit, written_nothing, written_task
from audit.evidence.metric import METRICS
from audit.evidence.numbers import LONGEST_TEXT, Figure, count, named, rows_told, shorten
from reports.inputs.comparison import Comparison, Pair
from reports.text.bounds import bound, is_exceeded
from reports.text.figures import floor, pair_change, score, with_metric
from reports.text.sentences import NO_TASK, attribute_at, described, is_doubtful, limit
from reports.text.verdicts import summary

T = TypeVar("T")
Item = Literal[
    "leakage", "floor", "certificate", "task", "kept", "subgroups", "sanitizing", "comparison", "rows", "protocol"
]
ITEMS: tuple[Item, ...] = get_args(Item)
SHOWN = 3
"""Findings that one line names; the others are counted."""


@dataclass(frozen=True)
class Present:
    """What an item says."""

    figure: str
    """A sentence."""
    details: tuple[str, ...] = ()
    """A line for each of the first findings, and how many more there are."""


@dataclass(frozen=True)
class Absent:
    """An item that the evidence does not hold."""

    reason: str
    """A clause that goes on after `because`."""


@dataclass(frozen=True)
class Evidence:
    """One item of the list in the evidence at hand."""

    item: Item
    name: str
    told: Present | Absent


def items(comparison: Comparison) -> dict[Item, Evidence]:
    """Return every item of the list: what it says here, or why it is absent."""
    return {item: Evidence(item, name, told(comparison)) for item, (name, told) in _ITEMS.items()}


def _leakage(comparison: Comparison) -> Present | Absent:
    highest = [
        f"Highest excess over the floor{_of_kind(found, comparison)}: {written_excess(found)}, {attribute_at(found)}; "
        f"limit {written_limit(found)}"
        for found in _highest(comparison)
    ]
    weak = sum(map(is_doubtful, comparison.pairs))
    doubts = [f"In {count(weak)} of them, a weak attacker cannot be told from no leak"] if weak else []
    return Present(summary(comparison), (*highest, *doubts))


def _highest(comparison: Comparison) -> Iterable[Finding]:
    """Yield the finding with the highest excess in each metric, which have other units."""
    for metric in METRICS:
        if found := [pair.last.found for pair in comparison.pairs if pair.last.measurement.metric == metric]:
            yield max(found, key=lambda one: one.measurement.excess.value)


def _of_kind(found: Finding, comparison: Comparison) -> str:
    if len({pair.last.measurement.metric for pair in comparison.pairs}) == 1:
        return ""
    return " among classes" if found.measurement.kind.percent else " among numbers"


def _floor(comparison: Comparison) -> Present | Absent:
    if comparison.last.task is None:
        return Absent(NO_TASK)
    return Present("What the predicted task label alone gives away.", _some(_gives_away, _once(comparison)))


def _gives_away(found: Finding) -> str:
    measurement = found.measurement
    told = with_metric(measurement, floor(measurement))
    return f"{named(found.attribute)}: {told}; {measurement.kind.guess} {written_guess(measurement)}"


def _certificate(comparison: Comparison) -> Present | Absent:
    findings = [pair.last.found for pair in comparison.pairs]
    bounded = [found for found in findings if found.certificate]
    if not bounded:
        return Absent("no audited layer gives so few distinct vectors that they could be counted")
    believed = [found for found in bounded if not is_exceeded(found)]
    if not believed:
        return Absent("an attacker's whole interval lies above the bound, so one of the two is wrong")
    telling = [found for found in believed if _is_telling(found)]
    if not telling:
        return Absent("the distinct vectors are so many for these rows that the bound is no less than all there is")
    told = _some(lambda one: f"{attribute_at(one)}: {bound(one).removesuffix('.')}", telling)
    return Present(f"For {count(len(telling))} of {_findings(findings)}.", told)


def _is_telling(found: Finding) -> bool:
    """Whether the bound excludes anything: some attacker, or some of the information."""
    one, most = found.certificate, found.measurement.entropy or 0.0
    return one is not None and (one.balanced_accuracy < 1 or one.bits < most)


def _task(comparison: Comparison) -> Present | Absent:
    tasks = [(when, audit.task) for when, audit in comparison.audits if audit.task]
    if not tasks:
        return Absent("no task was named")
    last = tasks[-1][1]
    read = _set_apart([(when, written_task(task)) for when, task in tasks])
    return Present(f"{named(last.name)}: {last.title} {read}; {last.nothing}, {written_nothing(last)}.")


def _kept(comparison: Comparison) -> Present | Absent:
    if not comparison.retained:
        return Absent("no attribute was named that should stay readable")
    return Present("What can still be read of them.", _some(_reads, comparison.retained))


def _subgroups(comparison: Comparison) -> Present | Absent:
    found = [one for one in _once(comparison) if one.measurement.kind.percent]
    if not found:
        return Absent("only numbers were audited, and they have no classes")
    return Present("Classes of each private attribute, and the test rows of the smallest.", _some(_groups, found))


def _groups(found: Finding) -> str:
    classes, rare = found.measurement.classes, found.measurement.left_out
    fewest = rows_told(min((one.test for one in classes), default=0))
    left_out = f"; {count(len(rare))} more too rare to audit" if rare else ""
    return f"{named(found.attribute)}: {count(len(classes))} classes, {fewest}{left_out}"


def _sanitizing(comparison: Comparison) -> Present | Absent:
    made = comparison.last.checkpoint.sanitizing
    if made is None:
        return Absent("the checkpoint carries no record of a sanitizer")
    return Present(f"{named(made.method)} at {named(made.layer)}.", (f"It {described(made.card)}",))


def _comparison(comparison: Comparison) -> Present | Absent:
    if len(comparison.audits) < 2:
        return Absent("one checkpoint was audited, and there is nothing to compare it with")
    doubts = (shorten(text, LONGEST_TEXT) for text in comparison.warnings)
    told = f"{_findings(comparison.pairs)} on the same rows, with the same attackers and splits."
    return Present(told, (*_some(_reads, comparison.pairs), *doubts))


def _rows(comparison: Comparison) -> Present | Absent:
    data = comparison.last.data
    together = f"kept together by {named(data.group)}" if data.group else "every row standing alone"
    rows = f"{rows_told(data.rows)}, {count(comparison.last.tested)} of them for the figures, {together}"
    return Present(f"{named(data.name)}: {rows}.")


def _protocol(comparison: Comparison) -> Present | Absent:
    protocol = comparison.last.protocol
    names = named(", ".join(protocol.attackers))
    return Present(
        f"Fresh attackers ({names}) on {count(len(protocol.views))} views of the features, "
        f"{count(protocol.bootstrap)} resamples, {count(protocol.null_refits)} refits on shuffled labels, seed "
        f"{protocol.seed}, limit {limit(comparison.pairs[0].last)}."
    )


def _once(comparison: Comparison) -> list[Finding]:
    """Return one finding of each attribute: its rows and its floor are the same at every layer."""
    once: dict[str, Finding] = {}
    for pair in comparison.pairs:
        once.setdefault(pair.last.found.attribute, pair.last.found)
    return list(once.values())


def _reads(pair: Pair) -> str:
    measurement = pair.last.measurement
    read = _set_apart([(one.when, score(one.measurement)) for one in pair.readings])
    by = f", change {pair_change(pair, measurement.metric)}" if pair.first else ""
    return f"{attribute_at(pair.last.found)}: {with_metric(measurement, read)}{by}"


def _set_apart(figures: Sequence[tuple[str, Figure]]) -> str:
    """Return one figure, or two with when they were taken."""
    return ", ".join(f"{when.lower()} {figure}" if len(figures) > 1 else str(figure) for when, figure in figures)


def _findings(found: Sequence[object]) -> str:
    return f"{count(len(found))} finding{'' if len(found) == 1 else 's'}"


def _some(told: Callable[[T], str], found: Sequence[T]) -> tuple[str, ...]:
    """Return a line for each of the first findings, and how many more there are."""
    more = (f"and {count(len(found) - SHOWN)} more, all in the report",) if len(found) > SHOWN else ()
    return *map(told, found[:SHOWN]), *more


_ITEMS: dict[Item, tuple[str, Callable[[Comparison], Present | Absent]]] = {
    "leakage": ("Leakage", _leakage),
    "floor": ("Floor", _floor),
    "certificate": ("Bound", _certificate),
    "task": ("Task", _task),
    "kept": ("Kept attributes", _kept),
    "subgroups": ("Groups", _subgroups),
    "sanitizing": ("Sanitizing", _sanitizing),
    "comparison": ("Before and after", _comparison),
    "rows": ("Rows", _rows),
    "protocol": ("Protocol", _protocol),
}
"""What each item is called, and what it says or why it is absent."""
