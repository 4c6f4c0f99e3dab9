"""Removal against an exactly solved head: kernel ridge regression on each batch.

A head trained by gradient steps lags behind the encoder that runs from it, and then under-reports. This
one is solved anew in closed form for every batch, on whitened features: there is no lag to hide in.
"""

from dataclasses import dataclass

from torch import Tensor

from sanitizer.information import explained_share


@dataclass(frozen=True)
class Kernel:
    """Settings of the kernel head."""

    weight: float = 5.0
    ridge: float = 1e-3
    """Regularisation as a share of the batch: the smaller, the finer the leaks it sees."""

    def start(self, width: int, classes: int) -> "KernelRemoval":  # noqa: ARG002
        """Begin; nothing is trained."""
        return KernelRemoval(classes, self.ridge)


@dataclass(frozen=True)
class KernelRemoval:
    """The head has no state: it is solved when it is asked."""

    classes: int
    ridge: float

    def penalty(self, z: Tensor, v: Tensor) -> Tensor:
        """Return the share of v's variance that the batch's own regression explains."""
        return explained_share(z, v, k=self.classes, ridge=self.ridge)

    def learn(self, z: Tensor, v: Tensor) -> None:
        """Do nothing: there is nothing to learn."""

    def scores(self, z: Tensor) -> None:  # noqa: ARG002
        """Return None: a head solved on one batch says nothing about other rows."""
        return
