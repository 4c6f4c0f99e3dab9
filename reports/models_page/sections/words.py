"""The words of the page, explained."""

from dataclasses import dataclass

from reports.inputs.several_models import Models
from reports.render.section import Section


@dataclass(frozen=True)
class Words:
    """What the template has to know."""

    has_bounds: bool
    has_numbers: bool
    """Whether an attribute is a number, such as an age."""
    has_retained: bool


def view(models: Models) -> Words:
    """Say which words the page uses."""
    has_numbers = any(not one.first.measurement.kind.percent for one in models.measured)
    return Words(models.has_bounds, has_numbers, bool(models.retained))


SECTION = Section("words", "Words", view)
