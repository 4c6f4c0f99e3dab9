"""Run independent fits side by side, each on one thread, so that results do not depend on the machine."""

import warnings
from collections.abc import Callable, Iterable
from typing import TypeVar

import joblib
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

Given = TypeVar("Given")
Found = TypeVar("Found")


def side_by_side(function: Callable[[Given], Found], items: Iterable[Given]) -> list[Found]:
    """Return the function of each item, in order; as many at a time as there are cores."""
    controller = ThreadpoolController()

    def alone(item: Given) -> Found:
        with controller.limit(limits=1, user_api="openmp"):  # counted per thread, so it is set in each
            return function(item)

    with warnings.catch_warnings(), controller.limit(limits=1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # an attacker that could be better is still an attacker
        found: list[Found] = joblib.Parallel(n_jobs=-1, backend="threading")(
            joblib.delayed(alone)(item) for item in items
        )
    return found
