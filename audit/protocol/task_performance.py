"""The model at its own task: how often its answers are right on some rows, or how near they are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.attackers.scoring import QuantityReading
from audit.bootstrap import Doubles, Resamples, draws, estimate_share
from audit.data.class_order import FAR_BETTER
from audit.data.columns import Answers, AnyColumn, Column, Ints, Quantity
from audit.errors import DataError
from audit.evidence.audit_result import QuantityTask, Task


def require_task_rows(name: str, target: AnyColumn, rows: Ints, least: int) -> None:
    """Raise a DataError if so few test rows have a value of the task, or so like ones, that nothing can be said of it.

    Args:
        name: Of the task.
        target: Its values of all rows.
        rows: The test rows.
        least: How many of them must have a value.
    """
    known = rows[target.known[rows]]
    if len(known) < least:
        raise DataError(
            f"{len(known)} of the {len(rows)} test rows have a value of the task {name!r}, and it takes {least} to say "
            "how well the model does it. Give more rows with a value, or leave the task out."
        )
    if isinstance(target, Quantity) and not np.ptp(target.values[known]) > 0:
        raise DataError(
            f"The task {name!r} is {target.values[known[0]]:g} in all of the test rows that have a value, so that "
            "nothing can be told apart. Give more rows with a value, or leave the task out."
        )


def performance(name: str, target: Column, predicted: Ints, rows: Ints, draw: Callable[[Ints], Resamples]) -> Task:
    """Return how well a model does its task, with intervals over resamples of the groups.

    Args:
        name: Of the task.
        target: Its classes of all rows.
        predicted: The answers of all rows, (n,), places in `target.classes`.
        rows: Those to look at; one without a class is left out.
        draw: Resamples some rows.
    """
    rows = rows[target.known[rows]]
    answer = predicted[rows]
    present, y = np.unique(target.codes[rows], return_inverse=True)
    resamples = draw(rows)
    is_right = target.codes[rows] == answer
    right, k = resamples.means(is_right), len(present)
    return Task(
        name=name,
        classes=list(target.classes),
        accuracy=estimate_share(right, resamples.weights.shape[1]),
        balanced_accuracy=estimate_share(resamples.mean_recall(is_right, y, k), resamples.independent(y, k)),
        chance=float(np.bincount(y).max() / len(y)),
        missing=int((~target.known).sum()),
        accuracy_draws=draws(right),
        guess=1 / k,
        answered=len(np.unique(answer)),
    )


def quantity_performance(
    name: str, target: Quantity, predicted: Answers, rows: Ints, draw: Callable[[Ints], Resamples]
) -> QuantityTask:
    """Return how near a model comes to a task that is a quantity, with intervals over resamples of the groups.

    Args:
        name: Of the task.
        target: Its numbers of all rows.
        predicted: The answers of all rows, (n,), in the same unit.
        rows: Those to look at; one without a number is left out.
        draw: Resamples some rows.
    """
    rows = rows[target.known[rows]]
    values, resamples = target.values[rows], draw(rows)
    reading = QuantityReading(predicted[rows].astype(np.float64), values)
    each = {figure: reading.each(figure, resamples) for figure in ("r2", "mae")}
    return QuantityTask(
        name=name,
        r2=reading.estimate("r2", resamples, each["r2"]),
        mae=reading.estimate("mae", resamples, each["mae"]),
        mae_of_median=float(np.abs(values - np.median(values)).mean()),
        missing=int((~target.known).sum()),
        rows=len(rows),
        r2_draws=draws(each["r2"]),
        answered=len(np.unique(reading.answer)),
    )


@dataclass(frozen=True)
class BetterUnit:
    """A scale and an origin by which a model's answers would come far nearer to a quantity."""

    slope: float
    offset: float
    r2: float
    """On rows that they were not found on."""
    as_it_is: float

    def describe(self, task: str) -> str:
        """Say so, without a full stop."""
        return (
            f"the model's answers explain {self.as_it_is:.3g} of the variance of {task!r} (R²), and would explain "
            f"{self.r2:.3g} as {self.slope:.4g} × answer {'+' if self.offset >= 0 else '−'} {abs(self.offset):.4g}: it "
            "seems to predict in another unit, such as deviations from a mean; give the column in the model's unit, or "
            "make the model return the column's"
        )


def better_unit(target: Quantity, predicted: Answers, found_on: Ints, held_out: Ints) -> BetterUnit | None:
    """Return the scale and the origin by which the answers come far nearer, and nearer than a constant answer.

    Args:
        target: The task's numbers of all rows.
        predicted: The answers of all rows, (n,).
        found_on: Rows that choose them.
        held_out: Other rows, which measure them.
    """
    found_on, held_out = (rows[target.known[rows]] for rows in (found_on, held_out))
    answer: Doubles = predicted.astype(np.float64)
    if len(held_out) < 2 or len(found_on) < 2 or not answer[found_on].std() > 0:
        return None
    slope, offset = np.polyfit(answer[found_on], target.values[found_on], 1)
    as_it_is = QuantityReading(answer[held_out], target.values[held_out]).score
    r2 = QuantityReading(slope * answer[held_out] + offset, target.values[held_out]).score
    return BetterUnit(float(slope), float(offset), r2, as_it_is) if r2 > 0 and r2 - as_it_is >= FAR_BETTER else None
