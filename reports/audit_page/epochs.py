"""How the training went: what the sanitizer's quick attackers read after each epoch of the last audit's model."""

from reports.charts.attribute import Drawing
from reports.charts.epochs import epochs_drawing
from reports.inputs.comparison import Comparison
from reports.render.section import Section


def view(comparison: Comparison) -> tuple[Drawing, ...] | None:
    """Prepare the drawing; None where no training left its epochs in the evidence."""
    made = comparison.last.checkpoint.sanitizing
    drawn = epochs_drawing(made) if made else None
    return (drawn,) if drawn else None


SECTION = Section("epochs", "Epoch by epoch", view, heading="How the training went", template="drawings.html.j2")
