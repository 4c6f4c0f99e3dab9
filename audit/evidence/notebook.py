"""One audit as a small table for a notebook: no style sheet, no script, the notebook's own colours."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Estimate, Leakage, Readability, Regression

COLUMNS = (
    "attribute",
    "layer",
    "verdict",
    "read, 95 % interval",
    "floor",
    "chance",
    "AUROC",
    "bits of H(v)",
    "strongest attacker",
)
PICKLE_RAN = "code inside the checkpoint file ran when it was loaded; the figures are worth as much as its maker's word"
_EDGE = "border:0;border-bottom:1px solid rgba(128,128,128,.4)"
_CELL = f"{_EDGE};padding:.25em .8em .25em 0;text-align:left;vertical-align:top;background:transparent"
_SOFT = "opacity:.75;font-size:90%"


def card(result: AuditResult) -> str:
    """Return the verdicts with the figures they are read against, and the warnings, as a piece of HTML.

    One row per attribute and layer: balanced accuracy for classes, R² for numbers. Every name is escaped.
    """
    rows = [
        *(_classes(one, _verdict(one.verdict, f"{100 * one.limit:g} points"), _bound(one)) for one in result.leakage),
        *(_number(one, _verdict(one.verdict, f"{one.limit:g} of R²")) for one in result.continuous),
        *(_classes(one, "kept") for one in result.kept),
        *(_number(one, "kept") for one in result.kept_continuous),
    ]
    warnings = [*([PICKLE_RAN] if result.checkpoint.pickle_ran else []), *result.warnings]
    return (
        f'<div style="color:inherit;overflow-x:auto"><p style="margin:0 0 .5em">{_about(result)}</p>'
        f'<table style="border-collapse:collapse;color:inherit;font-size:90%"><thead>{_row("th", COLUMNS)}</thead>'
        f"<tbody>{''.join(_row('td', row) for row in rows)}</tbody></table>{_warnings(warnings)}</div>"
    )


def at_most_percent(share: float) -> str:
    """Return a bound as percent, rounded up: never told lower than it is."""
    return f"{math.ceil(round(1000 * share, 6)) / 10:.1f}"


def _about(result: AuditResult) -> str:
    task = f"task {escape(result.task.name)}" if result.task else "no task was named; the floor is chance"
    what = escape(result.checkpoint.file)
    return f"Privacy audit of <b>{what}</b>, {result.data.test.rows:,} test rows, {task}"


def _verdict(verdict: str, limit: str) -> str:
    return f"<b>{escape(verdict)}</b>{_soft(_together(f'limit: {limit}'))}"


def _bound(one: Leakage) -> str:
    most = one.certificate
    if most is None:
        return ""
    read = _together(f"{at_most_percent(most.balanced_accuracy)} %")
    return _soft(f"no attacker reads more than {read} ({100 * most.confidence:g} %)")


def _classes(one: Readability, verdict: str, bound: str = "") -> tuple[str, ...]:
    bits = max(0.0, one.bits.value)
    share = bits / one.entropy if one.entropy > 0 else 0.0
    return (
        escape(one.attribute),
        escape(one.layer),
        verdict,
        _interval(one.balanced_accuracy, scale=100, unit=" %") + bound,
        _together(f"{100 * one.floor.value:.1f} %"),
        _together(f"{100 * one.chance:.1f} %"),
        _interval(one.auroc),
        _together(f"{bits:.2f} of {one.entropy:.2f} ({100 * share:.0f} %)"),
        escape(one.strongest),
    )


def _number(one: Regression, verdict: str) -> tuple[str, ...]:
    error = f"mean error {one.mae.value:.3g}, of the median {one.median_mae:.3g}"
    return (
        escape(one.attribute),
        escape(one.layer),
        verdict,
        _interval(one.r2, before="R² ") + _soft(error),
        _together(f"R² {_signed(one.floor.value, 3)}"),
        _together("R² 0"),
        "–",
        "–",
        escape(one.strongest),
    )


def _interval(estimate: Estimate, *, scale: float = 1, before: str = "", unit: str = "") -> str:
    digits = 1 if scale == 100 else 3
    value, low, high = (_signed(scale * x, digits) for x in (estimate.value, estimate.low, estimate.high))
    return _together(f"{before}{value}{unit} [{low}, {high}]")


def _together(words: str) -> str:
    return f'<span style="white-space:nowrap">{words}</span>'


def _signed(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".replace("-", "−")


def _soft(words: str) -> str:
    return f'<br><span style="{_SOFT}">{words}</span>'


def _row(tag: str, cells: Iterable[str]) -> str:
    inside = "".join(f'<{tag} style="{_CELL}">{one}</{tag}>' for one in cells)
    return f"<tr>{inside}</tr>"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    listed = "".join(f"<li>{escape(one)}</li>" for one in warnings)
    return f'<p style="margin:.8em 0 0"><b>Read with care</b></p><ul style="margin:.2em 0 0">{listed}</ul>'
