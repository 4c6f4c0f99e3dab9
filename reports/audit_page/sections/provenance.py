"""What was tested: the checkpoints, who made them, the rows, and how it was measured."""

from collections.abc import Callable, Mapping

from audit.evidence.audit_result import AuditResult, Epoch, Sanitizing
from audit.evidence.numbers import count, limit_points, measured, rows_told, shorten, trimmed
from reports.inputs.comparison import Comparison
from reports.render.facts import listed, pairs_told, protocol_facts, row_facts
from reports.render.table import Cell, Kind, Table, cell
from reports.text.method_descriptions import described
from reports.text.sentences import NO_TASK


def provenance(comparison: Comparison) -> tuple[Table, ...]:
    """Return the tables of checkpoints, of what a sanitizer says it did, and of rows."""
    last = comparison.audits[-1][1]
    return (
        side_by_side("Checkpoints", _CHECKPOINT, comparison),
        *_sanitized(comparison),
        listed("Rows", [*row_facts(last.data), ("Without a task label", cell(_unlabelled(last)))]),
    )


def measurement(audit: AuditResult) -> Table:
    """Return how it was measured, as a table of facts."""
    facts = [
        *protocol_facts(audit.protocol, _limit(audit)),
        ("Task", cell(f"{audit.task.name}: {', '.join(audit.task.classes)}" if audit.task else NO_TASK)),
        ("Evidence schema", cell(audit.schema_version)),
    ]
    return listed("Protocol", facts)


Fact = tuple[Kind, Callable[[AuditResult], str]]


def side_by_side(caption: str, facts: Mapping[str, Fact], comparison: Comparison) -> Table:
    """Return a table with a row for each fact and a column for each audit."""
    rows = tuple(
        (cell(name), *(cell(told(audit), kind=kind) for _, audit in comparison.audits))
        for name, (kind, told) in facts.items()
    )
    return Table(caption, ("Fact", *(when for when, _ in comparison.audits)), rows, kind="facts")


_CHECKPOINT: dict[str, Fact] = {
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
    how = f"chosen by the task and by quick fresh attackers on held-out rows, not by {own}"
    return cell(f"epoch {count((made.chosen or 0) + 1)} of {epochs}", how)


def _held_out_task(made: Sanitizing) -> Cell:
    chosen = _chosen(made)
    if chosen is None or chosen.task_accuracy is None:
        return cell("not measured", kind="missing")
    return cell(f"{measured(chosen.task_accuracy)} balanced accuracy", f"on {rows_told(made.head_rows)}")


def _held_out_fresh(made: Sanitizing) -> Cell:
    chosen = _chosen(made)
    if chosen is None or not chosen.fresh:
        return cell("not measured", kind="missing")
    read = ", ".join(f"{shorten(name)} {measured(accuracy)}" for name, accuracy in chosen.fresh.items())
    return cell(read, "no evidence of removal: the epoch was chosen by them")


def _chosen(made: Sanitizing) -> Epoch | None:
    """Return the epoch that the weights are of, where the record names one."""
    return next((epoch for place, epoch in enumerate(made.trace) if place == made.chosen), None)


_RELEASES = {"code": "a finite code", "map": "an affine map", None: "nothing that the record names"}
_SANITIZING: dict[str, Callable[[Sanitizing], Cell]] = {
    "Method": lambda made: cell(made.method, described(made.method)),
    "Settings": lambda made: cell(pairs_told(made.settings)),
    "Layer": lambda made: cell(made.layer, kind="code"),
    "Left at the bottleneck": lambda made: cell(_RELEASES[made.release]),
    "Epoch": _epoch,
    "Task on held-out rows": _held_out_task,
    "Fresh attackers on held-out rows": _held_out_fresh,
    "Task loss, first and last epoch (nats)": lambda made: cell(_ends([one.task_loss for one in made.trace])),
    "Versions": lambda made: cell(pairs_told(made.versions)),
}


def _sanitized(comparison: Comparison) -> list[Table]:
    tables = []
    for when, audit in comparison.audits:
        made = audit.checkpoint.sanitizing
        if made:
            facts = [(name, told(made)) for name, told in _SANITIZING.items()]
            tables.append(listed(f"What the sanitizer says it did ({when.lower()})", facts))
    return tables


def _ends(losses: list[float]) -> str:
    return f"{losses[0]:.3f} → {losses[-1]:.3f}" if losses else "no epoch"


def _unlabelled(audit: AuditResult) -> str:
    if audit.task is None:
        return NO_TASK
    missing = audit.task.missing
    return f"{rows_told(missing)}; left out where the task label is needed" if missing else "none"


def _limit(audit: AuditResult) -> str:
    shares = [limit_points(audit.protocol.limit)] if audit.leakage else []
    numbers = [f"{trimmed(audit.protocol.limit, 5)} of R²"] if audit.continuous else []
    return " and ".join(shares + numbers)
