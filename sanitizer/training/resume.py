"""The state of a fine-tuning after each epoch, in one file: a run that was stopped goes on as if it had not been."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.atomic_write import staged
from audit.errors import TrainingError
from audit.evidence.audit_result import Epoch
from audit.model.safe_pickle import read_torch
from sanitizer.training.model_selection import Checked


@dataclass(frozen=True)
class Best:
    """The epoch that is to be kept so far."""

    checked: Checked
    """What later ones are compared with: of the last epoch that was better than all before, not only as good."""
    since: int
    """That epoch, from 0."""
    epoch: int
    """The one that is kept."""
    model: dict[str, Tensor]
    """Its state."""
    objective: dict[str, Any]
    """The state of what the method trains beside it."""


@dataclass(frozen=True)
class Kept:
    """Where the state of a run is kept."""

    path: Path
    settings: str
    """What the run was asked for: another run's state is not taken for this one's."""
    resume: bool

    def restore(self, parts: Mapping[str, Any]) -> tuple[list[Epoch], Best | None]:
        """Put every part into the state that was kept, and return the epochs so far; none where a run begins.

        Raises:
            TrainingError: It is the state of another run.
            CheckpointError: The file is damaged.
        """
        if not self.resume:
            return [], None
        content, _ = read_torch(self.path)
        if not isinstance(content, dict) or content.get("settings") != self.settings:
            raise TrainingError(
                f"{self.path} is the state of a run with other settings, data or checkpoint. Give the same ones, or "
                "remove it to begin anew."
            )
        for name, part in parts.items():
            part.load_state_dict(content["state"][name])
        best = content["best"]
        return (
            [Epoch(**one) for one in content["trace"]],
            Best(**best | {"checked": Checked(**best["checked"])}),
        )

    def save(self, parts: Mapping[str, Any], trace: list[Epoch], best: Best) -> None:
        """Write the state after an epoch, whole or not at all."""
        content = {
            "settings": self.settings,
            "state": {name: part.state_dict() for name, part in parts.items()},
            "trace": [one.model_dump() for one in trace],
            "best": asdict(best),
        }
        with staged(self.path) as staging:
            torch.save(content, staging)
