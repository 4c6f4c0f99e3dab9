"""For which class each output of a model seems to stand: the order of classes in which its answers would be right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from audit.data.columns import Column, Ints

FAR_BETTER = 0.2
"""Share of the rows by which another order has to be right more often before it is worth naming."""
CONFIDENCE = 0.95
MOST_NAMED = 40
"""Classes that a sentence names at most."""


@dataclass(frozen=True)
class BetterOrder:
    """An order of the task's classes in which a model's answers are right far more often."""

    classes: tuple[str, ...]
    accuracy: float
    """On rows that the order was not found on."""
    as_it_is: float
    """In the order that was taken, on the same rows."""

    def describe(self, task: str) -> str:
        """Say so, and how to name that order, without a full stop."""
        return (
            f"the model is right in {self.as_it_is:.1%} of the rows about {task!r}, and would be in "
            f"{self.accuracy:.1%} if its outputs stood for the classes in the order {in_words(self.classes)}; "
            "if they do, name it by --task-classes"
        )


def better_order(target: Column, predicted: Ints, found_on: Ints, held_out: Ints) -> BetterOrder | None:
    """Return the order of classes in which the answers are right far more often, and than a constant answer is.

    Args:
        target: The task's classes of all rows.
        predicted: The answers of all rows, (n,), places in `target.classes`.
        found_on: Rows that choose the order.
        held_out: Other rows, which measure it.
    """
    k = len(target.classes)
    found_on, held_out = (rows[target.known[rows]] for rows in (found_on, held_out))
    if not len(found_on) or not len(held_out):
        return None
    pairs = np.bincount(predicted[found_on] * k + target.codes[found_on], minlength=k * k).reshape(k, k)
    meant = linear_sum_assignment(-pairs)[1]  # the class that each output seems to be for
    y, answer = target.codes[held_out], predicted[held_out]
    right, as_it_is = int((meant[answer] == y).sum()), float((answer == y).mean())
    share, common = right / len(y), np.bincount(y).max() / len(y)
    least = binomtest(right, len(y)).proportion_ci(CONFIDENCE, method="wilson").low
    if share - as_it_is < FAR_BETTER or least <= common:
        return None
    return BetterOrder(tuple(target.classes[place] for place in meant), share, as_it_is)


def in_words(classes: Sequence[str]) -> str:
    """Return classes in their order as an option takes them, the first ones of very many."""
    more = len(classes) - MOST_NAMED
    return ",".join(classes[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
