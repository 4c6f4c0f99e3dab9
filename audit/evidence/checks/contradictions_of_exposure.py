"""What in figures of who is read, by class, by few false alarms and by several rows, belongs to no class or scale."""

from collections.abc import Iterator
from itertools import product

from audit.evidence.checks.figures import ROUNDING, of_interval
from audit.evidence.findings import Exposure, Measurement


def of_exposure(measurement: Measurement) -> Iterator[str]:
    """Hold recalls and true-positive rates against the classes, and every share against its scale."""
    told = measurement.exposure
    if told is not None:
        yield from _of_classes(told, [one.name for one in measurement.classes])
    recalls, found = (told.recalls, told.found) if told else ([], [])
    shares = [
        *(one.recall for one in recalls),
        *(one.rate for one in found),
        *(one.figure for one in measurement.shots),
    ]
    for figure in (one for one in shares if one is not None):
        yield from of_interval(figure)
        if not -ROUNDING <= figure.value <= 1 + ROUNDING:
            yield "a share of who is read is not within 0 and 1"
    if any(min(one.rows, one.people) < 1 for one in measurement.shots):
        yield "it tells of nobody's several rows"


def _of_classes(told: Exposure, names: list[str]) -> Iterator[str]:
    if [one.name for one in told.recalls] != names:
        yield "its recalls are not of its classes, each once and in their order"
    rates = dict.fromkeys(one.false_positive_rate for one in told.found)
    if 0 in rates:
        yield "a true-positive rate is at no false alarms"
    asked = [*product(names, rates)] if len(names) == 2 else []
    if [(one.wanted, one.false_positive_rate) for one in told.found] != asked:
        yield "its true-positive rates are not of both classes, each at every rate"
