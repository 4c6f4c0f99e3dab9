"""What in the figures of the task contradicts counts, or the floors of the attributes."""

from collections.abc import Iterator

from audit.evidence.audit_result import AuditResult, QuantityTask, Task
from audit.evidence.checks.figures import ROUNDING, ends, is_narrower, of_interval
from audit.evidence.numbers import one_line


def of_classes(task: Task, audit: AuditResult) -> Iterator[str]:
    """Say what is wrong with a task of classes; a floor is told by its answers at most."""
    for figure in (task.accuracy, task.balanced_accuracy):
        yield from of_interval(figure)
        if not -ROUNDING <= figure.value <= 1 + ROUNDING:
            yield "an accuracy is not within 0 and 1"
    if task.accuracy_draws and is_narrower(task.accuracy, *ends(task.accuracy_draws)):
        yield "the interval of its accuracy is not that of its draws"
    if task.guess is not None and not 1 / len(task.classes) - ROUNDING <= task.guess <= task.chance + ROUNDING:
        yield "a guess is not one of the classes that test rows have"
    if task.missing < 0 or task.missing > audit.data.rows:
        yield "more rows are without a value than there are"
    for one in audit.findings:
        measurement, k = one.measurement, len(one.measurement.classes)
        most = max(task.answered or len(task.classes), 1) / k  # each answer names one class at most
        if not task.missing and measurement.kind.percent and measurement.floor_score.value > most + ROUNDING:
            yield f"its answers cannot tell as much of {one_line(one.attribute)} as the floor says"


def of_quantity(task: QuantityTask, audit: AuditResult) -> Iterator[str]:
    """Say what is wrong with a task that is a quantity; a floor is told by so many bins of its prediction at most."""
    for figure in (task.r2, task.mae):
        yield from of_interval(figure)
    if task.r2.value > 1 + ROUNDING or min(task.mae.value, task.mae_of_median) < 0:
        yield "an R² is above 1, or an error below 0"
    if task.r2_draws and is_narrower(task.r2, *ends(task.r2_draws)):
        yield "the interval of its R² is not that of its draws"
    if min(task.missing, task.rows) < 0 or task.missing > audit.data.rows or task.rows > audit.data.test.rows:
        yield "more rows are with a value, or without one, than there are"
    if not 1 <= task.answered <= max(task.rows, 1):
        yield "it answered more numbers than there are rows, or none"
    for one in audit.findings:
        measurement, bins = one.measurement, task.bins.get(one.attribute, 0)
        if measurement.kind.percent and measurement.floor_score.value > bins / len(measurement.classes) + ROUNDING:
            yield f"its {bins} bins cannot tell as much of {one_line(one.attribute)} as the floor says"
