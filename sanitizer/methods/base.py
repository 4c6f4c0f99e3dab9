"""What every removal method is to the training loop: its own loss, and perhaps a layer at the bottleneck."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Setting:
    """What a method starts from: the bottleneck as the model gives it before the first step."""

    classes: Mapping[str, int]
    """Number of classes of each private attribute."""
    task_classes: int
    x: Tensor
    """One input, (1, …)."""
    look: Callable[[], "Rows"]
    """Runs the model over the training rows as it is now."""
    batches: Callable[[], Iterator["Batch"]]
    """Goes once over the training rows, without running the model: its features and scores are empty."""
    keep: Mapping[str, int]
    """Number of classes of each attribute that is to stay readable."""
    train_rows: int
    width: int
    """d of the bottleneck."""


@dataclass(frozen=True)
class Rows:
    """Training rows as the model sees them, in eval mode."""

    before: Tensor
    """Bottleneck features before what a method puts there, (n, d)."""
    z: Tensor
    """Bottleneck features as they go on, (n, d)."""
    scores: Tensor
    """Of the task's classes, (n, k)."""
    y: Tensor
    """Task labels, (n,) int64."""
    v: Mapping[str, Tensor]
    """Labels of the private attributes, and of those to keep, (n,) int64 each."""


@dataclass(frozen=True)
class Batch:
    """One step's rows; with several processes, those of all of them."""

    before: Tensor
    """Bottleneck features before what the method puts there, (n, d) float32, attached to the encoder."""
    z: Tensor
    """Bottleneck features as they go on, (n, d) float32, attached to the model."""
    scores: Tensor
    """Of the task's classes, (n, k) float32, attached to the model."""
    y: Tensor
    """Task labels, (n,) int64."""
    v: Mapping[str, Tensor]
    """Labels of the private attributes, and of those to keep, (n,) int64 each."""
    rows: Tensor
    """Which training rows they are, (n,) int64."""
    x: Callable[[], Tensor]
    """Gives the inputs, (n, …)."""
    progress: float
    """Share of all steps that are done, in [0, 1)."""

    def cut_off(self) -> "Batch":
        """Return the same rows without a way back into the model."""
        return replace(self, before=self.before.detach(), z=self.z.detach(), scores=self.scores.detach())


@dataclass(frozen=True)
class Terms:
    """The losses of one step, before the recipe's and the method's weights; gradients reach the model alone."""

    task: Tensor
    """Scalar."""
    removal: Mapping[str, Tensor]
    """What each private attribute's removal minimises, scalars."""
    other: Tensor | None = None
    """What a layer of the method's own needs, or the kept attributes; weighted already."""


class Objective(nn.Module):
    """One run of a method: the task alone, until a method says otherwise.

    All state of a run is in `state_dict()`, with the optimizers of its heads as extra state, so that a run that
    was stopped goes on as if it had not been.
    """

    def __init__(self) -> None:
        super().__init__()
        self.release: nn.Module | None = None
        """What stands at the bottleneck from the first step on, (n, d) -> (n, d); its parameters are trained with
        the model's."""

    def terms(self, batch: Batch) -> Terms:
        """Return what the model minimises on a batch."""
        return Terms(functional.cross_entropy(batch.scores, batch.y), {})

    def learn(self, batch: Batch) -> None:
        """Step what the method trains beside the model; `batch` is cut off from it."""

    def says(self, z: Tensor, attribute: str) -> Tensor | None:  # noqa: ARG002
        """Return what the method's own head makes of features (n, d), (n, k), or None where it has no head."""
        return None

    def finished(self, rows: Callable[[], Rows]) -> nn.Module | None:  # noqa: ARG002
        """Return what stands at the bottleneck of the released model; `rows` runs the trained model once."""
        return self.release


class Method(Protocol):
    """A method's settings, before it knows the model: a frozen dataclass."""

    @property
    def weight(self) -> float:
        """What the removal terms are multiplied by."""

    def start(self, setting: Setting) -> Objective:
        """Begin, on the default device."""


class Optimized(Objective):
    """An objective that trains something beside the model, with an optimizer of its own."""

    optimizer: torch.optim.Optimizer

    def get_extra_state(self) -> dict[str, object]:
        """Return the optimizer's state."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, object]) -> None:
        """Take the optimizer's state back."""
        self.optimizer.load_state_dict(state)
