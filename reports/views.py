"""What the page shows, as frozen values: every number formatted, every word chosen, nothing left to decide.

The template lays these out and does no more.
"""

from dataclasses import dataclass

from reports.comparison import Comparison, Pair, Reading
from reports.drawings import Drawing, leakage_drawing, task_drawing
from reports.figures import (
    LONGEST_TEXT,
    bits,
    bits_share,
    count,
    excess,
    limit_points,
    percent,
    points,
    share,
    shorten,
)
from reports.findings import attackers, heads, task_table
from reports.provenance import provenance
from reports.tables import Table
from reports.wording import claim, contradiction, limit, tested_rows


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
    alarm: str
    """How a fresh attacker refutes the sanitizer's own head, or empty."""
    stats: tuple[Stat, ...]
    basis: str
    """Limit, who set it, test rows and what they can resolve."""


@dataclass(frozen=True)
class Page:
    """The whole report."""

    file: str
    subject: str
    summary: str
    verdicts: tuple[VerdictView, ...]
    warnings: tuple[str, ...]
    drawings: tuple[Drawing, ...]
    task: Drawing
    task_table: Table
    task_change: str
    attackers: tuple[Table, ...]
    heads: Table | None
    """None where no checkpoint was sanitized."""
    provenance: tuple[Table, ...]


KINDS = {"FAIL": "fail", "PASS": "pass", "INCONCLUSIVE": "open"}


def page(comparison: Comparison) -> Page:
    """Prepare everything that the template shows."""
    last = comparison.audits[-1][1]
    return Page(
        file=shorten(last.checkpoint.file),
        subject=_subject(comparison),
        summary=_summary(comparison.pairs),
        verdicts=tuple(_verdict(pair) for pair in comparison.pairs),
        warnings=(*comparison.warnings, *_own_warnings(comparison)),
        drawings=tuple(leakage_drawing(pair, index) for index, pair in enumerate(comparison.pairs)),
        task=task_drawing(comparison),
        task_table=task_table(comparison),
        task_change=_task_change(comparison),
        attackers=tuple(attackers(pair) for pair in comparison.pairs),
        heads=heads(comparison),
        provenance=provenance(comparison),
    )


def _subject(comparison: Comparison) -> str:
    last = comparison.audits[-1][1]
    made = last.checkpoint.sanitizing
    how = f"sanitized with {shorten(made.method)}" if made else "with no record of a sanitizer"
    against = ", set beside the checkpoint before it" if len(comparison.audits) == 2 else ""
    return (
        f"What fresh attackers read from its bottleneck, {how}{against}. "
        f"Audited {last.created[:10]} on {count(last.data.test.rows)} test rows."
    )


def _summary(pairs: tuple[Pair, ...]) -> str:
    verdicts = [pair.last.leakage.verdict for pair in pairs]
    told = [f"{verdicts.count(one)} {one}" for one in ("FAIL", "INCONCLUSIVE", "PASS") if one in verdicts]
    return f"{', '.join(told)} — one verdict per private attribute and layer."


def _verdict(pair: Pair) -> VerdictView:
    last, leakage = pair.last, pair.last.leakage
    over = excess(leakage.excess, leakage.limit)
    read = bits(leakage.bits)
    earlier = pair.first.leakage if pair.first else None
    earlier_excess = excess(earlier.excess, earlier.limit).value if earlier else ""
    earlier_bits = bits(earlier.bits).value if earlier else ""
    limit_words = f"limit: {limit_points(leakage.limit)}"
    of_all = f"{bits_share(leakage.bits, leakage.entropy).value} of {leakage.entropy:.2f} bits"
    stats = [_accuracy_stat(reading) for reading in pair.readings]
    floor, guess = share(leakage.floor), f"a guess: {percent(leakage.chance)}"
    stats += [
        Stat("Task label alone (floor)", floor.value, floor.interval, (guess,)),
        Stat("Excess over the floor", over.value, over.interval, _noted(limit_words, earlier_excess)),
        Stat("Usable information", read.value, read.interval, _noted(of_all, earlier_bits)),
    ]
    words = claim(pair)
    return VerdictView(
        verdict=leakage.verdict,
        kind=KINDS[leakage.verdict],
        attribute=shorten(leakage.attribute),
        layer=shorten(leakage.layer),
        claim=f"{words[0].upper()}{words[1:]}.",
        reason=shorten(leakage.reason, LONGEST_TEXT),
        alarm=contradiction(last) if last.head and last.head.contradicted else "",
        stats=tuple(stats),
        basis=f"Limit on the excess: {limit(last)}. {count(tested_rows(leakage))} test rows; they can tell "
        f"an excess down to about {100 * leakage.resolution:.1f} points.",
    )


def _noted(words: str, earlier: str) -> tuple[str, ...]:
    return (words, f"before: {earlier}") if earlier else (words,)


def _accuracy_stat(reading: Reading) -> Stat:
    read = share(reading.leakage.balanced_accuracy)
    return Stat(reading.when, read.value, read.interval, (f"by {shorten(reading.leakage.strongest)}",))


def _own_warnings(comparison: Comparison) -> list[str]:
    shared = set.intersection(*(set(audit.warnings) for _, audit in comparison.audits))
    once = list(dict.fromkeys(text for _, audit in comparison.audits for text in audit.warnings if text in shared))
    apart = [f"{when}: {text}" for when, audit in comparison.audits for text in audit.warnings if text not in shared]
    return [shorten(text, LONGEST_TEXT) for text in once + apart]


def _task_change(comparison: Comparison) -> str:
    if len(comparison.audits) == 1:
        return ""
    before, after = (audit.task.accuracy.value for _, audit in comparison.audits)
    return f"The task's accuracy changed by {points(after - before)}."
