"""What the page shows, as frozen values: every number formatted, every word chosen, nothing left to decide.

The template lays these out and does no more.
"""

from dataclasses import dataclass

from reports.bounds import basis, bounds_table, is_exceeded
from reports.comparison import Comparison
from reports.drawings import Drawing, attribute_drawing, task_drawing
from reports.figures import LONGEST_TEXT, count, points, shorten
from reports.findings import attackers, heads, task_table
from reports.kept import kept_table
from reports.provenance import provenance
from reports.tables import Table
from reports.verdicts import VerdictView, summary, verdict
from reports.where import WhereView, where
from reports.wording import attribute_at, is_untold, told_ceiling


@dataclass(frozen=True)
class Page:
    """The whole report."""

    file: str
    subject: str
    summary: str
    verdicts: tuple[VerdictView, ...]
    warnings: tuple[str, ...]
    drawings: tuple[Drawing, ...]
    basis: tuple[str, ...]
    """What the bounds on every attacker rest on; empty where there are none."""
    bounds: Table | None
    where: tuple[WhereView, ...]
    task: Drawing | None
    """None where no task was named."""
    task_table: Table | None
    task_change: str
    kept: tuple[Drawing, ...]
    kept_table: Table | None
    attackers: tuple[Table, ...]
    heads: Table | None
    """None where no checkpoint was sanitized."""
    provenance: tuple[Table, ...]


def page(comparison: Comparison) -> Page:
    """Prepare everything that the template shows."""
    last = comparison.audits[-1][1]
    return Page(
        file=shorten(last.checkpoint.file),
        subject=_subject(comparison),
        summary=summary(comparison),
        verdicts=tuple(map(verdict, comparison.pairs)),
        warnings=(
            *comparison.warnings,
            *_loaded_warnings(comparison),
            *_weak(comparison),
            *_exceeded(comparison),
            *_own_warnings(comparison),
        ),
        drawings=tuple(attribute_drawing(pair, f"leakage-{index}") for index, pair in enumerate(comparison.pairs)),
        basis=basis(comparison),
        bounds=bounds_table(comparison),
        where=tuple(view for pair in comparison.pairs if (view := where(pair))),
        task=task_drawing(comparison),
        task_table=task_table(comparison),
        task_change=_task_change(comparison),
        kept=tuple(attribute_drawing(pair, f"kept-{index}") for index, pair in enumerate(comparison.kept)),
        kept_table=kept_table(comparison),
        attackers=tuple(map(attackers, (*comparison.pairs, *comparison.kept))),
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


def _loaded_warnings(comparison: Comparison) -> list[str]:
    return [
        f"{when}: code inside the checkpoint file ran when it was loaded (--allow-pickle). Such code could change "
        "anything, these figures too; they are worth as much as the trust in whoever made the file."
        for when, audit in comparison.audits
        if audit.checkpoint.pickle_ran
    ]


def _weak(comparison: Comparison) -> list[str]:
    return [f"{attribute_at(pair.last.found)}: {told_ceiling(pair)}" for pair in comparison.pairs if is_untold(pair)]


def _exceeded(comparison: Comparison) -> list[str]:
    return [
        f"{attribute_at(pair.last.found)}: the strongest attacker's whole interval lies above the bound on every "
        "attacker, so one of them is wrong. Take the attacker's figure, and look for rows that belong together."
        for pair in comparison.pairs
        if is_exceeded(pair.last.found)
    ]


def _own_warnings(comparison: Comparison) -> list[str]:
    shared = set.intersection(*(set(audit.warnings) for _, audit in comparison.audits))
    once = list(dict.fromkeys(text for _, audit in comparison.audits for text in audit.warnings if text in shared))
    apart = [f"{when}: {text}" for when, audit in comparison.audits for text in audit.warnings if text not in shared]
    return [shorten(text, LONGEST_TEXT) for text in once + apart]


def _task_change(comparison: Comparison) -> str:
    accuracies = [audit.task.accuracy.value for _, audit in comparison.audits if audit.task]
    return f"The task's accuracy changed by {points(accuracies[1] - accuracies[0])}." if len(accuracies) == 2 else ""
