"""What was the same for all models."""

from reports.inputs.several_models import Models
from reports.render.facts import listed, protocol_facts, row_facts
from reports.render.section import Section
from reports.render.table import Table, cell
from reports.text.sentences import NO_TASK, audit_limit


def view(models: Models) -> tuple[Table, ...]:
    """Return which rows all models were audited on, and how."""
    audit = models.models[0].audit
    task = f"{audit.task.name}: {audit.task.told}" if audit.task else NO_TASK
    fingerprint = cell(audit.data.fingerprint, kind="code")
    return (
        listed("Rows that every model was audited on", [*row_facts(audit.data), ("Fingerprint", fingerprint)]),
        listed(
            "How every model was audited", [*protocol_facts(audit.protocol, audit_limit(audit)), ("Task", cell(task))]
        ),
    )


SECTION = Section("shared", "What was the same", view, heading="What was the same for all models", anchor="held")
