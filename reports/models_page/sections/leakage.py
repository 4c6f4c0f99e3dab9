"""The leakage of each private attribute in every model, beside its task and the retained attributes."""

from dataclasses import dataclass

from audit.evidence.findings import Finding
from audit.evidence.headline import TITLES, on_the_task, written_excess
from audit.evidence.metric import EXCESS
from audit.evidence.numbers import shorten
from reports.inputs.several_models import Models, Several
from reports.models_page.sections.cells import AttributeView, attribute_view, name_cell, read_cell, task_cell
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, figure_cell, missing
from reports.text.bounds import bits_at_most, read_at_most
from reports.text.figures import figure, floor, score
from reports.text.sentences import attribute_at
from reports.text.verdicts import marked

SHORT = 14
"""Characters of a retained attribute's name beside a leakage; it stands in full in a table of its own."""


@dataclass(frozen=True)
class Leakage:
    """All private attributes."""

    paired: bool
    """Whether differences between models are taken resample by resample."""
    attributes: tuple[AttributeView, ...]


def view(models: Models) -> Leakage:
    """Prepare a drawing and two tables for each private attribute at each layer."""
    return Leakage(
        paired=all(reading.measurement.draws.get(EXCESS) for one in models.measured for _, reading in one.readings),
        attributes=tuple(
            attribute_view(one, models, place, attribute_table(one, models), "leakage")
            for place, one in enumerate(models.private)
        ),
    )


SECTION = Section("leakage", "Leakage", view, heading="What fresh attackers read")


def attribute_table(one: Several, models: Models) -> Table:
    """Return the leakage of one private attribute in every model, beside its task and the retained attributes."""
    kind = one.first.measurement.kind
    beside = [kept for kept in models.retained if kept.first.layer == one.first.layer]
    task = on_the_task(one.readings[0][0].audit.task)
    columns = (
        "Model", "Verdict", f"Strongest fresh attacker, {kind.title}", "Floor", "Excess", task,
        *(["Kept, AUROC or R²"] if beside else []), "Any attacker, at most" if kind.percent else TITLES["mae"],
    )  # fmt: skip
    found = tuple(
        (
            name_cell(model),
            cell(marked(reading.found.decided.verdict), kind="number"),
            read_cell(reading),
            figure_cell(floor(reading.measurement)),
            figure_cell(written_excess(reading.found)),
            task_cell(model),
            *([_kept_cell(beside, place)] if beside else []),
            _last(reading.found),
        )
        for place, (model, reading) in enumerate(one.readings)
    )
    return Table(f"{attribute_at(one.first)}, in every model", columns, found)


def _kept_cell(kept: list[Several], place: int) -> Cell:
    first, *others = [_kept_figure(one.readings[place][1].found) for one in kept]
    return cell(first, *others, kind="number")


def _kept_figure(found: Finding) -> str:
    name, of = shorten(found.attribute, SHORT), found.measurement
    return f"{name} {figure(of, 'auroc').value}" if "auroc" in of.figures else f"{name} {score(of).value} R²"


def _last(found: Finding) -> Cell:
    """Return the error of a number, or the bound on every attacker of classes."""
    if "mae" in found.measurement.figures:
        return figure_cell(figure(found.measurement, "mae"))
    one = found.certificate
    return cell(read_at_most(one), bits_at_most(one), kind="number") if one else missing()
