"""What was audited, as far as the evidence knows: the model, the rows, and what a sanitizer did to the model."""

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.numbers import count, named, rows_told, shorten
from reports.inputs.comparison import Comparison, Pair
from reports.render.facts import AuditFact, listed, side_by_side
from reports.render.table import Cell, Table, cell, missing
from reports.text.sentences import NO_TASK, described

_CHECKPOINT: dict[str, AuditFact] = {
    "File": ("code", lambda audit: shorten(audit.checkpoint.file)),
    "SHA-256": ("code", lambda audit: shorten(audit.checkpoint.sha256)),
    "Architecture": ("code", lambda audit: shorten(audit.checkpoint.architecture)),
    "Audited": ("text", lambda audit: shorten(audit.created)),
    "Evidence (digest)": ("code", lambda audit: shorten(audit.digest or "none")),
}


def checkpoints_table(comparison: Comparison) -> Table:
    """Return which model was audited, in every audit given."""
    return side_by_side("The model", _CHECKPOINT, comparison)


def rows_table(comparison: Comparison) -> Table:
    """Return which rows were audited, and for what."""
    audit = comparison.last
    layers = dict.fromkeys(pair.last.found.layer for pair in comparison.pairs)
    facts = (
        ("Task", cell(_task(audit))),
        ("Private attributes", _attributes(comparison.pairs)),
        ("Should stay readable", _attributes(comparison.retained)),
        ("Layers", cell(", ".join(map(named, layers)))),
        ("Data", cell(shorten(audit.data.name))),
        ("Fingerprint of the rows", cell(shorten(audit.data.fingerprint), kind="code")),
        ("Rows", cell(count(audit.data.rows), f"figures taken on {rows_told(audit.data.test.rows)}")),
        ("Kept together by", cell(shorten(audit.data.group or "nothing: every row stands alone"))),
    )
    return listed("What was audited", facts)


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
    return listed("The measure on the model, as its record tells it", facts)


def _task(audit: AuditResult) -> str:
    return shorten(f"{audit.task.name}: {', '.join(audit.task.classes)}", 400) if audit.task else NO_TASK


def _attributes(pairs: tuple[Pair, ...]) -> Cell:
    once = {pair.last.found.attribute: pair.last.found for pair in pairs}
    return cell(", ".join(map(_attribute, once.values()))) if once else missing("none named")


def _attribute(found: Finding) -> str:
    classes = found.measurement.classes
    what = f"{count(len(classes))} classes" if found.measurement.kind.percent else "a number"
    return f"{named(found.attribute)} ({what})"
