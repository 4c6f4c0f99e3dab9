"""LEACE: fine-tune on the task alone, then erase the linear information about v from the bottleneck.

Belrose, Schneider-Joseph, Ravfogel, Cotterell, Raff and Biderman, LEACE: Perfect linear concept erasure in closed form,
NeurIPS 2023; the package concept-erasure is theirs. Of all affine maps after which no linear attacker does better than
a constant, it is the one that moves the features least, in mean square. Nothing is minimised by training.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from audit.evidence.method_card import MethodCard
from audit.model.maps.affine_and_code import Affine
from sanitizer.methods.base import ANY_TASK, Objective, Rows, Setting
from sanitizer.methods.heads import one_hot

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # of torch, about what the package does as it is imported
    from concept_erasure import LeaceFitter

NEGLIGIBLE = 1e-6
"""Whitened covariances with v below this are rounding; the package's own .01 would leave traces."""
STILL = 1e-9
"""A feature that varies by no more, as a share of its largest value, is constant: it leaves as its mean."""

DESCRIPTION = "trains on the task alone, then projects out what a linear attacker could read, and no more than that"
CARD = MethodCard(description=DESCRIPTION, mark="X", light="#6b5900", dark="#d8c265")


@dataclass(frozen=True)
class Leace:
    """Settings of LEACE; information that is not linear stays: v as the exclusive or of two features, for instance."""

    tasks: ClassVar = ANY_TASK
    weight: float = 0.0
    """Weighs nothing: the map is fitted after training."""

    def start(self, setting: Setting) -> "LeaceObjective":
        """Begin; there is nothing but the task."""
        return LeaceObjective(setting.classes)


class LeaceObjective(Objective):
    """The task alone, and a map at the end."""

    def __init__(self, classes: Mapping[str, int]) -> None:
        super().__init__()
        self._classes = classes

    def finished(self, rows: Callable[[], Rows]) -> Affine | None:
        """Return the map after which v and the features of the training rows are uncorrelated."""
        if not self._classes:
            return None
        seen = rows()
        z = seen.before.double()
        weight, mean = eraser(z, one_hot(seen.v, self._classes).double()), z.mean(dim=0)
        return Affine(weight.float(), (mean - weight @ mean).float())


def eraser(z: Tensor, member: Tensor, least: float = NEGLIGIBLE) -> Tensor:
    """Return the projection of features (n, d), (d, d), that leaves nothing linear of the columns (n, k).

    Directions whose covariance with them is below `least`, of whitened features, stay.
    """
    # An eraser never raises the total variance: the package's guard against it could only be met by rounding.
    fitter = LeaceFitter.fit(z, member, svd_tol=least, constrain_cov_trace=False)
    weight: Tensor = fitter.eraser.P
    weight[z.std(dim=0) <= STILL * z.abs().amax(dim=0)] = 0  # else rounding makes 1e-19 of v of a unit that is dead
    return weight
