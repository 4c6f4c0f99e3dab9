"""The interface of removal methods to the training loop: a loss, and optionally a release module at the bottleneck."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.data.columns import Ints
from audit.data.model_input import ModelInput


@dataclass(frozen=True)
class Setting:
    """The model and the rows that a method starts from, before the first step."""

    classes: Mapping[str, int]
    """Number of classes of each private attribute."""
    task_classes: int
    x: ModelInput
    """One input, (1, …) each."""
    look: Callable[[], "Rows"]
    """Runs the model over the training rows as it is now."""
    batches: Callable[[], Iterator["Batch"]]
    """Goes once over the training rows, without running the model: its features and scores are empty."""
    keep: Mapping[str, int]
    """Number of classes of each retained attribute."""
    train_rows: int
    width: int
    """d of the bottleneck."""


@dataclass(frozen=True)
class Rows:
    """Training rows with their representations and scores; on their own, of the model in eval mode."""

    before: Tensor
    """Representation before the release module, (n, d)."""
    z: Tensor
    """Representation behind the release module, (n, d)."""
    scores: Tensor
    """Of the task's classes, (n, k)."""
    y: Tensor
    """Task labels, (n,) int64."""
    v: Mapping[str, Tensor]
    """Labels of the private and the retained attributes, (n,) int64 each; of a retained one, -1 where it is unknown."""
    wanted: Tensor | None = field(default=None, kw_only=True)
    """Of a task that is a quantity: the numbers that the scores, (n, 1), are to be, (n,); y are its parts then."""
    person: Tensor | None = field(default=None, kw_only=True)
    """Who is to stay recognisable, (n,) int64; None where nobody asked for that."""
    group: Tensor | None = field(default=None, kw_only=True)
    """Whose each row is, (n,) int64, as the data says; None: each row stands for itself."""
    worth: Mapping[str, Tensor] = field(default_factory=dict, kw_only=True)
    """Of each private attribute, how many rows with a true label each row is worth, (n,): less than 1 where a teacher
    labelled it; empty where none did."""
    chooses: Tensor | None = field(default=None, kw_only=True)
    """Rows that may choose among fits, (n,) bool: truly labelled, and unknown to a teacher; None: all of them."""
    drawn: Tensor | None = field(default=None, kw_only=True)
    """Which row each one is, (n,) int64, where they were drawn and some are there several times; None: each once."""
    is_ordinal: bool = field(default=False, kw_only=True)
    """Whether the difference of each class's score to the one before is the logit of being beyond that."""

    @property
    def once(self) -> Ints:
        """Places of the rows without those that are there again, (m,)."""
        if self.drawn is None:
            return np.arange(len(self.before))
        return np.sort(np.unique(self.drawn.cpu().numpy(), return_index=True)[1])

    @property
    def whose(self) -> Ints:
        """Whom each row stands for, (n,): a group as the data says, else the row itself, which may be there again."""
        found = self.drawn if self.group is None else self.group
        return np.arange(len(self.before)) if found is None else found.cpu().numpy()

    @property
    def task_loss(self) -> Tensor:
        """The loss of the task, a scalar: cross-entropy in nats, or the squared error of a quantity by its variance."""
        if self.wanted is not None:
            return functional.mse_loss(self.scores[:, 0], self.wanted)
        if not self.is_ordinal:
            return functional.cross_entropy(self.scores, self.y)
        steps = self.scores.diff(dim=1)
        beyond = (self.y[:, None] > torch.arange(steps.shape[1], device=steps.device)).to(steps.dtype)
        return functional.binary_cross_entropy_with_logits(steps, beyond) * steps.shape[1]


@dataclass(frozen=True)
class Batch(Rows):
    """One step's rows, in float32 and attached to the model; with several processes, those of all of them."""

    rows: Tensor
    """Which training rows they are, (n,) int64."""
    x: Callable[[], ModelInput]
    """Gives the inputs, (n, …) each."""
    progress: float
    """Share of all steps that are done, in [0, 1)."""

    def cut_off(self) -> "Batch":
        """Return the same rows, detached from the model."""
        return replace(self, before=self.before.detach(), z=self.z.detach(), scores=self.scores.detach())


@dataclass(frozen=True)
class Terms:
    """The losses of one step, before the recipe's and the method's weights; gradients reach the model alone."""

    task: Tensor
    """Scalar."""
    removal: Mapping[str, Tensor]
    """Removal term of each private attribute, scalars."""
    other: Tensor | None = None
    """Loss of the release module, or of the retained attributes; weighted already."""


class Objective(nn.Module):
    """One run of a method: the task alone, until a method says otherwise.

    All state of a run is in `state_dict()`, with the optimizers of its heads as extra state, so that a run that
    was stopped goes on as if it had not been.
    """

    def __init__(self) -> None:
        super().__init__()
        self.release: nn.Module | None = None
        """Release module at the bottleneck from the first step on, (n, d) -> (n, d); trained with the model."""

    def terms(self, batch: Batch) -> Terms:
        """Return the model's losses on a batch."""
        return Terms(batch.task_loss, {})

    def learn(self, batch: Batch) -> None:
        """Take a step of the training adversary; `batch` is detached from the model."""

    def says(self, z: Tensor, attribute: str) -> Tensor | None:  # noqa: ARG002
        """Return the training adversary's scores of features (n, d), (n, k), or None where there is none."""
        return None

    def finished(self, rows: Callable[[], Rows]) -> nn.Module | None:  # noqa: ARG002
        """Return the release module of the trained model, or None; `rows` runs the model over the training rows."""
        return self.release


TaskKind = Literal["classes", "ordinal", "quantity"]
ANY_TASK: tuple[TaskKind, ...] = ("classes", "ordinal", "quantity")
OF_CLASSES: tuple[TaskKind, ...] = ("classes", "ordinal")


class Method(Protocol):
    """A method's settings, before it knows the model: a frozen dataclass.

    Its class may say which kinds of task it trains, as a ClassVar `tasks`; one that does not is for classes alone.
    """

    @property
    def weight(self) -> float:
        """Weight of the removal terms."""

    def start(self, setting: Setting) -> Objective:
        """Begin, on the default device."""


class Optimized(Objective):
    """An objective that trains something beside the model, with an optimizer of its own."""

    optimizer: torch.optim.Optimizer

    def step(self, loss: Tensor) -> None:
        """Step the optimizer on a scalar."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def get_extra_state(self) -> dict[str, object]:
        """Return the optimizer's state."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, object]) -> None:
        """Take the optimizer's state back."""
        self.optimizer.load_state_dict(state)
