"""What is left of attributes that are not private, beside what could be kept of them at best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Estimate
from audit.evidence.numbers import Figure, decimal, fixed, percent, shorten
from audit.evidence.watched import AREA, GUESS, Area
from reports.inputs.comparison import Comparison
from reports.render.table import Body, Row, Table, over
from reports.text.figures import NONE

NAMED = "named to be kept"


@dataclass(frozen=True)
class Read:
    """What one audit reads of one attribute."""

    attribute: str
    layer: str
    metric: Area
    figure: Estimate
    at_best: Estimate | None
    is_named: bool
    """Whether it was named as one that should stay; a watched one was not."""

    @property
    def gain(self) -> float:
        """Over who knows nothing."""
        return self.figure.value - GUESS[self.metric]

    @property
    def is_readable(self) -> bool:
        """Whether that is more than nothing, by its interval: else there is nothing to keep."""
        return min(self.figure.low, self.figure.value) > GUESS[self.metric]

    @property
    def possible(self) -> float | None:
        """What could be kept at best, over who knows nothing; None where that is not clearly more than nothing."""
        one = self.at_best
        return one.value - GUESS[self.metric] if one and min(one.low, one.value) > GUESS[self.metric] else None


@dataclass(frozen=True)
class Kept:
    """One attribute at one layer, in every audit."""

    readings: tuple[Read, ...]

    @property
    def of_before(self) -> float | None:
        """The share of what was read before that still is; None of one audit, or where there was nothing."""
        first, last = self.readings[0], self.readings[-1]
        return last.gain / first.gain if len(self.readings) == 2 and first.is_readable else None

    @property
    def of_possible(self) -> float | None:
        """The share that is read of what could have been kept of the first audit's features at best."""
        possible = self.readings[0].possible
        return None if possible is None or len(self.readings) < 2 else self.readings[-1].gain / possible


def kept(comparison: Comparison) -> tuple[Kept, ...]:
    """Return what every audit read of attributes to keep and of watched ones; one that only some watched is left out.

    Evidence of before the best was measured gives nothing.
    """
    found = [{(one.attribute, one.layer): one for one in _reads(audit)} for _, audit in comparison.audits]
    return tuple(
        Kept(tuple(each[place] for each in found))
        for place, first in found[0].items()
        if all(place in each and each[place].metric == first.metric for each in found)
    )


def _reads(audit: AuditResult) -> Iterator[Read]:
    for one in audit.retained:
        metric = AREA[one.measurement.metric]
        figure, best = one.measurement.figures[metric], one.measurement.at_best
        if best is not None:
            yield Read(one.attribute, one.layer, metric, figure, best, is_named=True)
    for seen in audit.watched:
        yield Read(seen.attribute, seen.layer, seen.metric, seen.figure, seen.at_best, is_named=False)


def kept_table(comparison: Comparison) -> Table | None:
    """Return the figures of every attribute beside what is possible, or None where none was measured so."""
    found = kept(comparison)
    if not found:
        return None
    has_two = len(comparison.audits) == 2
    columns = (
        ("Before", "After", "At best", "Kept of before, %", "Kept of the best, %") if has_two else ("Read", "At best")
    )
    tag = "" if all(one.readings[0].is_named for one in found) else NAMED
    bodies = tuple(
        Body(
            "" if len({one.readings[0].layer for one in found}) == 1 else shorten(layer),
            tuple(_row(one, tag=tag) for one in some),
        )
        for layer, some in _by_layer(found)
    )
    caption = "What is read that is not private, and at best: AUROC, or R² of a number"
    return Table(caption, ("Attribute", *columns), kind="possible", bodies=bodies)


def kept_text(comparison: Comparison) -> str:
    """Say in a sentence how much of all of them was kept, of two audits; empty where that cannot be told."""
    found = kept(comparison)
    told = []
    for shares, of in (
        ([one.of_before for one in found], "what was read before"),
        ([one.of_possible for one in found], "what could be kept at best"),
    ):
        known = [share for share in shares if share is not None]
        if known:
            told.append(f"{percent(sum(known) / len(known), 0)} of {of} (mean of {len(known)})")
    if not told:
        return ""
    return (
        f"Of these attributes the model after keeps {' and '.join(told)}, counted from a guess. More than all of the "
        "best is kept only where the private attributes are still told, where training taught the features more, or by "
        "chance."
    )


def _by_layer(found: Sequence[Kept]) -> Iterator[tuple[str, list[Kept]]]:
    for layer in dict.fromkeys(one.readings[0].layer for one in found):
        yield layer, [one for one in found if one.readings[0].layer == layer]


def _row(one: Kept, tag: str) -> Row:
    first = one.readings[0]
    name = shorten(first.attribute) + (" (R²)" if first.metric == "r2" else "")
    figures = [*(decimal(each.figure) for each in one.readings), decimal(first.at_best) if first.at_best else NONE]
    if len(one.readings) == 2:
        figures += [_share(one.of_before), _share(one.of_possible)]
    return Row(name, tuple(map(over, figures)), tag=tag if first.is_named else "")


def _share(share: float | None) -> Figure:
    return NONE if share is None else Figure(fixed(100 * share, 0), "")
