"""The words of the page, explained."""

from audit.evidence.sweep_result import Sweep
from reports.inputs.sweep_choice import has_bounds
from reports.render.section import Mentions, Section

SECTION = Section[Sweep](
    "words", "Words", lambda sweep: Mentions(has_bounds(sweep), has_retained=bool(sweep.setup.keep))
)
