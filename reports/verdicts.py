"""The answer for each private attribute at each layer: the verdict and the figures it is read against."""

from dataclasses import dataclass

from audit.evidence import Leakage, Regression
from reports.bounds import bound
from reports.comparison import Comparison, Pair, Reading
from reports.figures import LONGEST_TEXT, Figure, bits, bits_share, count, decimal, quantity, shorten
from reports.headline import (
    Judged,
    headline,
    tested_rows,
    unit,
    written,
    written_excess,
    written_guess,
    written_limit,
    written_resolution,
)
from reports.wording import NO_TASK, claim, contradiction, limit, told_ceiling


@dataclass(frozen=True)
class Stat:
    """One figure of a verdict with its name, its interval and what it is read against."""

    name: str
    value: str
    interval: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class VerdictView:
    """The answer for one attribute at one layer."""

    verdict: str
    kind: str
    """`fail`, `pass` or `open`: how it is set."""
    attribute: str
    layer: str
    claim: str
    reason: str
    ceiling: str
    """Whether the attackers are able to read the attribute at all."""
    bound: str
    """What no attacker whatever can exceed, or empty."""
    alarm: str
    """How a fresh attacker refutes the sanitizer's own head, or empty."""
    stats: tuple[Stat, ...]
    basis: str
    """Limit, who set it, test rows and what they can resolve."""


KINDS = {"FAIL": "fail", "PASS": "pass", "INCONCLUSIVE": "open"}


def summary(comparison: Comparison) -> str:
    """Return how many verdicts there are of each kind."""
    verdicts = [pair.last.found.verdict for pair in comparison.pairs]
    told = [f"{verdicts.count(one)} {one}" for one in ("FAIL", "INCONCLUSIVE", "PASS") if one in verdicts]
    return f"{', '.join(told)} — one verdict per private attribute and layer."


def verdict(pair: Pair[Judged]) -> VerdictView:
    """Prepare the verdict on one attribute at one layer."""
    last, found = pair.last, pair.last.found
    words = claim(pair)
    return VerdictView(
        verdict=found.verdict,
        kind=KINDS[found.verdict],
        attribute=shorten(found.attribute),
        layer=shorten(found.layer),
        claim=f"{words[0].upper()}{words[1:]}.",
        reason=shorten(found.reason, LONGEST_TEXT),
        ceiling=told_ceiling(pair),
        bound=bound(found),
        alarm=contradiction(last) if last.head and last.head.contradicted else "",
        stats=(*map(_read, pair.readings), _floor(last), _excess(pair), *_information(pair)),
        basis=f"Limit on the excess: {limit(last)}. {count(tested_rows(found))} test rows; they can tell "
        f"an excess down to about {written_resolution(found)}.",
    )


def _read(reading: Reading[Judged]) -> Stat:
    found = reading.found
    figure = written(found, headline(found))
    name = reading.when if isinstance(found, Leakage) else f"{reading.when}, {unit(found)}"
    return _stat(name, figure, f"by {shorten(found.strongest)}")


def _floor(reading: Reading[Judged]) -> Stat:
    found = reading.found
    known = "answering the mean" if isinstance(found, Regression) else "a guess"
    if reading.audit.task is None:
        return Stat(f"{known[0].upper()}{known[1:]} (floor)", written_guess(found), "", (NO_TASK,))
    return _stat("Task label alone (floor)", written(found, found.floor), f"{known}: {written_guess(found)}")


def _excess(pair: Pair[Judged]) -> Stat:
    earlier = (f"before: {written_excess(pair.first.found).value}",) if pair.first else ()
    found = pair.last.found
    return _stat("Excess over the floor", written_excess(found), f"limit: {written_limit(found)}", *earlier)


def _information(pair: Pair[Judged]) -> list[Stat]:
    found, earlier = pair.last.found, pair.first.found if pair.first else None
    if isinstance(found, Regression):
        before = (f"before: {quantity(earlier.mae).value}",) if isinstance(earlier, Regression) else ()
        median = f"answering the median: {quantity(found.mae.model_copy(update={'value': found.median_mae})).value}"
        return [_stat("Mean error", quantity(found.mae), median, *before)]
    of_all = f"{bits_share(found.bits, found.entropy).value} of {found.entropy:.2f} bits"
    other = earlier if isinstance(earlier, Leakage) else None
    stats = [
        _stat(
            "AUROC", decimal(found.auroc), "a guess: 0.5", *([f"before: {decimal(other.auroc).value}"] if other else [])
        ),
        _stat(
            "Usable information", bits(found.bits), of_all, *([f"before: {bits(other.bits).value}"] if other else [])
        ),
    ]
    if found.given_task:
        given = [f"before: {bits(other.given_task).value}"] if other and other.given_task else []
        adds = "what the features add to the true task label"
        stats.append(_stat("Given the task", bits(found.given_task), adds, *given))
    return stats


def _stat(name: str, figure: Figure, *notes: str) -> Stat:
    return Stat(name, figure.value, figure.interval, notes)
