"""What was tested and how: everything it takes to repeat the audit, and to see that it is this model."""

from collections.abc import Callable, Mapping

from audit.evidence import AuditResult, Epoch, Sanitizing, Split
from reports.comparison import Comparison
from reports.figures import count, limit_points, measured, rows_told, shorten, trimmed
from reports.methods import described
from reports.references import references
from reports.tables import Cell, Kind, Table, cell
from reports.wording import NO_TASK


def provenance(comparison: Comparison) -> tuple[Table, ...]:
    """Return the tables of checkpoints, rows, measurement, layers, classes and runs."""
    last = comparison.audits[-1][1]
    return (
        _side_by_side("Checkpoints", _CHECKPOINT, comparison),
        *_sanitized(comparison),
        _listed("Rows", _rows(last)),
        _listed("Measurement", _measurement(last)),
        *references((*comparison.pairs, *comparison.kept)),
        _side_by_side("Runs", _RUN, comparison),
    )


Fact = tuple[Kind, Callable[[AuditResult], str]]

_CHECKPOINT: dict[str, Fact] = {
    "File": ("code", lambda audit: audit.checkpoint.file),
    "SHA-256": ("code", lambda audit: audit.checkpoint.sha256),
    "Architecture": ("code", lambda audit: audit.checkpoint.architecture),
    "Parameters": ("text", lambda audit: count(audit.checkpoint.parameters)),
    "Format": ("text", lambda audit: audit.checkpoint.format),
    "Weights stood under": ("text", lambda audit: audit.checkpoint.weights_key or "no key of their own"),
    "Code of the file ran": ("text", lambda audit: "yes (--allow-pickle)" if audit.checkpoint.pickle_ran else "no"),
}
_RUN: dict[str, Fact] = {
    "Created": ("text", lambda audit: audit.created),
    "Device": ("text", lambda audit: audit.device),
    "Versions": ("text", lambda audit: _pairs(audit.versions)),
    "Command": ("code", lambda audit: audit.command),
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
    "Settings": lambda made: cell(_pairs(made.settings)),
    "Layer": lambda made: cell(made.layer, kind="code"),
    "Left at the bottleneck": lambda made: cell(_RELEASES[made.release]),
    "Epoch": _epoch,
    "Task on held-out rows": _held_out_task,
    "Fresh attackers on held-out rows": _held_out_fresh,
    "Task loss, first and last epoch (nats)": lambda made: cell(_ends([one.task_loss for one in made.trace])),
    "Parent SHA-256": lambda made: cell(made.parent_sha256, kind="code"),
    "Training rows (fingerprint)": lambda made: cell(made.data_fingerprint, kind="code"),
    "Versions": lambda made: cell(_pairs(made.versions)),
}


def _side_by_side(caption: str, facts: dict[str, Fact], comparison: Comparison) -> Table:
    rows = tuple(
        (cell(name), *(cell(told(audit), kind=kind) for _, audit in comparison.audits))
        for name, (kind, told) in facts.items()
    )
    return Table(caption, ("Fact", *(when for when, _ in comparison.audits)), rows, kind="facts")


def _sanitized(comparison: Comparison) -> list[Table]:
    tables = []
    for when, audit in comparison.audits:
        made = audit.checkpoint.sanitizing
        if made:
            facts = [(name, told(made)) for name, told in _SANITIZING.items()]
            tables.append(_listed(f"What the sanitizer says it did ({when.lower()})", facts))
    return tables


def _ends(losses: list[float]) -> str:
    return f"{losses[0]:.3f} → {losses[-1]:.3f}" if losses else "no epoch"


def _listed(caption: str, facts: list[tuple[str, Cell]]) -> Table:
    rows = tuple((cell(name), value) for name, value in facts)
    return Table(caption, ("Fact", "Value"), rows, kind="list")


def _rows(audit: AuditResult) -> list[tuple[str, Cell]]:
    data = audit.data
    return [
        ("Data", cell(data.name)),
        ("Options", cell(_pairs(data.options))),
        ("Fingerprint", cell(data.fingerprint, kind="code")),
        ("Rows", cell(count(data.rows))),
        ("Could not be read", cell(_rows_of(data.unreadable, "nothing saw them"))),
        ("Copies across groups", cell(_rows_of(data.copies, "the groups that share an input were joined"))),
        ("Without a task label", cell(_unlabelled(audit))),
        ("Kept together by", cell(data.group or "nothing: every row stands alone")),
        ("Attackers trained on", cell(_split(data.train))),
        ("Attackers selected on", cell(_split(data.select))),
        ("Figures taken on (test)", cell(_split(data.test))),
    ]


def _unlabelled(audit: AuditResult) -> str:
    return _rows_of(audit.task.missing, "left out where the task label is needed") if audit.task else NO_TASK


def _rows_of(rows: int, then: str) -> str:
    return f"{rows_told(rows)}; {then}" if rows else "none"


def _split(split: Split) -> str:
    return f"{count(split.rows)} rows in {count(split.groups)} groups"


def _measurement(audit: AuditResult) -> list[tuple[str, Cell]]:
    protocol = audit.protocol
    who = "the user" if protocol.limit_set_by == "user" else "default"
    return [
        ("Attackers", cell(", ".join(protocol.attackers))),
        ("Views", cell(", ".join(protocol.views))),
        ("Rows that fit an attacker", cell(f"at most {count(protocol.fit_rows)}")),
        ("Pooling", cell(protocol.pool)),
        ("Bootstrap resamples", cell(count(protocol.bootstrap))),
        ("Null refits", cell(f"{count(protocol.null_refits)}, each on at most {count(protocol.null_rows)} rows")),
        ("Seed", cell(str(protocol.seed))),
        ("Limit on the excess", cell(f"{_limit(audit)}, set by {who}")),
        ("Task", cell(f"{audit.task.name}: {', '.join(audit.task.classes)}" if audit.task else NO_TASK)),
        ("Evidence schema", cell(audit.schema_version)),
    ]


def _limit(audit: AuditResult) -> str:
    shares = [limit_points(audit.protocol.limit)] if audit.leakage else []
    numbers = [f"{trimmed(audit.protocol.limit, 5)} of R²"] if audit.continuous else []
    return " and ".join(shares + numbers)


def _pairs(values: Mapping[str, str | int | float | bool | None]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"
