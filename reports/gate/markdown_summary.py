"""The gate's outcome as Markdown, for a pull request or the summary of a job.

Whatever comes from the evidence goes through reports.render.markdown: shown as text, calling
nobody and linking nowhere.
"""

from collections.abc import Sequence
from pathlib import Path

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.headline import written_excess, written_guess, written_nothing, written_task
from audit.evidence.json_file import without_places
from audit.evidence.numbers import count, hexdigits, of_held, one_line
from reports.gate.gate import Outcome, conclusion
from reports.gate.told import WORDS
from reports.inputs.by_attribute import WORST_FIRST
from reports.inputs.comparison import Comparison, Pair
from reports.inputs.retention import kept_state
from reports.render.markdown import text
from reports.text.caveats import plain_cautions
from reports.text.figures import floor, pair_change, score, with_metric, written_task_change
from reports.text.identities import gives_away, identities, identity_sentence
from reports.text.sentences import NO_TASK, limit

MOST_ROWS = 100
"""Of a table; a comment on a pull request holds 65,536 characters."""
TITLE = "## Privacy check: "
PLACE, ROWS = "Attribute at layer", "Test rows"
CAVEAT = "A PASS speaks of these attackers, these layers and these rows; an attacker that nobody tried may read more."


def is_own(path: Path) -> bool:
    """Return whether a file begins as `markdown` does."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(TITLE)) == TITLE
    except OSError:
        return False


def markdown(outcome: Outcome, report: Path | None = None) -> str:
    """Return the outcome as Markdown, always the same; `report` is where the full report was written, if it was."""
    comparison = outcome.comparison
    pairs = sorted(comparison.pairs, key=lambda pair: WORST_FIRST.index(pair.last.found.decided.verdict))
    columns = ("Verdict", PLACE, *_read_columns(comparison), "Floor", "Excess over the floor", "Limit", ROWS)
    blocks = (
        [f"{TITLE}{outcome.title}", conclusion(outcome), _subject(comparison)],
        [_table(columns, [_row(pair) for pair in pairs])],
        _reasons(pairs),
        [_task(comparison)],
        _required(outcome),
        _kept(comparison, outcome.losses.kept),
        _identities(comparison),
        _warnings(comparison),
        [CAVEAT, *([f"The full report: {_name(without_places(str(report)))}"] if report else [])],
    )
    return "\n\n".join(block for some in blocks for block in some) + "\n"


def _subject(comparison: Comparison) -> str:
    last = comparison.last
    before = f", and before it {_checkpoint(comparison.audits[0][1])}" if len(comparison.audits) == 2 else ""
    return (
        f"{_checkpoint(last)}{before}. Audited {_name(last.created[:10])} on "
        f"{of_held(last.tested, last.data.test.rows)} "
        f"test rows of {_name(last.data.name)}, by {', '.join(map(_name, last.protocol.attackers))}."
    )


def _checkpoint(audit: AuditResult) -> str:
    return f"{_name(audit.checkpoint.file)} (SHA-256 {_name(hexdigits(audit.checkpoint.sha256))})"


def _read_columns(comparison: Comparison) -> tuple[str, ...]:
    two = len(comparison.audits) == 2
    return ("Read before → after (95 % interval)", "Change") if two else ("Read (95 % interval)",)


def _row(pair: Pair) -> tuple[str, ...]:
    found, measurement = pair.last.found, pair.last.measurement
    return (
        f"**{found.decided.verdict}**",
        _place(found),
        *_read(pair),
        str(floor(measurement)),
        str(written_excess(found)),
        limit(pair.last),
        count(measurement.test_rows),
    )


def _name(words: str) -> str:
    return text(one_line(words))


def _place(found: Finding) -> str:
    return f"{_name(found.attribute)} at {_name(found.layer)}"


def _read(pair: Pair) -> tuple[str, ...]:
    """Return the score, or for two audits the scores before and after and their change."""
    measurement = pair.last.measurement
    read = with_metric(measurement, " → ".join(str(score(one.measurement)) for one in pair.readings))
    return (read, str(pair_change(pair, measurement.metric))) if pair.first else (read,)


def _reasons(pairs: Sequence[Pair]) -> list[str]:
    told = [
        f"- **{pair.last.found.decided.verdict}** {_place(pair.last.found)}: {text(pair.last.found.decided.reason)}"
        for pair in pairs
        if pair.last.found.decided.verdict != "PASS"
    ]
    return ["\n".join(_some(told))] if told else []


def _task(comparison: Comparison) -> str:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return f"{NO_TASK[0].upper()}{NO_TASK[1:]}."
    last, told = tasks[-1], " → ".join(str(written_task(task)) for task in tasks)
    if len(tasks) == 2:
        told += f", a change of {written_task_change(*tasks)}"
    return f"Task {_name(last.name)}: {last.title} {told}; {last.nothing} gives {written_nothing(last)}."


def _required(outcome: Outcome) -> list[str]:
    lines = [
        f"- **{WORDS[one.state]}** {one.name}, {_name(one.subject)}: {text(one.reason)}" for one in outcome.requirements
    ]
    return ["\n".join(_some(lines))] if lines else []


def _kept(comparison: Comparison, tolerance: float | None) -> list[str]:
    if not comparison.retained:
        return []
    columns = (PLACE, "State", *_read_columns(comparison), "A guess", ROWS)
    found = [(pair, pair.last.measurement) for pair in comparison.retained]
    rows = [
        (
            _place(pair.last.found),
            kept_state(pair, tolerance),
            *_read(pair),
            written_guess(one),
            count(one.test_rows),
        )
        for pair, one in found
    ]
    return ["### What should stay readable", _table(columns, rows)]


def _identities(comparison: Comparison) -> list[str]:
    lines = [f"- {text(identity_sentence(one))}" for one in identities(comparison)]
    told = text(gives_away(comparison))
    return ["### Whether people stay recognisable", "\n".join(_some(lines)), told] if lines else []


def _warnings(comparison: Comparison) -> list[str]:
    warnings = [f"- {text(told)}" for told in plain_cautions(comparison)]
    return ["### To be read with care", "\n".join(_some(warnings))] if warnings else []


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows[:MOST_ROWS])]
    more = len(rows) - MOST_ROWS
    return "\n".join(lines) + (f"\n\n{count(more)} more are in the evidence." if more > 0 else "")


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_ROWS
    return [*lines[:MOST_ROWS], *([f"- {count(more)} more are in the evidence."] if more > 0 else [])]
