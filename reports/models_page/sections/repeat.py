"""What was run for each model."""

from audit.evidence.audit_result import AuditResult
from audit.evidence.numbers import count
from reports.inputs.several_models import Models
from reports.render.facts import Fact, listed, pairs_text
from reports.render.section import Section
from reports.render.table import Table, cell


def view(models: Models) -> tuple[Table, ...]:
    """Return, for each model, what it is and what was run."""
    return tuple(listed(model.name, _run(model.audit)) for model in models.models)


SECTION = Section("repeat", "How to repeat it", view)


def _run(audit: AuditResult) -> list[Fact]:
    one = audit.checkpoint
    return [
        ("Architecture", cell(one.architecture, kind="code")),
        ("Parameters", cell(count(one.parameters))),
        ("Format", cell(one.format)),
        ("Settings of its method", cell(pairs_text(one.sanitizing.settings) if one.sanitizing else "none on record")),
        ("Command", cell(audit.command, kind="code")),
        ("Created", cell(audit.created)),
        ("Device", cell(audit.device)),
        ("Versions", cell(pairs_text(audit.versions))),
    ]
