"""Plain fine-tuning on the task: the control of every other method."""

from dataclasses import dataclass
from typing import ClassVar

from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import ANY_TASK, Objective, Setting

DESCRIPTION = "trains on the task alone and removes nothing"
CARD = MethodCard(description=DESCRIPTION, mark="s", light="#565b63", dark="#a3a9b1")


@dataclass(frozen=True)
class Plain:
    """Removes nothing."""

    tasks: ClassVar = ANY_TASK
    weight: float = 0.0

    def start(self, setting: Setting) -> Objective:  # noqa: ARG002
        """Begin; there is nothing but the task."""
        return Objective()
