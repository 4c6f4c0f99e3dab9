"""What was audited, as far as the evidence knows: the model, the rows, and what a sanitizer did to the model."""

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.numbers import count, named, rows_told, shorten
from reports.inputs.comparison import Comparison
from reports.render.table import Cell, Table, cell, missing
from reports.text.sentences import NO_TASK, described


def checkpoints_table(comparison: Comparison) -> Table:
    """Return which model was audited, in every audit given."""
    audits = [audit for _, audit in comparison.audits]
    rows = (
        (cell("File"), *(cell(shorten(one.checkpoint.file), kind="code") for one in audits)),
        (cell("SHA-256"), *(cell(shorten(one.checkpoint.sha256), kind="code") for one in audits)),
        (cell("Architecture"), *(cell(shorten(one.checkpoint.architecture), kind="code") for one in audits)),
        (cell("Audited"), *(cell(shorten(one.created)) for one in audits)),
        (cell("Evidence (digest)"), *(cell(shorten(one.digest or "none"), kind="code") for one in audits)),
    )
    return Table("The model", ("Fact", *(when for when, _ in comparison.audits)), rows, kind="facts")


def rows_table(comparison: Comparison) -> Table:
    """Return which rows were audited, and for what."""
    audit = comparison.last
    layers = dict.fromkeys(pair.last.found.layer for pair in comparison.pairs)
    facts = (
        ("Task", cell(_task(audit))),
        ("Private attributes", _attributes([pair.last.found for pair in comparison.pairs])),
        ("Should stay readable", _attributes([pair.last.found for pair in comparison.retained])),
        ("Layers", cell(", ".join(map(named, layers)))),
        ("Data", cell(shorten(audit.data.name))),
        ("Fingerprint of the rows", cell(shorten(audit.data.fingerprint), kind="code")),
        ("Rows", cell(count(audit.data.rows), f"figures taken on {rows_told(audit.data.test.rows)}")),
        ("Kept together by", cell(shorten(audit.data.group or "nothing: every row stands alone"))),
    )
    rows = tuple((cell(name), value) for name, value in facts)
    return Table("What was audited", ("Fact", "Value"), rows, kind="list")


def measure_table(comparison: Comparison) -> Table | None:
    """Return what the sanitizer says it did to the model audited last, or None where there is no record."""
    made = comparison.last.checkpoint.sanitizing
    if made is None:
        return None
    settings = ", ".join(f"{name} {value}" for name, value in made.settings.items())
    facts = (
        ("Method", cell(shorten(made.method), described(made.card))),
        ("Layer", cell(shorten(made.layer), kind="code")),
        ("Settings", cell(shorten(settings, 400) or "none")),
        ("Made from (SHA-256)", cell(shorten(made.parent_sha256), kind="code")),
        ("Training rows (fingerprint)", cell(shorten(made.data_fingerprint), kind="code")),
    )
    rows = tuple((cell(name), value) for name, value in facts)
    return Table("The measure on the model, as its record tells it", ("Fact", "Value"), rows, kind="list")


def _task(audit: AuditResult) -> str:
    return shorten(f"{audit.task.name}: {', '.join(audit.task.classes)}", 400) if audit.task else NO_TASK


def _attributes(found: list[Finding]) -> Cell:
    once = {one.attribute: one for one in found}
    return cell(", ".join(map(_attribute, once.values()))) if once else missing("none named")


def _attribute(found: Finding) -> str:
    classes = found.measurement.classes
    what = f"{count(len(classes))} classes" if found.measurement.kind.percent else "a number"
    return f"{named(found.attribute)} ({what})"
