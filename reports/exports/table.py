"""Findings and attackers as CSV: a row each, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from audit.errors import visible
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Estimate, Finding

COLUMNS = (
    "checkpoint", "audited", "role", "attribute", "layer", "what", "attacker", "rows", "metric", "value", "low", "high",
    "floor", "excess", "excess_low", "excess_high", "limit", "verdict", "bound",
)  # fmt: skip
FINDING, ATTACKER = "finding", "attacker"
OPENING = ("=", "+", "-", "@")
"""What a spreadsheet takes for a formula."""

Row = dict[str, object]


def is_own(path: Path) -> bool:
    """Return whether a file begins as `as_csv` does."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(10_000).rstrip("\r\n") == ",".join(COLUMNS)
    except OSError:
        return False


def as_csv(audits: Mapping[str, AuditResult]) -> str:
    """Return the rows of some audits, by the names of their checkpoints; figures are shares, not percent."""
    target = io.StringIO()
    writer = csv.DictWriter(target, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for name, audit in audits.items():
        for found in audit.findings:
            for row in _rows(found):
                about = {"checkpoint": name, "audited": audit.created, "role": found.role}
                writer.writerow({key: _safe(value) for key, value in (about | row).items()})
    return target.getvalue()


def _rows(found: Finding) -> Iterator[Row]:
    measured, decided = found.measurement, found.decision
    about: Row = {"attribute": found.attribute, "layer": found.layer, "metric": measured.metric}
    yield (
        about
        | _estimate(measured.score)
        | {
            "what": FINDING,
            "attacker": measured.strongest,
            "rows": measured.test_rows,
            "floor": measured.floor_score.value,
            "excess": measured.excess.value,
            "excess_low": measured.excess.low,
            "excess_high": measured.excess.high,
            "limit": decided.limit if decided else None,
            "verdict": decided.verdict if decided else None,
            "bound": found.certificate.balanced_accuracy if found.certificate else None,
        }
    )
    for one in measured.attackers:
        figure = _estimate(one.figures[measured.metric]) if one.failure is None else {}
        name = f"{one.name} on {one.view}"
        yield (
            about | figure | {"what": ATTACKER, "attacker": name, "rows": one.rows, "floor": measured.floor_score.value}
        )


def _estimate(one: Estimate) -> Row:
    return {"value": one.value, "low": one.low, "high": one.high}


def _safe(value: object) -> object:
    """Return a text without control characters, and not as a formula; numbers as they are."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.startswith(OPENING) else shown
