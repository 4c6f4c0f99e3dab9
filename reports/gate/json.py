"""The gate's outcome as JSON, for programs: raw shares and bits of evidence, in plain ASCII whatever the names hold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Estimate
from audit.evidence.headline import Judged, Measured, guess, headline, tested_rows, unit
from reports.gate.gate import Outcome
from reports.inputs.comparison import Pair
from reports.text.caveats import cautions

OUTCOME_VERSION: Final = "1"


def outcome_json(outcome: Outcome, written: Mapping[str, Path]) -> str:
    """Return the outcome as one indented JSON object.

    Args:
        outcome: What the gate decided.
        written: The files that were written, by what they are.
    """
    comparison, protocol = outcome.comparison, outcome.audit.protocol
    told = {
        "schema_version": OUTCOME_VERSION,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "allow_inconclusive": outcome.allow_inconclusive,
        "limit": protocol.limit,
        "limit_set_by": protocol.limit_set_by,
        "audits": {when.lower(): _audit(audit) for when, audit in comparison.audits},
        "findings": [_finding(pair) for pair in comparison.pairs],
        "kept": [_read(pair) for pair in comparison.kept],
        "warnings": list(cautions(comparison)),
        "written": {what: str(path) for what, path in written.items()},
    }
    return json.dumps(told, indent=2, allow_nan=False)


def _audit(audit: AuditResult) -> dict[str, Any]:
    return {
        "created": audit.created,
        "checkpoint": audit.checkpoint.file,
        "sha256": audit.checkpoint.sha256,
        "test_rows": audit.data.test.rows,
        "task": audit.task.name if audit.task else None,
        "task_accuracy": _estimate(audit.task.accuracy) if audit.task else None,
    }


def _finding(pair: Pair[Judged]) -> dict[str, Any]:
    found = pair.last.found
    return {
        **_read(pair),
        "verdict": found.verdict,
        "reason": found.reason,
        "limit": found.limit,
        "excess": _estimate(found.excess),
        "strongest": found.strongest,
        "verdict_before": pair.first.found.verdict if pair.first else None,
    }


def _read(pair: Pair[Any]) -> dict[str, Any]:
    found: Measured = pair.last.found
    return {
        "attribute": found.attribute,
        "layer": found.layer,
        "measure": unit(found),
        "read": _estimate(headline(found)),
        "read_before": _estimate(headline(pair.first.found)) if pair.first else None,
        "floor": _estimate(found.floor),
        "guess": guess(found),
        "test_rows": tested_rows(found),
    }


def _estimate(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
