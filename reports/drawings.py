"""Which rows and references go into each drawing, and what is said beside it."""

from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence import ContinuousLeakage, Estimate, Leakage, Regression
from reports.bounds import certificate, read_at_most
from reports.charts import NARROW, WIDE, Line, Mark, Row, Scale, draw
from reports.comparison import Comparison, Pair
from reports.figures import Figure, measured, percent, share, shorten
from reports.headline import Measured, guess, headline, null_estimate, unit, written, written_guess, written_level
from reports.wording import ceiling_of


@dataclass(frozen=True)
class Drawing:
    """One drawing for wide and for narrow screens, with the words around it."""

    attribute: str
    layer: str
    wide: Markup
    narrow: Markup
    caption: str


def attribute_drawing(pair: Pair[Measured], salt: str) -> Drawing:
    """Draw what is read of one attribute at one layer, beside ceiling, floor, chance, null band and limit.

    Args:
        pair: Private, with a limit, or to be kept, without one.
        salt: Sets this drawing apart from the others on the page.
    """
    found = pair.last.found
    has_task = pair.last.audit.task is not None

    def read(name: str, mark: Mark, estimate: Estimate) -> Row:
        return _row(name, mark, estimate, written(found, estimate))

    rows = [read(one.when, _mark(is_last=one is pair.last), headline(one.found)) for one in pair.readings]
    for reading in pair.readings:
        most = certificate(reading.found)
        if most:
            name = "Any attacker (bound)" if reading is pair.last else "Any attacker before (bound)"
            x = most.balanced_accuracy
            rows.append(Row(name, f"at most {read_at_most(most)}", "bound", x, x, x))
    for reading in pair.readings:
        if reading.head:
            name = "Its own head, no evidence" if reading is pair.last else "Own head before, no evidence"
            says = reading.head.accuracy
            rows.append(Row(name, measured(says), "head", says, says, says))
    ceiling = ceiling_of(pair)
    if ceiling:
        rows.append(read("From the raw input (ceiling)", "ceiling", ceiling.figure))
    if has_task:
        rows.append(read("Task label alone (floor)", "floor", found.floor))
    rows.append(read("Shuffled labels (null)", "null", null_estimate(found.null)))
    lines = [Line(f"{_nothing(found, has_task=has_task)} {written_guess(found)}", guess(found), ":")]
    bound = found.floor.value + found.limit if isinstance(found, Leakage | ContinuousLeakage) else None
    if bound is not None and bound <= 1:
        lines.append(Line(f"limit {written_level(found, bound)}", bound, "--"))
    band = (found.floor.low, found.floor.high) if has_task else None
    scale = Scale("R², share of the variance explained" if unit(found) == "R²" else unit(found), unit(found) != "R²")
    wide, narrow = _both(rows, lines, band, scale=scale, salt=salt)
    has_bound = any(row.mark == "bound" for row in rows)
    caption = _caption(found, has_limit=len(lines) > 1, has_band=has_task, has_bound=has_bound)
    return Drawing(shorten(found.attribute), shorten(found.layer), wide, narrow, caption)


def task_drawing(comparison: Comparison) -> Drawing | None:
    """Draw how well the model does its task, beside always answering the most frequent class."""
    last = comparison.audits[-1][1].task
    tasks = [(when, audit.task) for when, audit in comparison.audits if audit.task]
    if last is None:
        return None
    rows = [_row(when, _mark(is_last=task is last), task.accuracy, share(task.accuracy)) for when, task in tasks]
    lines = [Line(f"most frequent class {percent(last.chance)}", last.chance, ":")]
    wide, narrow = _both(rows, lines, None, scale=Scale("accuracy on the task", True), salt="task")
    caption = "Accuracy on the task with its 95 % interval, on the same test rows."
    return Drawing(shorten(last.name), "", wide, narrow, caption)


def _nothing(found: Measured, *, has_task: bool) -> str:
    name = "the mean alone" if isinstance(found, Regression) else "chance"
    return name if has_task else f"{name}, the floor:"


def _caption(found: Measured, *, has_limit: bool, has_band: bool, has_bound: bool) -> str:
    what = (
        "R², the share of the variance that the strongest fresh attacker explains,"
        if isinstance(found, Regression)
        else "Balanced accuracy of the strongest fresh attacker"
    )
    band = " Light band: the floor's interval." if has_band else " No task was named; the floor is chance."
    dashed = " Dashed: the limit on top of the floor, a guide only: the verdict is on the paired excess."
    bound = " Arrowhead to the left: the bound on every attacker, tried or not; no interval." if has_bound else ""
    return f"{what} with its 95 % interval.{band}{dashed if has_limit else ''}{bound}"


def _row(name: str, mark: Mark, estimate: Estimate, figure: Figure) -> Row:
    return Row(name, str(figure), mark, estimate.value, estimate.low, estimate.high)


def _mark(*, is_last: bool) -> Mark:
    return "after" if is_last else "before"


def _both(
    rows: list[Row], lines: list[Line], band: tuple[float, float] | None, *, scale: Scale, salt: str
) -> tuple[Markup, Markup]:
    label = "; ".join([f"{row.name}: {row.told}" for row in rows] + [line.name for line in lines])
    label = f"{scale.words[0].upper()}{scale.words[1:]}. {label}."
    wide = draw(rows, lines, band, scale=scale, label=label, layout=WIDE, salt=f"{salt}-wide")
    narrow = draw(rows, lines, band, scale=scale, label=label, layout=NARROW, salt=f"{salt}-narrow")
    return Markup(wide), Markup(narrow)
