"""The gate's outcome in sentences, one line each, for a terminal and for JUnit."""

from reports.gate.gate import OPEN, Outcome, conclusion
from reports.gate.requirements import Requirement
from reports.inputs.comparison import Checked, Does
from reports.text.sentences import retained_sentence, sentence, task_sentence

WORDS = {"retained": "HELD", "lost": "LOST", "open": "OPEN"}


def told(outcome: Outcome) -> list[str]:
    """Return a sentence on the task, on each attribute at each layer, and on what else was asked."""
    comparison = outcome.comparison
    task = task_sentence(comparison)
    return [
        *([task] if task else []),
        *map(sentence, comparison.pairs),
        *(retained_sentence(pair, outcome.losses.kept) for pair in comparison.retained),
        *map(required, outcome.requirements),
    ]


def checked(outcome: Outcome) -> Checked:
    """Return the outcome in the words in which a page tells it."""
    asked = tuple(map(required, outcome.requirements))
    does: Does = "passes" if outcome.exit_code == 0 else "does not pass" if outcome.exit_code == OPEN else "fails"
    return Checked(does, conclusion(outcome), asked, outcome.losses.kept)


def required(one: Requirement) -> str:
    """Return in a sentence what was asked beside the leakage, and what came of it."""
    return f"{WORDS[one.state]}: {one.name}, {one.subject}: {one.reason}"
