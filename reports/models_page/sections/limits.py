"""What a comparison of models does not show."""

from reports.inputs.several_models import Models
from reports.render.section import Mentions, Section

SECTION = Section[Models]("limits", "What this does not show", lambda models: Mentions(models.has_bounds))
