"""What contradicts itself in the figures of what stays: attributes to keep, and watched ones."""

import math
from collections.abc import Iterator

from audit.evidence.audit_result import AuditResult
from audit.evidence.checks.figures import ROUNDING, of_interval
from audit.evidence.findings import Estimate
from audit.evidence.numbers import one_line
from audit.evidence.watched import AREA, Area


def of_kept(audit: AuditResult) -> Iterator[str]:
    """Say what is wrong with what could be kept at best, and with watched attributes."""
    for one in audit.findings:
        best, name = one.measurement.at_best, f"{one_line(one.attribute)} at {one_line(one.layer)}"
        if best is not None and one.role == "private":
            yield f"{name}: it is private, and says how much of it could be kept"
        elif best is not None:
            yield from (f"{name}: {fault}" for fault in _of_area(best, AREA[one.measurement.metric]))
    named, layers = {one.attribute for one in audit.findings}, {one.layer for one in audit.findings}
    seen: set[tuple[str, str]] = set()
    for watched in audit.watched:
        name, place = f"{one_line(watched.attribute)} at {one_line(watched.layer)}", (watched.attribute, watched.layer)
        if watched.attribute in named or place in seen:
            yield f"{name}: it is watched, and stands there already"
        seen.add(place)
        if watched.layer not in layers or not audit.protocol.min_class <= watched.rows <= audit.data.test.rows:
            yield f"{name}: it was watched at another layer, or on too few test rows, or on more than there are"
        if not watched.attribute.strip():
            yield f"{name}: it is watched, and has no name"
        for figure in (watched.figure, *([watched.at_best] if watched.at_best else [])):
            yield from (f"{name}: {fault}" for fault in _of_area(figure, watched.metric))


def _of_area(figure: Estimate, metric: Area) -> Iterator[str]:
    if not all(map(math.isfinite, (figure.value, figure.low, figure.high))):
        yield "a figure is no finite number"
    elif figure.value > 1 + ROUNDING or (metric == "auroc" and figure.value < -ROUNDING):
        yield "an AUROC or R² is not within its scale"
    yield from of_interval(figure)
