"""The verdict on every model, which model is which, and what to know before they are compared."""

from dataclasses import dataclass

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.headline import on_the_task, written_excess
from audit.evidence.numbers import LONGEST_TEXT, count, hexdigits, shorten
from reports.inputs.by_attribute import tally
from reports.inputs.several_models import Models, Several
from reports.models_page.sections.cells import name_cell, task_cell
from reports.render.section import Section
from reports.render.table import Cell, Table, cell
from reports.text.caveats import cautions
from reports.text.next_step import NextStep
from reports.text.sentences import attribute_at, described
from reports.text.verdicts import marked

MOST_COLUMNS = 5
"""Verdicts side by side in one table; where there are more, they are counted."""


@dataclass(frozen=True)
class Verdicts:
    """Verdicts, models and warnings."""

    summary: tuple[str, ...]
    """A sentence for each private attribute at each layer: how many models pass."""
    next: NextStep
    """What to do about them all."""
    verdicts: Table
    which: Table
    warnings: tuple[str, ...]


def view(models: Models) -> Verdicts:
    """Prepare the verdicts, in the order in which the models were given."""
    return Verdicts(
        tuple(map(_summary, models.private)),
        next_of(models),
        verdicts_table(models),
        which_table(models),
        _warnings(models),
    )


SECTION = Section("verdicts", "Verdicts", view, anchor="verdict")


def next_of(models: Models) -> NextStep:
    """Return what to do about models of which some pass for every private attribute, or none does."""
    passing = [
        shorten(model.name)
        for place, model in enumerate(models.models)
        if all(one.readings[place][1].found.decided.verdict == "PASS" for one in models.private)
    ]
    if not passing:
        return NextStep("", "No model passes for every private attribute: release none of them as it is.")
    those = passing[0] if len(passing) == 1 else f"one of {', '.join(passing)}"
    return NextStep(
        "",
        f"Only {those} can be released on these figures, if its task is good enough: audit it afresh, on rows that "
        "chose nothing, and have that audit signed.",
    )


def verdicts_table(models: Models) -> Table:
    """Return the verdict on every model, in the order given."""
    each = len(models.private) <= MOST_COLUMNS
    named = tuple(attribute_at(one.first) for one in models.private) if each else ("Verdicts",)
    found = tuple(
        (
            name_cell(model),
            task_cell(model),
            *(
                (_verdict_cell(one.readings[place][1].found) for one in models.private)
                if each
                else [cell(tally([one.readings[place][1].found.decided.verdict for one in models.private]))]
            ),
        )
        for place, model in enumerate(models.models)
    )
    return Table("Verdicts, in the order given", ("Model", on_the_task(models.models[0].audit.task), *named), found)


def which_table(models: Models) -> Table:
    """Return which model is which."""
    found = tuple(
        (
            cell(model.name, f"evidence: {shorten(model.evidence)}", f"audited {model.audit.created[:10]}"),
            cell(*_made(model.audit, models)),
            cell(model.audit.checkpoint.sha256, kind="code"),
        )
        for model in models.models
    )
    return Table("Which model is which", ("Model", "How it was made", "SHA-256"), found)


def _made(audit: AuditResult, models: Models) -> tuple[str, ...]:
    made = audit.checkpoint.sanitizing
    if made is None:
        return ("no record of a sanitizer",)
    parent = next((one for one in models.models if one.audit.checkpoint.sha256 == made.parent_sha256), None)
    source = f"from {parent.name}" if parent else f"from {hexdigits(made.parent_sha256)}, which is not on this page"
    return shorten(made.method), described(made.card), source


def _verdict_cell(found: Finding) -> Cell:
    over = written_excess(found)
    return cell(marked(found.decided.verdict), f"excess {over.value}", over.interval, kind="number")


def _summary(one: Several) -> str:
    verdicts = [reading.found.decided.verdict for _, reading in one.readings]
    return f"{attribute_at(one.first)}: {tally(verdicts)} of {count(len(verdicts))} models."


def _warnings(models: Models) -> tuple[str, ...]:
    """Return what to know before the models are compared: what holds of all once, and of some with their numbers."""
    whose: dict[str, list[str]] = {}
    for model in models.models:
        for text in cautions(model.comparison):
            whose.setdefault(text.removeprefix("Audited: "), []).append(str(model.number))
    every = len(models.models)
    own = [
        shorten(text if len(numbers) == every else f"{', '.join(numbers)}: {text}", LONGEST_TEXT)
        for text, numbers in whose.items()
    ]
    return (*_unlike(models), *own)


def _unlike(models: Models) -> list[str]:
    """Return what may differ between models that are compared, and does."""
    audits = [model.audit for model in models.models]
    unlike = []
    if len({audit.checkpoint.architecture for audit in audits}) > 1:
        unlike.append("The models are of different architectures; their layers share the names only.")
    names = sorted({name for audit in audits for name in audit.versions})
    if changed := [name for name in names if len({audit.versions.get(name) for audit in audits}) > 1]:
        unlike.append(f"The audits ran on different versions of {shorten(', '.join(changed))}.")
    if len({audit.device for audit in audits}) > 1:
        unlike.append("The audits ran on different devices.")
    return unlike
