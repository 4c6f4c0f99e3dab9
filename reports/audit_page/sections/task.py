"""The task and the retained attributes: accuracy of the one, figures of the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audit.evidence.audit_result import AnyTask, QuantityTask
from audit.evidence.findings import Measurement
from audit.evidence.headline import WRITERS, written_baseline, written_nothing, written_task
from audit.evidence.numbers import bare, change, count, named, share, shorten
from reports.charts.attribute import Drawing, attribute_drawings, captioned_once, task_drawing
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.inputs.paired_difference import task_change
from reports.render.section import Section
from reports.render.table import Body, Cell, Row, Table, cell, figure_cell, missing, over
from reports.text.figures import NONE, figure, floor, pair_change
from reports.text.identities import gives_away, identity_table
from reports.text.kept_at_best import kept_table, kept_text
from reports.text.sentences import NO_TASK, attribute_at, retained_by_state, unpaired


@dataclass(frozen=True)
class TaskView:
    """Task and retained attributes."""

    sentences: str
    drawing: Drawing | None
    """None where no task was named."""
    table: Table | None
    states: tuple[str, ...]
    """What became of the retained attributes, a sentence for each state."""
    retained: tuple[Drawing, ...]
    retained_table: Table | None
    kept_table: Table | None
    """Attributes to keep and watched ones beside what could be kept at best; None where that was not measured."""
    kept_text: str
    identity_table: Table | None
    """Whether people are told apart; None where no identities were named."""
    gives_away: str


def view(comparison: Comparison) -> TaskView:
    """Prepare drawings and tables of the task and of the retained attributes."""
    return TaskView(
        sentences=_task_text(comparison),
        drawing=task_drawing([(when, audit.task) for when, audit in comparison.audits if audit.task]),
        table=task_table(comparison),
        states=tuple(retained_by_state(comparison.retained, comparison.keep_drop)),
        retained=_drawn(comparison),
        retained_table=retained_table(comparison),
        kept_table=kept_table(comparison),
        kept_text=kept_text(comparison),
        identity_table=identity_table(comparison),
        gives_away=gives_away(comparison),
    )


def _drawn(comparison: Comparison) -> tuple[Drawing, ...]:
    """Draw the retained attributes; what the marks mean has been said of the private ones of the same metric."""
    retained = by_attribute(comparison.retained)
    told = {pair.last.measurement.metric for pair in comparison.pairs}
    drawn = zip(retained, captioned_once(attribute_drawings(retained, "kept")), strict=True)
    return tuple(replace(one, caption="") if pairs[0].last.measurement.metric in told else one for pairs, one in drawn)


SECTION = Section("task", "Task, and what was kept", view, heading="The task, and what was kept")


def task_table(comparison: Comparison) -> Table | None:
    """Return how well each checkpoint does its task, or None where no task was named."""
    tasks = [(when, audit.data.test.rows, audit.task) for when, audit in comparison.audits if audit.task]
    if not tasks:
        return None
    rows: list[tuple[Cell, ...]] = [
        (
            cell(when),
            figure_cell(written_task(task)),
            _second(task),
            cell(written_nothing(task), kind="number"),
            cell(count(rows), kind="number"),
        )
        for when, rows, task in tasks
    ]
    if len(tasks) == 2:
        one = task_change(tasks[0][2], tasks[1][2])
        paired = "paired on the same rows" if one.paired else "not paired"
        told = figure_cell(change(one.estimate, in_points=tasks[1][2].percent), paired)
        rows.append((cell("Change"), told, *(missing() for _ in range(3))))
    figures = ("Accuracy", "Balanced accuracy", "Most frequent class")
    figures = figures if tasks[-1][2].percent else ("R²", "Mean error", "Answering the mean")
    columns = ("Checkpoint", *figures, "Test rows")
    return Table(f"Task “{named(tasks[-1][2].name)}” on the same test rows", columns, tuple(rows))


def _second(task: AnyTask) -> Cell:
    """Return the balanced accuracy, or the mean error of a quantity beside that of the median."""
    if not isinstance(task, QuantityTask):
        return figure_cell(share(task.balanced_accuracy))
    median = WRITERS["mae"](task.mae.model_copy(update={"value": task.mae_of_median})).value
    return figure_cell(WRITERS["mae"](task.mae), f"the median: {median}")


def retained_table(comparison: Comparison) -> Table | None:
    """Return the figures of the attributes that should stay readable, or None where none was named."""
    if not comparison.retained:
        return None
    first = "Audit" if comparison.retained[0].first else "Layer"
    columns = (first, "Balanced accuracy in %, or R²", "Floor", "AUROC", "Information in bits, or mean error")
    bodies = tuple(body for pairs in by_attribute(comparison.retained) for body in _bodies(pairs))
    caption = f"What can be read of attributes that should stay readable{unpaired(comparison.retained)}"
    return Table(caption, columns, kind="kept", bodies=bodies)


def _bodies(pairs: Sequence[Pair]) -> list[Body]:
    """Return a body per layer with a row per audit, or for one audit alone a body with a row per layer."""
    note = written_baseline(pairs[0].last.measurement)
    if pairs[0].first is None:
        rows = tuple(_row(pair.last, shorten(pair.last.found.layer)) for pair in pairs)
        return [Body(shorten(pairs[0].last.found.attribute), rows, note)]
    return [
        Body(
            attribute_at(pair.last.found),
            (*(_row(one, one.when) for one in pair.readings), _change_row(pair)),
            written_baseline(pair.last.measurement),
        )
        for pair in pairs
    ]


def _row(reading: Reading, head: str) -> Row:
    measurement = reading.measurement
    read, auroc, last = (figure(measurement, name) for name in _names(measurement))
    return Row(head, tuple(map(over, (read, bare(floor(measurement)), auroc, last))))


def _change_row(pair: Pair) -> Row:
    read, auroc, last = (bare(pair_change(pair, name)) for name in _names(pair.last.measurement))
    return Row("Change", tuple(map(over, (read, NONE, auroc, last))))


def _names(measurement: Measurement) -> tuple[str, str, str]:
    """Return the figures of the columns: the metric, the AUROC, which a quantity has not, and the last one."""
    return measurement.metric, "auroc", measurement.kind.figures[-1]


def _task_text(comparison: Comparison) -> str:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return (
            f"{NO_TASK[0].upper()}{NO_TASK[1:]}. So this page cannot show whether the model still does what it is for, "
            "nor how much of the leakage its answers give away by themselves."
        )
    if len(tasks) == 1:
        return "How well the model does what it is for: whatever is removed from it should leave this as it is."
    return (
        "How well the model does what it is for, before and after. Removal is worth little if the task goes with it: "
        "read this beside the leakage above."
    )
