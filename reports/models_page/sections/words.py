"""The words of the page, explained."""

from reports.inputs.several_models import Models
from reports.render.section import Mentions, Section


def view(models: Models) -> Mentions:
    """Say which words the page uses."""
    has_numbers = any(not one.first.measurement.kind.percent for one in models.measured)
    return Mentions(models.has_bounds, has_numbers, bool(models.retained))


SECTION = Section("words", "Words", view)
