"""What a model is trained on and how: the value that fine-tuning takes, alone or in a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch

from audit.column_names import several
from audit.data.columns import Quantity
from audit.data.labelled import LabelledData
from audit.errors import as_float, require_flag, require_known, require_number, require_seed
from audit.model.structure.layout import Padding, Pool
from audit.model.structure.scores import Answer, Scores
from sanitizer.methods.base import Method
from sanitizer.methods.plain import Plain

Optimizer = Literal["adam", "sgd"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Augment = Literal["none", "shift", "flip"]
"""`shift` moves an image by up to an eighth of its side; `flip` mirrors every second one, too."""


ScheduleName = Literal["cosine", "steps", "plateau"]
"""How lr falls: along a cosine to 0; to a tenth at half and at three quarters of the epochs; or to a tenth wherever the
task's loss on held-out rows was no lower for 10 epochs, until it is below a hundredth and training ends."""
EpochChoice = Literal["audit", "last"]
"""Whether the best epoch by a quick fresh audit of held-out rows is kept, or the last, and nothing is audited."""

OF_TRAINING = "Options of the training"
STRATA = 8
"""Parts of as many rows that a task which is a quantity is cut into where a method asks for the task's classes."""


@dataclass(frozen=True)
class Recipe:
    """How the encoder is trained, whatever the method."""

    epochs: int = 30
    batch_size: int = 512
    """Rows of a step, over all processes."""
    optimizer: Optimizer = "adam"
    lr: float = 1e-3
    """At first; sgd has momentum .9."""
    schedule: ScheduleName = "cosine"
    weight_decay: float = 1e-4
    alpha: float = 1.0
    """Weight of the task's loss."""
    patience: int = 0
    """Epochs without a better one, by a fresh audit, after which training stops; 0: never before its end."""
    choose: EpochChoice = "audit"
    precision: Precision = "32-true"
    """Of the forward and backward pass; information terms are computed in float32 or higher."""
    freeze: tuple[str, ...] = ()
    """Modules that are not trained; their running statistics stay, too."""
    augment: Augment = "none"
    """How training images change each time they are read."""
    reweigh: bool = False
    """Whether training rows are resampled so that task and private attributes are independent."""
    workers: int = 0
    """Processes that read inputs, beside this one."""
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "freeze", tuple(several(self.freeze)))
        for name in ("epochs", "batch_size", "patience", "workers", "seed"):
            require_number(f"{OF_TRAINING}: {name}", getattr(self, name), 1 if name == "batch_size" else 0)
            object.__setattr__(self, name, int(getattr(self, name)))
        require_seed(f"{OF_TRAINING}: seed", self.seed)
        for name in ("lr", "weight_decay", "alpha"):
            require_number(f"{OF_TRAINING}: {name}", getattr(self, name), 0, whole=False)
            object.__setattr__(self, name, as_float(getattr(self, name)))
        words = {"optimizer": Optimizer, "schedule": ScheduleName, "choose": EpochChoice, "precision": Precision}
        for name, known in {**words, "augment": Augment}.items():
            require_known(f"{name} of the training", getattr(self, name), get_args(known))
        require_flag(f"{OF_TRAINING}: reweigh", self.reweigh)


@dataclass(frozen=True)
class Taught:
    """Rows whose private labels are a teacher's: they train, and choose and measure nothing."""

    data: LabelledData
    """With every column of the job, in the classes of its rows; of a retained one, missing where nobody said it."""
    worth: Mapping[str, float]
    """How many rows with a true label one of them is worth, of each private attribute, in [0, 1]."""
    said: Mapping[str, str | int | float]
    """What the record holds of them: how many, their hash, who labelled them and how often it errs."""
    notes: tuple[str, ...]
    """The same for a reader, a sentence each without its full stop."""


@dataclass(frozen=True)
class TrainingJob:
    """One fine-tuning: rows, columns, the bottleneck, the method and the recipe."""

    data: LabelledData
    """Rows that no attacker is judged on."""
    task: str | None
    """Column that the model predicts; None: what is kept is the geometry of the untouched model."""
    layer: str
    """The bottleneck, as audit.model.layers names it."""
    private: Sequence[str] = ()
    """Columns to remove; without any, the task alone is trained, to the last epoch."""
    keep: Sequence[str] = ()
    """Columns to retain, for methods that can."""
    keep_identity: str | None = None
    """Column of people to keep recognisable, where there is no task."""
    method: Method = field(default_factory=Plain)
    recipe: Recipe = field(default_factory=Recipe)
    pool: Pool = "mean"
    """How maps and sequences become one vector a row."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    padding: Padding = None
    """The token that is left out of means, as of audit.model.forward.Encoder, and so is `scores`."""
    scores: Scores | None = None
    output: str | None = None
    """Which part of what the model returns holds them, as of audit.model.forward.Encoder."""
    taught: Taught | None = None
    """More rows to train on, labelled by a teacher."""

    @property
    def named(self) -> list[str]:
        """The task, the private and the retained columns, as they were named."""
        return [*([self.task] if self.task else []), *self.private, *self.keep]

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each of them; one that is a quantity, but for the task, is a DataError."""
        is_quantity = self.task is not None and isinstance(self.data.attribute(self.task, "labelled"), Quantity)
        parts = {self.task: STRATA} if self.task and is_quantity else {}
        return parts | {
            name: len(self.data.column(name, "labelled").classes) for name in self.named if name not in parts
        }

    @property
    def answer(self) -> Answer | None:
        """What the model is to answer; None without a task."""
        return Answer.of(self.data, self.task, self.scores) if self.task else None


def require_classes(task: str | None, private: Sequence[str], keep: Sequence[str], *rows: LabelledData) -> None:
    """Fail on a column that is not there, has one class only in some of the rows, or is continuous and no task."""
    for kind, names in (("task", [task] if task else []), ("private", private), ("kept", keep)):
        for name in names:
            for data in rows:
                (data.attribute if kind == "task" else data.column)(name, kind)
