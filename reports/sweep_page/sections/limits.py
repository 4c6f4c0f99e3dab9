"""What a sweep does not show."""

from dataclasses import dataclass

from audit.evidence.sweep_result import Sweep
from reports.inputs.sweep_choice import has_bounds
from reports.render.section import Section


@dataclass(frozen=True)
class Limits:
    """What the template has to know."""

    has_bounds: bool


def view(sweep: Sweep) -> Limits:
    """Say whether there are bounds on every attacker to tell of."""
    return Limits(has_bounds(sweep))


SECTION = Section("limits", "What this does not show", view)
