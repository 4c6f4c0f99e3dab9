"""What was tested, and against whom: the model, the rows, what the attacker has, knows and does; and their records."""

from collections.abc import Callable
from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult, Epoch, QuantityTask, Sanitizing
from audit.evidence.findings import ENSEMBLE, Measurement
from audit.evidence.numbers import count, measured, named, of_held, rows_told, shorten
from reports.audit_page.sections.classes import classes
from reports.inputs.comparison import Comparison
from reports.render.facts import AuditFact, listed, pairs_text, row_facts, side_by_side
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, missing
from reports.text.sentences import NO_TASK, described

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
    widest_last = sorted(comparison.measured, key=lambda pair: pair.last.measurement.projected_from or 0)
    found = {pair.last.found.layer: pair.last.measurement for pair in widest_last}
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


def provenance(comparison: Comparison) -> tuple[Table, ...]:
    """Return the tables of checkpoints, of what a sanitizer says it did, and of rows."""
    last = comparison.last
    return (
        side_by_side("Checkpoints", _CHECKPOINT, comparison),
        *_sanitized(comparison),
        listed("Rows", [*row_facts(last.data), ("Without a task label", cell(_unlabelled(last)))]),
    )


_CHECKPOINT: dict[str, AuditFact] = {
    "File": ("code", lambda audit: audit.checkpoint.file),
    "Architecture": ("code", lambda audit: audit.checkpoint.architecture),
    "Parameters": ("text", lambda audit: count(audit.checkpoint.parameters)),
    "Format": ("text", lambda audit: audit.checkpoint.format),
    "Weights stood under": ("text", lambda audit: audit.checkpoint.weights_key or "no key of their own"),
    "Code of the file ran": ("text", lambda audit: "yes (--allow-pickle)" if audit.checkpoint.pickle_ran else "no"),
}


def _epoch(made: Sanitizing) -> Cell:
    epochs = count(len(made.trace))
    if _chosen(made) is None:
        return cell(f"the last of {epochs}" if made.trace else "none")
    has_head = any(accuracy is not None for accuracy in made.head_accuracy.values())
    own = "the head in the loop" if has_head else "what the method itself minimises"
    what = "the task" if _has_task(made) else "what is kept"
    how = f"chosen by {what} and by quick fresh attackers on held-out rows, not by {own}"
    if made.settings.get("choose") == "last":
        how = "the last, as was asked: nothing was audited on the way"
    return cell(f"epoch {count((made.chosen or 0) + 1)} of {epochs}", how)


def _held_out_task(made: Sanitizing) -> Cell:
    chosen = _chosen(made)
    if chosen is None or chosen.task_accuracy is None:
        return missing("not measured")
    is_quantity = made.settings.get("task_is") == QuantityTask.told
    told = f"{chosen.task_accuracy:.3f} R²" if is_quantity else f"{measured(chosen.task_accuracy)} balanced accuracy"
    return cell(told, f"on {rows_told(made.head_rows)}")


def _held_out_fresh(made: Sanitizing) -> Cell:
    chosen = _chosen(made)
    if chosen is None or not chosen.fresh:
        return missing("not measured")
    read = ", ".join(f"{shorten(name)} {measured(accuracy)}" for name, accuracy in chosen.fresh.items())
    return cell(read, "no evidence of removal: the epoch was chosen by them")


def _chosen(made: Sanitizing) -> Epoch | None:
    """Return the epoch that the weights are of, where the record names one."""
    return next((epoch for place, epoch in enumerate(made.trace) if place == made.chosen), None)


def _has_task(made: Sanitizing) -> bool:
    """Return whether the model had a task, as its record tells; one that is silent had."""
    return made.settings.get("task", "") is not None


TASK_LOSS = "Task loss, first and last epoch (nats)"
KEPT_LOSS = "Loss of what is kept, first and last epoch"
_RELEASES = {"code": "a finite code", "map": "a map of the features", None: "nothing that the record names"}
_SANITIZING: dict[str, Callable[[Sanitizing], Cell]] = {
    "Method": lambda made: cell(made.method, described(made.card)),
    "Settings": lambda made: cell(pairs_text(made.settings)),
    "Layer": lambda made: cell(made.layer, kind="code"),
    "Left at the bottleneck": lambda made: cell(_RELEASES[made.release]),
    "Epoch": _epoch,
    "Task on held-out rows": _held_out_task,
    "Fresh attackers on held-out rows": _held_out_fresh,
    TASK_LOSS: lambda made: cell(_ends([one.task_loss for one in made.trace]), *_unit(made)),
    "Versions": lambda made: cell(pairs_text(made.versions)),
}


def _sanitized(comparison: Comparison) -> list[Table]:
    tables = []
    for when, audit in comparison.audits:
        if made := audit.checkpoint.sanitizing:
            renamed = {} if _has_task(made) else {TASK_LOSS: KEPT_LOSS}
            facts = [(renamed.get(name, name), told(made)) for name, told in _SANITIZING.items()]
            tables.append(listed(f"What the sanitizer says it did ({when.lower()})", facts))
    return tables


def _unit(made: Sanitizing) -> list[str]:
    """Return what a loss is in where it is not in nats."""
    is_quantity = made.settings.get("task_is") == QuantityTask.told
    return ["squared errors, as shares of the variance"] if is_quantity else []


def _ends(losses: list[float]) -> str:
    return f"{losses[0]:.3f} → {losses[-1]:.3f}" if losses else "no epoch"


def _unlabelled(audit: AuditResult) -> str:
    if audit.task is None:
        return NO_TASK
    missing = audit.task.missing
    return f"{rows_told(missing)}; left out where the task label is needed" if missing else "none"


def records(comparison: Comparison) -> tuple[Table, ...]:
    """Prepare all records, and how many rows of each class there are."""
    return (*provenance(comparison), classes(comparison.measured))


RECORDS = Section(
    "records", "Records", records, heading="Records of the checkpoints and the rows", template="tables.html.j2"
)
