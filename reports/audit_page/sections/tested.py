"""What was tested, and against whom: the model, the rows, and what the attacker has, knows and does."""

from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import ENSEMBLE, Measurement
from audit.evidence.numbers import count, named, of_held, rows_told
from reports.inputs.comparison import Comparison
from reports.render.section import Section

FEW = 3
"""Names of layers that a sentence holds; more are counted."""


@dataclass(frozen=True)
class Attacker:
    """The sizes of this audit in the threat model, whose fixed words are the template's."""

    has: str
    rows: str
    trains: str
    floor: str


@dataclass(frozen=True)
class Tested:
    """Model and rows, and the attacker."""

    sentences: str
    attacker: Attacker


def view(comparison: Comparison) -> Tested:
    """Prepare what was tested, and the threat model."""
    return Tested(tested(comparison), attacker(comparison))


SECTION = Section("tested", "What was tested", view)


def tested(comparison: Comparison) -> str:
    """Return in two sentences what was tested."""
    last = comparison.last
    data = last.data
    what = (
        f"The embeddings of {named(last.checkpoint.file)}"
        if last.checkpoint.format == "embeddings"
        else f"{named(last.checkpoint.file)} ({named(last.checkpoint.architecture)}), frozen as it was found"
    )
    kind = "" if last.task is None or last.task.percent else ", a quantity"
    task = f" Its task is {named(last.task.name)}{kind}." if last.task else ""
    train, select, test = map(_split, _used(last), (data.train.rows, data.select.rows, data.test.rows))
    fewer = f" {one[0].upper()}{one[1:]}." if (one := _fewer(last)) else ""
    return (
        f"{what}, on {rows_told(data.rows)} of {named(data.name)}: {train} train the attackers, "
        f"{select} choose among them, and {test} give the figures.{fewer}{task}"
    )


def _used(audit: AuditResult) -> tuple[int, int, int]:
    """Return how many rows fit, select and test at most: those of the attribute that uses most of them."""
    each = [
        (one.measurement.train_rows, sum(rows.select for rows in one.measurement.classes), one.measurement.test_rows)
        for one in audit.findings
    ]
    train, select, test = map(max, zip(*each, strict=True))
    return train, select, test


def _split(used: int, held: int) -> str:
    return of_held(min(used, held), held)


def _fewer(audit: AuditResult) -> str:
    """Return in a clause which attackers learned from fewer rows than there were to fit them, or nothing."""
    few: dict[int, dict[str, None]] = {}
    for one in audit.findings:
        for attacker in one.measurement.attackers:
            if attacker.rows is not None and attacker.rows < one.measurement.train_rows:
                few.setdefault(attacker.rows, {})[named(attacker.name)] = None
    told = [f"{', '.join(names)} from {count(rows)}" for rows, names in sorted(few.items())[:FEW]]
    more = f", others from up to {count(max(few))}" if len(few) > FEW else ""
    return f"not all learn from all of them: {', '.join(told)}{more}" if told else ""


def attacker(comparison: Comparison) -> Attacker:
    """Return what the attacker has, learns from, does and gains."""
    last = comparison.last
    return Attacker(
        has=_has(comparison),
        rows=_rows(last),
        trains=_attackers(last),
        floor="a guess"
        if last.task is None
        else "what the predicted task label alone gives"
        if last.task.percent
        else "what the bin of the predicted number alone gives",
    )


def _rows(audit: AuditResult) -> str:
    """Return how many rows fit an attacker, and tune and choose it."""
    train, select, _ = map(_split, _used(audit), (audit.data.train.rows, audit.data.select.rows, audit.data.test.rows))
    fewer = f"; {one}" if (one := _fewer(audit)) else ""
    return f"{train} here to fit an attacker, and {select} to tune and choose it{fewer}"


def _has(comparison: Comparison) -> str:
    last = comparison.last
    found = {pair.last.found.layer: pair.last.measurement for pair in comparison.measured}
    if len(found) <= FEW:
        told = [f"{named(layer)} ({_numbers(one)})" for layer, one in found.items()]
        where = f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
    else:
        where = f"the {count(len(found))} layers listed below"
    source = "the table of embeddings holds" if last.checkpoint.format == "embeddings" else "the model gives"
    each = "; each layer is attacked by itself" if len(found) > 1 else ""
    return f"The features of each row at {where}, as {source} them{each}."


def _numbers(measurement: Measurement) -> str:
    wide = measurement.projected_from
    return f"{count(measurement.width)} numbers{f', projected at random from {count(wide)}' if wide else ''}"


def _attackers(audit: AuditResult) -> str:
    tried = {one.name for found in audit.private for one in found.measurement.attackers}
    names = len(audit.protocol.attackers)
    views = len(audit.protocol.views)
    joined = ", and an ensemble of them" if ENSEMBLE in tried else ""
    kinds = f"{count(names)} kind{'' if names == 1 else 's'} of attacker"
    return f"{kinds} on {count(views)} view{'' if views == 1 else 's'} of the features{joined},"
