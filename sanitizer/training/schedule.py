"""How the learning rate falls from the recipe's: along a cosine, in two steps, or where the task no longer improves."""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, ReduceLROnPlateau

from sanitizer.job import Recipe

FACTOR = 0.1
MILESTONES = (0.5, 0.75)
"""Shares of all steps, after each of which the rate falls by FACTOR."""
WAIT = 10
"""Epochs in a row without a lower loss of the task on held-out rows, after which it falls."""
LOWEST = 0.01
"""Share of the recipe's rate; training ends once the rate is below it."""


class Schedule:
    """The recipe's schedule, stepped after each step and told each epoch's loss."""

    def __init__(self, optimizer: Optimizer, recipe: Recipe, steps: int) -> None:
        """Begin at the recipe's rate; an epoch has so many steps."""
        self._optimizer, self._lowest = optimizer, LOWEST * recipe.lr
        self._by_step: CosineAnnealingLR | MultiStepLR | None = None
        self._by_epoch: ReduceLROnPlateau | None = None
        total = max(1, recipe.epochs * steps)
        if recipe.schedule == "plateau":
            self._by_epoch = ReduceLROnPlateau(optimizer, factor=FACTOR, patience=WAIT - 1, eps=0)
        elif recipe.schedule == "steps":
            self._by_step = MultiStepLR(optimizer, [round(share * total) for share in MILESTONES], gamma=FACTOR)
        else:
            self._by_step = CosineAnnealingLR(optimizer, total)

    def step(self) -> None:
        """Follow a step of the optimizer."""
        if self._by_step is not None:
            self._by_step.step()

    def epoch_ended(self, loss: float) -> None:
        """Take note of the task's loss on held-out rows."""
        if self._by_epoch is not None:
            self._by_epoch.step(loss)

    @property
    def is_over(self) -> bool:
        """Whether the rate has fallen so low on a plateau that training ends."""
        rate = float(self._optimizer.param_groups[0]["lr"])
        return self._by_epoch is not None and rate < self._lowest * (1 - 1e-6)  # a tenth of a tenth is a hair off

    @property
    def _inner(self) -> CosineAnnealingLR | MultiStepLR | ReduceLROnPlateau:
        found = self._by_step or self._by_epoch
        assert found is not None
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        return self._inner.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state back."""
        self._inner.load_state_dict(state_dict)
