"""What an audit does not show."""

from reports.inputs.comparison import Comparison
from reports.render.section import Mentions, Section
from reports.text.bounds import basis

SECTION = Section[Comparison]("limits", "What this does not show", lambda comparison: Mentions(bool(basis(comparison))))
