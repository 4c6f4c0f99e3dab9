"""Warnings about the verdicts: from the comparison, from the attackers, and from the audits themselves."""

from collections.abc import Sequence

from audit.evidence.numbers import plain
from reports.inputs.comparison import Comparison, Pair
from reports.text.bounds import is_exceeded
from reports.text.sentences import attribute_at, ceiling_text, is_doubtful

CODE_RAN = (
    "inside the checkpoint file ran when it was loaded (--allow-pickle). Such code could change anything, these "
    "figures too; they are worth as much as the trust in whoever made the file."
)
ABOVE_BOUND = (
    "the strongest attacker's whole interval lies above the bound on every attacker, so one of them is wrong. Take the "
    "attacker's figure, and look for rows that belong together."
)


def cautions(comparison: Comparison) -> tuple[str, ...]:
    """Return every warning in a sentence or two, the gravest kinds first."""
    found = [pair.last.found for pair in comparison.pairs]
    return (
        *comparison.warnings,
        *(f"{when}: code {CODE_RAN}" for when, audit in comparison.audits if audit.checkpoint.pickle_ran),
        *doubts(comparison.pairs).values(),
        *(f"{attribute_at(one)}: {ABOVE_BOUND}" for one in found if is_exceeded(one)),
        *_own(comparison),
    )


def doubts(pairs: Sequence[Pair]) -> dict[tuple[str, str], str]:
    """Return by attribute and layer why a PASS may be the attackers' weakness."""
    return {
        (one.last.found.attribute, one.last.found.layer): f"{attribute_at(one.last.found)}: {ceiling_text(one)}"
        for one in pairs
        if is_doubtful(one)
    }


def plain_cautions(comparison: Comparison) -> tuple[str, ...]:
    """Return the same for a terminal or a file of text: each on one line."""
    return tuple(plain(text) or "–" for text in cautions(comparison))


def _own(comparison: Comparison) -> list[str]:
    shared = set.intersection(*(set(audit.warnings) for _, audit in comparison.audits))
    once = list(dict.fromkeys(text for _, audit in comparison.audits for text in audit.warnings if text in shared))
    apart = [f"{when}: {text}" for when, audit in comparison.audits for text in audit.warnings if text not in shared]
    return once + apart
