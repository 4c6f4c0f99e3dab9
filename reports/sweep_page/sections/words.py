"""The words of the page, explained."""

from dataclasses import dataclass

from audit.evidence.sweep_result import Sweep
from reports.inputs.sweep_choice import has_bounds
from reports.render.section import Section


@dataclass(frozen=True)
class Words:
    """What the template has to know."""

    has_bounds: bool
    has_retained: bool


def view(sweep: Sweep) -> Words:
    """Say which words the page uses."""
    return Words(has_bounds(sweep), bool(sweep.setup.keep))


SECTION = Section("words", "Words", view)
