"""Removal against an exactly solved adversary: kernel ridge regression on each batch.

A training adversary that takes gradient steps lags behind the encoder and then underestimates the leakage. This one
is solved anew in closed form for every batch, on whitened features, so that there is no lag.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from audit.evidence.method_card import MethodCard
from sanitizer.information import by_class, explained_share
from sanitizer.methods.base import ANY_TASK, Batch, Objective, Setting, Terms

DESCRIPTION = "minimises what a kernel regression, solved anew on every batch, explains of the attribute"
CARD = MethodCard(description=DESCRIPTION, mark="v", light="#7a3b8f", dark="#cf9fe3")


@dataclass(frozen=True)
class Kernel:
    """Settings of the kernel adversary."""

    tasks: ClassVar = ANY_TASK
    weight: float = 5.0
    ridge: float = 1e-3
    """Regularisation as a share of the batch: the smaller, the finer the leakage it detects."""
    conditional: bool = False
    """Within each class of the task, for attributes that the task is naturally correlated with."""

    def start(self, setting: Setting) -> "KernelObjective":
        """Begin; nothing is trained."""
        return KernelObjective(setting.classes, self.ridge, conditional=self.conditional)


class KernelObjective(Objective):
    """The adversary has no state: it is solved on each batch."""

    def __init__(self, classes: Mapping[str, int], ridge: float, *, conditional: bool) -> None:
        super().__init__()
        self._classes, self._ridge, self._conditional = classes, ridge, conditional

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss and the share of v's variance that the batch's own regression explains."""
        return Terms(batch.task_loss, self.explained(batch.z, batch.v, batch.y))

    def explained(self, z: Tensor, v: Mapping[str, Tensor], y: Tensor) -> dict[str, Tensor]:
        """Return the share of each attribute's variance that the adversary explains from features (n, d)."""
        strata = y if self._conditional else None
        return {
            name: by_class(partial(explained_share, k=k, ridge=self._ridge), z, v[name], strata)
            for name, k in self._classes.items()
        }
