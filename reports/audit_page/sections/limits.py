"""What an audit does not show."""

from dataclasses import dataclass

from reports.inputs.comparison import Comparison
from reports.render.section import Section
from reports.text.bounds import basis


@dataclass(frozen=True)
class Limits:
    """What the template has to know."""

    has_bounds: bool


def view(comparison: Comparison) -> Limits:
    """Say whether there are bounds on every attacker to tell of."""
    return Limits(bool(basis(comparison)))


SECTION = Section("limits", "What this does not show", view)
