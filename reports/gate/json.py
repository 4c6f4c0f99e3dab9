"""The gate's outcome as JSON, for programs: raw shares and bits of evidence, in plain ASCII whatever the names hold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from audit.evidence.audit_result import AnyTask, AuditResult
from audit.evidence.verdict import held_for
from reports.gate.gate import Outcome
from reports.gate.requirements import Losses, Requirement
from reports.inputs.comparison import Pair
from reports.inputs.retention import kept_state
from reports.text.caveats import cautions

OUTCOME_VERSION: Final = "1"


def outcome_json(outcome: Outcome, written: Mapping[str, Path]) -> str:
    """Return the outcome as one indented JSON object; `written` are the files that were written, by what they are."""
    comparison, protocol = outcome.comparison, outcome.audit.protocol
    told = {
        "schema_version": OUTCOME_VERSION,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "allow_inconclusive": outcome.allow_inconclusive,
        "limit": protocol.limit,
        "limit_set_by": protocol.limit_set_by,
        "limit_from": outcome.limit_from,
        "task_drop": outcome.losses.task,
        "keep_drop": outcome.losses.kept,
        "allow_chance": outcome.losses.allow_chance,
        "requirements": [_requirement(one) for one in outcome.requirements],
        "audits": {when.lower(): _audit(audit) for when, audit in comparison.audits},
        "findings": [_finding(pair) for pair in comparison.pairs],
        "kept": [_kept(pair, outcome.losses) for pair in comparison.retained],
        "warnings": list(cautions(comparison)),
        "written": {what: str(path) for what, path in written.items()},
    }
    return json.dumps(told, indent=2, allow_nan=False)


def _audit(audit: AuditResult) -> dict[str, object]:
    return {
        "created": audit.created,
        "checkpoint": audit.checkpoint.file,
        "sha256": audit.checkpoint.sha256,
        "test_rows": audit.tested,
        "test_rows_held": audit.data.test.rows,
        "task": audit.task.name if audit.task else None,
        **_task(audit.task),
    }


def _task(task: AnyTask | None) -> dict[str, object]:
    """Return the figures of the task; those of a quantity have a name of their own."""
    is_classes = task is not None and task.percent
    found: dict[str, object] = {
        "task_accuracy": task.score.model_dump() if task and is_classes else None,
        "task_most_frequent": task.level if task and is_classes else None,
    }
    return found if task is None or is_classes else {**found, "task_r2": task.score.model_dump()}


def _requirement(one: Requirement) -> dict[str, object]:
    return {
        "name": one.name,
        "subject": one.subject,
        "state": one.state,
        "reason": one.reason,
        "tolerance": one.tolerance,
        "loss": one.loss.model_dump() if one.loss else None,
    }


def _kept(pair: Pair, losses: Losses) -> dict[str, object]:
    return {
        "state": kept_state(pair, losses.kept),
        "change": pair.change.estimate.model_dump() if pair.change else None,
        **_read(pair),
    }


def _finding(pair: Pair) -> dict[str, object]:
    measurement, decided = pair.last.measurement, pair.last.found.decided
    return {
        **_read(pair),
        "verdict": decided.verdict,
        "reason": decided.reason,
        "limit": decided.limit,
        "held_for": held_for(pair.last.found),
        "excess": measurement.excess.model_dump(),
        "strongest": measurement.strongest,
        "verdict_before": pair.first.found.decided.verdict if pair.first else None,
    }


def _read(pair: Pair) -> dict[str, object]:
    found, measurement = pair.last.found, pair.last.measurement
    return {
        "attribute": found.attribute,
        "layer": found.layer,
        "measure": measurement.kind.title,
        "read": measurement.score.model_dump(),
        "read_before": pair.first.measurement.score.model_dump() if pair.first else None,
        "floor": measurement.floor_score.model_dump(),
        "guess": measurement.guess,
        "test_rows": measurement.test_rows,
    }
