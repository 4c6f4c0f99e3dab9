"""The tables of several models: verdicts, every figure beside the task's, which is which, and what was the same."""

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import ContinuousLeakage, Readability, Regression
from audit.evidence.headline import Judged, Measured, headline, unit, written, written_excess
from audit.evidence.numbers import (
    change,
    count,
    decimal,
    hexdigits,
    limit_points,
    quantity,
    share,
    shorten,
    trimmed,
)
from reports.inputs.by_attribute import tally
from reports.inputs.comparison import Reading
from reports.inputs.paired_difference import accuracy_change, excess_change, headline_change
from reports.inputs.several_models import Model, Models, Several
from reports.render.facts import Fact, listed, pairs_told, protocol_facts, row_facts
from reports.render.table import Cell, Table, cell, figure_cell
from reports.text.bounds import certificate, read_at_most, told_at_most
from reports.text.method_descriptions import described
from reports.text.sentences import NO_TASK, attribute_at
from reports.text.verdicts import MARKS

SHORT = 14
"""Characters of a kept attribute's name beside a leakage; it stands in full in a table of its own."""
MOST_COLUMNS = 5
"""Verdicts side by side in one table; where there are more, they are counted."""


def verdicts_table(models: Models) -> Table:
    """Return the verdict on every model, in the order given."""
    each = len(models.private) <= MOST_COLUMNS
    named = tuple(attribute_at(one.first) for one in models.private) if each else ("Verdicts",)
    found = tuple(
        (
            _name(model),
            _task_cell(model),
            *(
                (_verdict_cell(one.readings[place][1].found) for one in models.private)
                if each
                else [cell(tally([one.readings[place][1].found.verdict for one in models.private]))]
            ),
        )
        for place, model in enumerate(models.models)
    )
    return Table("Verdicts, in the order given", ("Model", "Accuracy on the task", *named), found)


def attribute_table(one: Several[Judged], models: Models) -> Table:
    """Return what is read of one private attribute in every model, beside its task and what should stay."""
    is_number = isinstance(one.first, Regression)
    beside = [kept for kept in models.kept if kept.first.layer == one.first.layer]
    columns = (
        "Model", "Verdict", f"Strongest fresh attacker, {unit(one.first)}", "Floor", "Excess", "Accuracy on the task",
        *(["Kept, AUROC or R²"] if beside else []), "Mean error" if is_number else "Any attacker, at most",
    )  # fmt: skip
    found = tuple(
        (
            _name(model),
            cell(_verdict(reading.found), kind="number"),
            _read_cell(reading),
            figure_cell(written(reading.found, reading.found.floor)),
            figure_cell(written_excess(reading.found)),
            _task_cell(model),
            *([_kept_cell(beside, place)] if beside else []),
            _last(reading.found),
        )
        for place, (model, reading) in enumerate(one.readings)
    )
    return Table(f"{attribute_at(one.first)}, in every model", columns, found)


def differences_table(one: Several[Measured]) -> Table:
    """Return how every other model differs from the first one, in one attribute and in the task."""
    (first, reading), *others = one.readings
    found = tuple(
        (_name(model), *_changes(reading.found, other.found), _task_change(model, first)) for model, other in others
    )
    columns = ("Model", f"Strongest fresh attacker, {unit(one.first)}", "Excess", "Accuracy on the task")
    return Table(f"{attribute_at(one.first)}: differences from {first.name}", columns, found)


def kept_table(one: Several[Measured]) -> Table:
    """Return what is read of an attribute that should stay readable, in every model."""
    is_number = isinstance(one.first, Regression)
    columns = ("Model", "R²" if is_number else "Balanced accuracy", "Mean error" if is_number else "AUROC",
               "Accuracy on the task")  # fmt: skip
    found = tuple(
        (
            _name(model),
            _read_cell(reading),
            figure_cell(decimal(reading.found.auroc))
            if isinstance(reading.found, Readability)
            else figure_cell(quantity(reading.found.mae)),
            _task_cell(model),
        )
        for model, reading in one.readings
    )
    return Table(f"{attribute_at(one.first)}, which should stay readable", columns, found)


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


