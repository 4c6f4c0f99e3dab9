"""What a comparison of models does not show."""

from dataclasses import dataclass

from reports.inputs.several_models import Models
from reports.render.section import Section


@dataclass(frozen=True)
class Limits:
    """What the template has to know."""

    has_bounds: bool


def view(models: Models) -> Limits:
    """Say whether there are bounds on every attacker to tell of."""
    return Limits(models.has_bounds)


SECTION = Section("limits", "What this does not show", view)
