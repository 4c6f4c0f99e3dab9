"""What every removal method is to the training loop: something to add to the task's loss."""

from typing import Protocol

from torch import Tensor


class Removal(Protocol):
    """One method at work on one private attribute."""

    def penalty(self, z: Tensor, v: Tensor) -> Tensor:
        """Return what the encoder minimises, a scalar before its weight; its gradient reaches z alone.

        Args:
            z: Bottleneck features, (n, d), attached to the encoder.
            v: Private labels, (n,) int64.
        """

    def learn(self, z: Tensor, v: Tensor) -> None:
        """Step whatever estimates the leak, on features (n, d) that are cut off from the encoder."""

    def scores(self, z: Tensor) -> Tensor | None:
        """Return what the method's own head says of v, (n, k), or None where it has no head."""


class Method(Protocol):
    """A method's settings, before it knows the model."""

    @property
    def weight(self) -> float:
        """What the penalty is multiplied by."""

    def start(self, width: int, classes: int) -> Removal:
        """Begin on a bottleneck of that width and an attribute of that many classes, on the default device."""
