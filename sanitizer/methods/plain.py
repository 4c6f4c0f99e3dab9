"""Plain fine-tuning on the task: the control that every method has to be read against."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Plain:
    """Removes nothing."""

    weight: float = 0.0

    def start(self, width: int, classes: int) -> "Plain":  # noqa: ARG002
        """Return itself: there is nothing to begin."""
        return self

    def penalty(self, z: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
        """Return 0."""
        return z.new_zeros(())

    def learn(self, z: Tensor, v: Tensor) -> None:
        """Do nothing."""

    def scores(self, z: Tensor) -> None:  # noqa: ARG002
        """Return None: there is no head."""
        return