def held_tables(models: Models) -> tuple[Table, ...]:
    """Return what was the same for every model."""
    audit = models.models[0].audit
    shares = [limit_points(audit.protocol.limit)] if audit.leakage else []
    numbers = [f"{trimmed(audit.protocol.limit, 5)} of R²"] if audit.continuous else []
    task = f"{audit.task.name}: {', '.join(audit.task.classes)}" if audit.task else NO_TASK
    limit, fingerprint = " and ".join(shares + numbers), cell(audit.data.fingerprint, kind="code")
    return (
        listed("Rows that every model was audited on", [*row_facts(audit.data), ("Fingerprint", fingerprint)]),
        listed("How every model was audited", [*protocol_facts(audit.protocol, limit), ("Task", cell(task))]),
    )


def run_tables(models: Models) -> tuple[Table, ...]:
    """Return, for each model, what it is and what was run."""
    return tuple(listed(model.name, _run(model.audit)) for model in models.models)


def _run(audit: AuditResult) -> list[Fact]:
    one = audit.checkpoint
    return [
        ("Architecture", cell(one.architecture, kind="code")),
        ("Parameters", cell(count(one.parameters))),
        ("Format", cell(one.format)),
        ("Settings of its method", cell(pairs_told(one.sanitizing.settings) if one.sanitizing else "none on record")),
        ("Command", cell(audit.command, kind="code")),
        ("Created", cell(audit.created)),
        ("Device", cell(audit.device)),
        ("Versions", cell(pairs_told(audit.versions))),
    ]


def _made(audit: AuditResult, models: Models) -> tuple[str, ...]:
    made = audit.checkpoint.sanitizing
    if made is None:
        return ("no record of a sanitizer",)
    parent = next((one for one in models.models if one.audit.checkpoint.sha256 == made.parent_sha256), None)
    source = f"from {parent.name}" if parent else f"from {hexdigits(made.parent_sha256)}, which is not on this page"
    return shorten(made.method), described(made.method), source


def _name(model: Model) -> Cell:
    made = model.audit.checkpoint.sanitizing
    return cell(model.name, *([shorten(made.method)] if made else []))


def _task_cell(model: Model) -> Cell:
    task = model.audit.task
    return figure_cell(share(task.accuracy)) if task else cell("no task", kind="missing")


def _read_cell(reading: Reading[Measured]) -> Cell:
    found = reading.found
    return figure_cell(written(found, headline(found)), f"by {shorten(found.strongest)}")


def _changes(first: Measured, found: Measured) -> tuple[Cell, ...]:
    in_points = not isinstance(found, Regression)
    read, over = headline_change(first, found), excess_change(first, found)
    told = [change(one.estimate, in_points=in_points) if one else None for one in (read, over)]
    return tuple(figure_cell(one) if one else cell("–", kind="missing") for one in told)


def _task_change(model: Model, first: Model) -> Cell:
    task, other = model.audit.task, first.audit.task
    if task is None or other is None:
        return cell("no task", kind="missing")
    return figure_cell(change(accuracy_change(other, task).estimate, in_points=True))


def _verdict(found: Judged) -> str:
    return f"{MARKS[found.verdict]}\N{NO-BREAK SPACE}{found.verdict}"


def _verdict_cell(found: Judged) -> Cell:
    over = written_excess(found)
    return cell(_verdict(found), f"excess {over.value}", over.interval, kind="number")


def _kept_cell(kept: list[Several[Measured]], place: int) -> Cell:
    first, *others = [_kept_figure(one.readings[place][1].found) for one in kept]
    return cell(first, *others, kind="number")


def _kept_figure(found: Measured) -> str:
    name = shorten(found.attribute, SHORT)
    if isinstance(found, Regression):
        return f"{name} {decimal(found.r2).value} R²"
    return f"{name} {decimal(found.auroc).value}"


def _last(found: Judged) -> Cell:
    """Return the error of a number, or the bound on every attacker of classes."""
    if isinstance(found, ContinuousLeakage):
        return figure_cell(quantity(found.mae))
    one = certificate(found)
    return cell(read_at_most(one), told_at_most(one), kind="number") if one else cell("–", kind="missing")
