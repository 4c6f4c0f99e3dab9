"""What was the same for all points."""

from audit.evidence.numbers import count, limit_points, percent, rows_told
from audit.evidence.sweep_result import Sweep
from reports.render.facts import Fact, listed, pairs_text, protocol_facts, row_facts
from reports.render.section import Section
from reports.render.table import Table, cell


def view(sweep: Sweep) -> tuple[Table, ...]:
    """Return checkpoint, rows, training and protocol of the sweep."""
    fingerprint = "Fingerprint", cell(sweep.data.fingerprint, kind="code")
    return (
        listed("The checkpoint that every point starts from", _checkpoint(sweep)),
        listed("Rows that every point was audited on", [*row_facts(sweep.data), fingerprint]),
        listed("How every point was trained", _training(sweep)),
        listed("How every point was audited", protocol_facts(sweep.protocol, limit_points(sweep.protocol.limit))),
    )


SECTION = Section("shared", "What was the same", view, heading="What was the same for all points", anchor="held")


def _checkpoint(sweep: Sweep) -> list[Fact]:
    one = sweep.checkpoint
    return [
        ("File", cell(one.file, kind="code")),
        ("SHA-256", cell(one.sha256, kind="code")),
        ("Architecture", cell(one.architecture, kind="code")),
        ("Parameters", cell(count(one.parameters))),
        ("Layer", cell(sweep.setup.layer, kind="code")),
        ("Task", cell(sweep.setup.task, f"most frequent class: {percent(sweep.task_chance)} accuracy")),
        ("Private", cell(", ".join(sweep.setup.private))),
        ("To be kept", cell(", ".join(sweep.setup.keep) or "none")),
    ]


def _training(sweep: Sweep) -> list[Fact]:
    setup = sweep.setup
    return [
        ("Rows", cell(f"{rows_told(setup.train_rows)}, which no attacker saw")),
        ("Their labels, SHA-256", cell(setup.train_labels, kind="code")),
        ("Labels of the audited rows, SHA-256", cell(setup.audit_labels, kind="code")),
        ("Recipe", cell(pairs_text(setup.recipe))),
        ("Seed", cell(str(setup.seed))),
    ]
