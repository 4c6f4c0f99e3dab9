"""What removal cost: the task, and what should stay readable."""

from audit.evidence.numbers import named
from reports.inputs.comparison import Comparison
from reports.inputs.retention import kept_state
from reports.text.figures import written_task_change
from reports.text.sentences import KEPT_STATES, MOST_LISTED

WORDS = {"lost": "lost", "open": "not clearly retained", "retained": "retained"}
"""What became of an attribute to keep, in a clause."""


def cost(comparison: Comparison) -> str:
    """Return in a sentence what removal cost; empty without an audit before, or with nothing to say of it."""
    if len(comparison.audits) < 2:
        return ""
    told = []
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if len(tasks) == 2:
        told.append(f"the task's {tasks[1].title} changed by {written_task_change(*tasks)}")
    found: dict[str, list[str]] = {}
    for pair in comparison.retained:
        found.setdefault(kept_state(pair, comparison.keep_drop), []).append(named(pair.last.found.attribute))
    for state in KEPT_STATES:
        if state in found and state in WORDS:
            names = list(dict.fromkeys(found[state]))
            more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
            told.append(f"{WORDS[state]}: {', '.join(names[:MOST_LISTED])}{more}")
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}." if text else ""
