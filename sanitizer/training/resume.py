"""The state of a fine-tuning after each epoch, in one file: a stopped run goes on to the same weights, bit for bit."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from audit.atomic_write import staged
from audit.errors import TrainingError
from audit.evidence.audit_result import Epoch
from audit.model.files.safe_pickle import read_torch
from audit.model.state_dict import write_torch
from sanitizer.training.model_selection import HeldOutMetrics


class Stateful(Protocol):
    """A part of a run that has state: the model, the method, the optimizer, the schedule, the precision."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state_dict: Any) -> object:
        """Take the state back."""


@dataclass(frozen=True)
class BestEpoch:
    """The best epoch so far: its weights are the result."""

    metrics: HeldOutMetrics
    """Of the last epoch that was better than all before, not only as good: later ones are compared with them."""
    since: int
    """That epoch, from 0."""
    epoch: int
    """The one whose weights these are: of those as good, the last."""
    model: dict[str, Tensor]
    """Its state."""
    objective: dict[str, Any]
    """The state of what the method trains beside it."""

    @staticmethod
    def of(metrics: HeldOutMetrics, since: int, epoch: int, model: nn.Module, objective: nn.Module) -> "BestEpoch":
        """Copy the state of the present epoch."""
        return BestEpoch(metrics, since, epoch, deepcopy(model.state_dict()), deepcopy(objective.state_dict()))

    def restore(self, model: nn.Module, objective: nn.Module) -> None:
        """Put the state of this epoch back."""
        model.load_state_dict(self.model)
        objective.load_state_dict(self.objective)


@dataclass(frozen=True)
class ResumeFile:
    """The file that holds the state of a run until its result is written."""

    path: Path
    request: str
    """What the run was asked for: the state of another run is refused."""
    resume: bool
    """Whether to go on from the state in the file."""

    def require(self) -> None:
        """Raise a TrainingError where there is no state to go on from, or where a new run would overwrite one."""
        if self.resume and not self.path.is_file():
            raise TrainingError(f"No state {self.path} to go on from. Leave --resume out to begin.")
        if not self.resume and self.path.exists():
            raise TrainingError(
                f"{self.path} is the state of a run that did not end. Go on with --resume, or remove it to begin anew."
            )

    def restore(self, parts: Mapping[str, Stateful]) -> tuple[list[Epoch], BestEpoch | None]:
        """Put the saved state of this run into every part, and return the epochs so far; none where a run begins."""
        if not self.resume:
            return [], None
        content = read_torch(self.path).content
        if not isinstance(content, dict) or content.get("request") != self.request:
            raise TrainingError(
                f"{self.path} is the state of a run with other settings, data or checkpoint. Give the same ones, or "
                "remove it to begin anew."
            )
        for name, part in parts.items():
            part.load_state_dict(content["state"][name])
        metrics = HeldOutMetrics(**content["best"]["metrics"])
        return [Epoch(**one) for one in content["trace"]], BestEpoch(**content["best"] | {"metrics": metrics})

    def save(self, parts: Mapping[str, Stateful], trace: list[Epoch], best: BestEpoch) -> None:
        """Write the state after an epoch, whole or not at all; its owner alone may read it."""
        content = {
            "request": self.request,
            "state": {name: part.state_dict() for name, part in parts.items()},
            "trace": [one.model_dump() for one in trace],
            "best": asdict(best),
        }
        with staged(self.path, private=True) as staging:
            write_torch(content, staging)

    def remedy(self) -> str:
        """Return what a run that failed left, in a sentence."""
        left = f"No result was written; the state of the last good epoch is in {self.path}."
        return left if self.path.is_file() else "Nothing was written."
