"""Who the attacker is taken to be: what it has, knows and does, and what is out of scope."""

from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import COMMITTEE
from audit.evidence.headline import Judged
from audit.evidence.numbers import count, named, rows_told
from reports.inputs.comparison import Comparison

FEW = 3
"""Names of layers that a sentence holds; more are counted."""


@dataclass(frozen=True)
class Term:
    """One thing to know, and what it is."""

    name: str
    says: str


def tested(comparison: Comparison) -> str:
    """Return in two sentences what was tested."""
    last = comparison.audits[-1][1]
    data = last.data
    what = (
        f"The embeddings of {named(last.checkpoint.file)}"
        if last.checkpoint.format == "embeddings"
        else f"{named(last.checkpoint.file)} ({named(last.checkpoint.architecture)}), frozen as it was found"
    )
    task = f" Its task is {named(last.task.name)}." if last.task else ""
    return (
        f"{what}, on {rows_told(data.rows)} of {named(data.name)}: {count(data.train.rows)} train the attackers, "
        f"{count(data.select.rows)} choose among them, and {count(data.test.rows)} give the figures.{task}"
    )


def threat(comparison: Comparison) -> tuple[Term, ...]:
    """Return the threat model, with the sizes of this audit in it."""
    last = comparison.audits[-1][1]
    floor = "what the predicted task label alone gives" if last.task else "a guess"
    return (
        Term("Has", _has(comparison)),
        Term(
            "Learns from",
            f"Rows of the same population with the attribute known: at most {count(last.protocol.fit_rows)} to fit "
            f"an attacker, of {count(last.data.train.rows)} here, and {count(last.data.select.rows)} to tune and "
            "choose it. Who has fewer may read less, and who has more may read more.",
        ),
        Term(
            "Knows",
            "Which attribute to guess, and what these numbers are. Neither the architecture nor the weights are used: "
            "attackers see features alone. Whoever has the weights can look at any other layer too.",
        ),
        Term(
            "Does",
            f"Passive. It trains {_attackers(last)} from scratch, takes the strongest, and guesses for rows that it "
            "never saw. It changes neither the model nor its data, and asks the model nothing more.",
        ),
        Term("Gains", f"What it reads beyond {floor}; the verdict is on this excess."),
        Term(
            "Out of scope",
            "Whether a record was among the training rows (membership); rebuilding inputs from features; attackers "
            "who know more of a row than its features, take part in training, or craft inputs; other layers, "
            "attributes and populations.",
        ),
    )


def _has(comparison: Comparison) -> str:
    last = comparison.audits[-1][1]
    found = {pair.last.found.layer: pair.last.found for pair in (*comparison.pairs, *comparison.kept)}
    if len(found) <= FEW:
        told = [f"{named(layer)} ({count(one.width)} numbers)" for layer, one in found.items()]
        where = f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
    else:
        where = f"the {count(len(found))} layers listed below"
    source = "the table of embeddings holds" if last.checkpoint.format == "embeddings" else "the model gives"
    each = "; each layer is attacked by itself" if len(found) > 1 else ""
    return f"The features of each row at {where}, as {source} them{each}."


def _attackers(audit: AuditResult) -> str:
    judged: list[Judged] = [*audit.leakage, *audit.continuous]
    tried = {one.name for found in judged for one in found.attackers}
    names = len(audit.protocol.attackers)
    views = len(audit.protocol.views)
    joined = ", and a committee of them" if COMMITTEE in tried else ""
    kinds = f"{count(names)} kind{'' if names == 1 else 's'} of attacker"
    return f"{kinds} on {count(views)} view{'' if views == 1 else 's'} of the features{joined},"
