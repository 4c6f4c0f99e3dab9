"""The words of the page, explained."""

from reports.inputs.comparison import Comparison
from reports.render.section import Mentions, Section
from reports.text.bounds import basis

SECTION = Section[Comparison]("words", "Words", lambda comparison: Mentions(bool(basis(comparison))))
