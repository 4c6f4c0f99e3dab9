"""Plain fine-tuning on the task: the control that every method has to be read against."""

from dataclasses import dataclass

from sanitizer.methods.base import Objective, Setting


@dataclass(frozen=True)
class Plain:
    """Removes nothing."""

    weight: float = 0.0

    def start(self, setting: Setting) -> Objective:  # noqa: ARG002
        """Begin; there is nothing but the task."""
        return Objective()
