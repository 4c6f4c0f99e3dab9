"""What a sweep does not show."""

from audit.evidence.sweep_result import Sweep
from reports.inputs.sweep_choice import has_bounds
from reports.render.section import Mentions, Section

SECTION = Section[Sweep]("limits", "What this does not show", lambda sweep: Mentions(has_bounds(sweep)))
