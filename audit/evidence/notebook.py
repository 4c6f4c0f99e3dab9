"""One audit in a notebook: a small HTML table without style sheet or script, and its findings as a DataFrame."""

import html
from collections.abc import Iterable, Sequence
from math import nan
from typing import TYPE_CHECKING

from audit.errors import visible
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import RATES, SHOTS, Finding, Measurement
from audit.evidence.headline import written, written_guess, written_limit, written_median
from audit.evidence.metric import EXCESS, GIVEN_TASK, METRICS
from audit.evidence.numbers import Figure, at_most_percent, bits_of, decimal, of_held, quantity
from audit.evidence.verdict import held_for

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "attribute", "layer", "verdict", "leakage, 95 % interval", "floor", "chance", "AUROC", "bits of H(v)",
    "strongest attacker",
)  # fmt: skip
PICKLE_RAN = "code inside the checkpoint file ran when it was loaded; the figures are worth as much as its maker's word"
_FIGURES = (*(name for metric in METRICS.values() for name in metric.figures), GIVEN_TASK)
"""Of all metrics, so that every frame has the same columns."""
_FLOORS = tuple(name for metric in METRICS.values() for name in metric.floor)
_GUESSES = tuple(name for metric in METRICS.values() for name in metric.baseline)
_EDGE = "border:0;border-bottom:1px solid rgba(128,128,128,.4)"
_CELL = f"{_EDGE};padding:.25em .8em .25em 0;text-align:left;vertical-align:top;background:transparent"
_SOFT = "opacity:.75;font-size:90%"


def frame(result: AuditResult) -> "pd.DataFrame":
    """Return a row for each finding; see AuditResult.to_frame."""
    import pandas as pd  # noqa: PLC0415 - a report does without

    return pd.DataFrame([_flat(one) for one in result.findings])


def _flat(one: Finding) -> dict[str, object]:
    measurement = one.measurement
    row: dict[str, object] = {"attribute": one.attribute, "layer": one.layer, "role": one.role}
    row["verdict"] = one.decision.verdict if one.decision else None
    row["limit"] = one.decision.limit if one.decision else nan
    row |= {"metric": measurement.metric, "strongest": measurement.strongest, "test_rows": measurement.test_rows}
    estimates = {name: measurement.figures.get(name) for name in _FIGURES}
    estimates |= {EXCESS: measurement.excess}
    estimates |= {f"floor_{name}": measurement.floor.get(name) for name in _FLOORS}
    for name, figure in estimates.items():
        value, low, high = (figure.value, figure.low, figure.high) if figure else (nan, nan, nan)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    row |= {f"guess_{name}": measurement.baseline.get(name, nan) for name in _GUESSES}
    row["upper_bound"] = one.certificate.balanced_accuracy if one.certificate else nan
    return row | {"held_for": held_for(one) if one.decision else None} | _power(measurement) | _exposed(measurement)


def _power(measurement: Measurement) -> dict[str, float]:
    """Return what the last doubling of the rows gained, and the least share of a planted leak that was recovered."""
    gains = [one.gain.value for one in measurement.curves]
    largest = {one.kind: one for one in sorted(measurement.spikes, key=lambda one: one.planted)}
    shares = [one.share for one in largest.values()]
    return {"last_doubling": max(gains, default=nan), "recovered": min(shares, default=nan)}


def _exposed(measurement: Measurement) -> dict[str, float]:
    """Return the figures of who is exposed: of the class that is recognised best, and found most often."""
    exposed = measurement.exposure
    recalls = [one.recall.value for one in (exposed.recalls if exposed else ()) if one.recall]
    row = {"recall_most": max(recalls, default=nan)}
    for rate in RATES:
        found = [
            one.rate.value for one in (exposed.found if exposed else ()) if one.false_positive_rate == rate and one.rate
        ]
        row[f"true_positives_at_{rate:g}"] = max(found, default=nan)
    shots = {one.rows: one.figure.value for one in measurement.shots}
    return row | {f"shots_{rows}": shots.get(rows, nan) for rows in SHOTS}


def card(result: AuditResult) -> str:
    """Return the verdicts with the figures they are read against, and the warnings, as a piece of HTML.

    One row per attribute and layer: balanced accuracy for classes, R² for quantities. Every name is escaped.
    """
    rows = [*map(_cells, (*result.private, *result.retained))]
    warnings = [*([PICKLE_RAN] if result.checkpoint.pickle_ran else []), *result.warnings]
    return (
        f'<div style="color:inherit;overflow-x:auto"><p style="margin:0 0 .5em">{_about(result)}</p>'
        f'<table style="border-collapse:collapse;color:inherit;font-size:90%"><thead>{_row("th", COLUMNS)}</thead>'
        f"<tbody>{''.join(_row('td', row) for row in rows)}</tbody></table>{_warnings(warnings)}</div>"
    )


def _about(result: AuditResult) -> str:
    task = f"task {_text(result.task.name)}" if result.task else "no task was named; the floor is chance"
    what = _text(result.checkpoint.file)
    return f"Privacy audit of <b>{what}</b>, {of_held(result.tested, result.data.test.rows)} test rows, {task}"


def _cells(one: Finding) -> tuple[str, ...]:
    measurement = one.measurement
    prefix = "" if measurement.kind.percent else f"{measurement.kind.title} "
    auroc, information = measurement.figures.get("auroc"), measurement.figures.get("bits")
    return (
        _text(one.attribute),
        _text(one.layer),
        _verdict(one),
        _together(f"{prefix}{_bracketed(written(measurement, measurement.score))}") + _beside(one),
        _together(f"{prefix}{written(measurement, measurement.floor_score).value}"),
        _together(f"{prefix}{written_guess(measurement)}"),
        _together(_bracketed(decimal(auroc))) if auroc else "–",
        _together(bits_of(information, measurement.entropy)) if information and measurement.entropy else "–",
        _text(measurement.strongest),
    )


def _verdict(one: Finding) -> str:
    if one.decision is None:
        return one.role
    return f"<b>{_text(one.decision.verdict)}</b>{_soft(_together(f'limit: {written_limit(one)}'))}"


def _beside(one: Finding) -> str:
    """Return the second line of the figure: the upper bound of a finite code, or the error of a quantity."""
    most, error = one.certificate, one.measurement.figures.get("mae")
    if most is not None:
        share = _together(f"{at_most_percent(most.balanced_accuracy)} %")
        return _soft(f"no attacker reads more than {share} ({100 * most.confidence:g} %)")
    if error is None:
        return ""
    return _soft(f"mean error {quantity(error).value}, of the median {written_median(one.measurement)}")


def _text(words: str) -> str:
    return html.escape(visible(words))


def _bracketed(figure: Figure) -> str:
    return f"{figure.value} [{figure.interval}]" if figure.interval else figure.value


def _together(words: str) -> str:
    return f'<span style="white-space:nowrap">{words}</span>'


def _soft(words: str) -> str:
    return f'<br><span style="{_SOFT}">{words}</span>'


def _row(tag: str, cells: Iterable[str]) -> str:
    inside = "".join(f'<{tag} style="{_CELL}">{one}</{tag}>' for one in cells)
    return f"<tr>{inside}</tr>"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    listed = "".join(f"<li>{_text(one)}</li>" for one in warnings)
    return f'<p style="margin:.8em 0 0"><b>Read with care</b></p><ul style="margin:.2em 0 0">{listed}</ul>'
