"""The figures of each retained attribute in every model."""

from audit.evidence.headline import TITLES
from reports.inputs.several_models import Models, Several
from reports.models_page.sections.cells import AttributeView, attribute_view, name_cell, read_cell
from reports.render.section import Section
from reports.render.table import Table, figure_cell
from reports.text.figures import figure
from reports.text.sentences import attribute_at


def view(models: Models) -> tuple[AttributeView, ...] | None:
    """Prepare a drawing and two tables for each retained attribute; None where there is none."""
    views = (attribute_view(one, models, n, retained_table(one), "kept") for n, one in enumerate(models.retained))
    return tuple(views) or None


SECTION = Section("retained", "What should stay", view, heading="What should stay readable", anchor="kept")


def retained_table(one: Several) -> Table:
    """Return the figures of a retained attribute in every model."""
    metric, second, *_ = one.first.measurement.kind.figures
    columns = ("Model", TITLES[metric], TITLES[second])
    found = tuple(
        (name_cell(model), read_cell(reading), figure_cell(figure(reading.measurement, second)))
        for model, reading in one.readings
    )
    return Table(f"{attribute_at(one.first)}, which should stay readable", columns, found)
