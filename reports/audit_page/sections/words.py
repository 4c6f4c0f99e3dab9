"""The words of the page, explained."""

from dataclasses import dataclass

from reports.inputs.comparison import Comparison
from reports.render.section import Section
from reports.text.bounds import basis


@dataclass(frozen=True)
class Words:
    """What the template has to know."""

    has_bounds: bool


def view(comparison: Comparison) -> Words:
    """Say whether there are bounds on every attacker to tell of."""
    return Words(bool(basis(comparison)))


SECTION = Section("words", "Words", view)
