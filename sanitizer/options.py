"""What a user may change about sanitizing and about a sweep, with defaults."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import torch

from audit.column_names import several
from audit.data.labelled import LabelledData, require_labelled
from audit.environment import choose_device
from audit.errors import require_flag, require_kind, require_known, require_number, require_text, require_track
from audit.model.structure.layout import Padding, Pool, require_pooling
from audit.model.structure.scores import Scores, require_scores
from audit.parallel.backends import require_backend
from audit.progress import Track, untracked
from audit.settings import Settings
from sanitizer.job import OF_TRAINING, Recipe, TrainingJob
from sanitizer.methods.base import Method

BUDGET = 2**30
"""Bytes that decoded inputs may take in memory."""


@dataclass(frozen=True)
class TrainingOptions(Recipe):
    """The recipe, and where it is carried out: everything that has a default."""

    layer: str | None = None
    """The bottleneck; the suggested one if not given."""
    pool: Pool = "mean"
    """How maps and sequences become one vector a row."""
    padding: Padding = None
    """The token that is left out of means; None: as an embedding of the model says."""
    scores: Scores | None = None
    """What the model's output holds; None: as the model makes known."""
    output: str | None = None
    """Which part of what the model returns holds them, as of audit.model.forward.Encoder."""
    device: torch.device | str = "cpu"
    """Where to train; "auto" is CUDA where there is one."""
    track: Track = untracked
    """Shows progress."""
    keep_identity: str | None = None
    """Without a task: column of people to keep recognisable, beside the geometry of the untouched model."""
    allow_chance: bool = False
    """Train a model that is no better at its task than always answering the most frequent class."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_pooling(self.pool, self.padding)
        require_scores(self.scores, self.output)
        require_track(self.track)
        for name in ("layer", "keep_identity"):
            require_text(f"{OF_TRAINING}: {name}", getattr(self, name))
        require_flag(f"{OF_TRAINING}: allow_chance", self.allow_chance)
        require_kind(self.device, str | torch.device, f"{OF_TRAINING}: the device is", "Give 'cpu', 'cuda' or 'auto'.")

    @property
    def recipe(self) -> Recipe:
        """The recipe alone."""
        return Recipe(**{one.name: getattr(self, one.name) for one in fields(Recipe)})

    @property
    def place(self) -> torch.device:
        """The device."""
        return choose_device(self.device) if isinstance(self.device, str) else self.device

    def job(
        self,
        data: LabelledData,
        task: str | None,
        layer: str,
        private: Sequence[str],
        keep: Sequence[str],
        method: Method,
    ) -> TrainingJob:
        """Return the fine-tuning of a layer on some rows by a method, with these options."""
        return TrainingJob(
            data=data,
            task=task,
            layer=layer,
            private=private,
            keep=keep,
            keep_identity=self.keep_identity,
            method=method,
            recipe=self.recipe,
            pool=self.pool,
            device=self.place,
            padding=self.padding,
            scores=self.scores,
            output=self.output,
        )


@dataclass(frozen=True)
class SanitizeOptions(TrainingOptions):
    """Training options of `sanitize`."""

    name: str | None = None
    """What the method is called in the record; its class if not given."""
    resume: bool = False
    """Go on from the state that an earlier run left."""
    unlabelled: LabelledData | None = None
    """Rows without the private attributes, which a teacher labels (sanitizer.teaching): more rows to clean by."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_text(f"{OF_TRAINING}: name", self.name)
        require_flag(f"{OF_TRAINING}: resume", self.resume)
        if self.unlabelled is not None:
            require_labelled(self.unlabelled)


def given_options(options: SanitizeOptions | None) -> SanitizeOptions:
    """Return the options, or the defaults for None; raise an IreneError for anything else."""
    if options is not None:
        require_kind(options, SanitizeOptions, "The options are", "Give irene.SanitizeOptions(epochs=30), or the like.")
    return options or SanitizeOptions()


@dataclass(frozen=True)
class SweepOptions(TrainingOptions):
    """Options of a sweep; the recipe's seed is that of the audits too."""

    keep: str | Sequence[str] = ()
    """Columns to retain, for methods that can."""
    settings: Settings = field(default_factory=Settings)
    """Of the audits: attackers and limit; the raw input is not attacked."""
    limit_set_by: Literal["user", "default"] | None = None
    command: str = ""
    """What was run, for the record."""
    budget: int = BUDGET
    """Bytes of memory for decoded inputs; what does not fit is decoded anew for every pass."""
    backend: str = "threads"
    """Where points are made, as of audit.settings.Settings: "threads" makes one after the other, its attackers on all
    cores; any other has a worker for each point, on one core."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "keep", tuple(several(self.keep)))
        require_kind(self.settings, Settings, "The settings are", "Give irene.Settings(limit=0.05), for instance.")
        require_backend(self.backend)
        require_number("Options of the sweep: budget", self.budget, 0)
        object.__setattr__(self, "budget", int(self.budget))
        require_kind(self.command, str, "Options of the sweep: the command is", "Give a text.")
        if self.limit_set_by is not None:
            require_known("origin of a limit", self.limit_set_by, ("user", "default"))
