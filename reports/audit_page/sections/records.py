"""The records of checkpoints, of who made them and how, and of the rows."""

from collections.abc import Callable

from audit.evidence.audit_result import AuditResult, Epoch, QuantityTask, Sanitizing
from audit.evidence.numbers import count, measured, rows_told, shorten
from reports.audit_page.sections.classes import classes
from reports.inputs.comparison import Comparison
from reports.render.facts import AuditFact, listed, pairs_text, row_facts, side_by_side
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, missing
from reports.text.sentences import NO_TASK, described


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
    how = f"chosen by the task and by quick fresh attackers on held-out rows, not by {own}"
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


_RELEASES = {"code": "a finite code", "map": "an affine map", None: "nothing that the record names"}
_SANITIZING: dict[str, Callable[[Sanitizing], Cell]] = {
    "Method": lambda made: cell(made.method, described(made.card)),
    "Settings": lambda made: cell(pairs_text(made.settings)),
    "Layer": lambda made: cell(made.layer, kind="code"),
    "Left at the bottleneck": lambda made: cell(_RELEASES[made.release]),
    "Epoch": _epoch,
    "Task on held-out rows": _held_out_task,
    "Fresh attackers on held-out rows": _held_out_fresh,
    "Task loss, first and last epoch (nats)": lambda made: cell(
        _ends([one.task_loss for one in made.trace]), *_unit(made)
    ),
    "Versions": lambda made: cell(pairs_text(made.versions)),
}


def _sanitized(comparison: Comparison) -> list[Table]:
    tables = []
    for when, audit in comparison.audits:
        if made := audit.checkpoint.sanitizing:
            facts = [(name, told(made)) for name, told in _SANITIZING.items()]
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


def view(comparison: Comparison) -> tuple[Table, ...]:
    """Prepare all records, and how many rows of each class there are."""
    return (*provenance(comparison), classes(comparison.measured))


SECTION = Section("records", "Records", view, heading="Records of the checkpoints and the rows")
