"""Which rows and references go into each drawing, and what is said beside it."""

from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence import Estimate
from reports.charts import NARROW, WIDE, Line, Mark, Row, draw
from reports.comparison import Comparison, Pair
from reports.figures import measured, null_estimate, percent, share, shorten


@dataclass(frozen=True)
class Drawing:
    """One drawing for wide and for narrow screens, with the words around it."""

    attribute: str
    layer: str
    wide: Markup
    narrow: Markup
    caption: str


def leakage_drawing(pair: Pair, index: int) -> Drawing:
    """Draw what is read of one attribute at one layer, beside the floor, chance, null band and limit."""
    leakage = pair.last.leakage
    rows = [
        _row(reading.when, reading.leakage.balanced_accuracy, is_last=reading is pair.last) for reading in pair.readings
    ]
    for reading in pair.readings:
        if reading.head:
            name = "Its own head, no evidence" if reading is pair.last else "Own head before, no evidence"
            says = reading.head.accuracy
            rows.append(Row(name, measured(says), "head", says, says, says))
    floor, null = leakage.floor, null_estimate(leakage)
    rows.append(Row("Task label alone (floor)", str(share(floor)), "floor", floor.value, floor.low, floor.high))
    rows.append(Row("Shuffled labels (null)", str(share(null)), "null", null.value, null.low, null.high))
    bound = leakage.floor.value + leakage.limit
    lines = [Line(f"chance {percent(leakage.chance)}", leakage.chance, ":")]
    dashed = " Dashed: the limit on top of the floor, a guide only: the verdict is on the paired excess."
    if bound <= 1:
        lines.append(Line(f"limit {percent(bound)}", bound, "--"))
    band = (floor.low, floor.high)
    caption = (
        "Balanced accuracy of the strongest fresh attacker with its 95 % interval. Light band: the floor's "
        f"interval.{dashed if bound <= 1 else ''}"
    )
    wide, narrow = _both(rows, lines, band, scale="balanced accuracy", salt=f"leakage-{index}")
    return Drawing(shorten(leakage.attribute), shorten(leakage.layer), wide, narrow, caption)


def task_drawing(comparison: Comparison) -> Drawing:
    """Draw how well the model does its task, beside always answering the most frequent class."""
    last = comparison.audits[-1][1]
    rows = [_row(when, audit.task.accuracy, is_last=audit is last) for when, audit in comparison.audits]
    lines = [Line(f"most frequent class {percent(last.task.chance)}", last.task.chance, ":")]
    wide, narrow = _both(rows, lines, None, scale="accuracy on the task", salt="task")
    caption = "Accuracy on the task with its 95 % interval, on the same test rows."
    return Drawing(shorten(last.task.name), "", wide, narrow, caption)


def _row(when: str, estimate: Estimate, *, is_last: bool) -> Row:
    mark: Mark = "after" if is_last else "before"
    return Row(when, str(share(estimate)), mark, estimate.value, estimate.low, estimate.high)


def _both(
    rows: list[Row], lines: list[Line], band: tuple[float, float] | None, *, scale: str, salt: str
) -> tuple[Markup, Markup]:
    label = "; ".join([f"{row.name}: {row.told}" for row in rows] + [line.name for line in lines])
    label = f"{scale[0].upper()}{scale[1:]}. {label}."
    wide = draw(rows, lines, band, scale=scale, label=label, layout=WIDE, salt=f"{salt}-wide")
    narrow = draw(rows, lines, band, scale=scale, label=label, layout=NARROW, salt=f"{salt}-narrow")
    return Markup(wide), Markup(narrow)
