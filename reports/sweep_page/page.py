"""The page of a sweep, with the curve, every point and how far to trust them: its head, and its sections in order."""

from audit.evidence.numbers import count, named, shorten
from audit.evidence.sweep_result import Sweep
from reports.charts.tradeoff_points import colour_rules
from reports.inputs.sweep_choice import Wanted, refuse_unsound, unmade
from reports.render.section import Page, Section, fill_page, filled, folded, running_head
from reports.sweep_page.sections import choice, curve, limits, points, repeat, retained, shared, words

SECTIONS: tuple[Section[Sweep], ...] = (
    choice.SECTION,
    curve.SECTION,
    points.SECTION,
    retained.SECTION,
    limits.SECTION,
    folded(repeat.SECTION),
    folded(shared.SECTION),
    folded(words.SECTION),
)
"""In the order of the page, what is opened by who wants it last; a new one is a module, a template of the same name,
and a line here."""


def render_sweep(sweep: Sweep, wanted: Wanted | None = None) -> str:
    """Return the page of a sweep as one offline HTML file; the same evidence gives the same, byte for byte.

    Args:
        sweep: Its evidence.
        wanted: Limits by which a point is recommended; None recommends none.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
    """
    return fill_page(sweep_page(sweep, wanted), "report.css", "sweep.css")


def sweep_page(sweep: Sweep, wanted: Wanted | None = None) -> Page:
    """Prepare everything that the templates show; arguments are those of `render_sweep`.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
    """
    refuse_unsound(sweep)
    file = shorten(sweep.checkpoint.file)
    return Page(
        title=f"Sweep of {file}",
        eyebrow="Removal against task, swept",
        heading=file,
        subject=_subject(sweep),
        sections=filled("sweep_page", (choice.section(wanted), *SECTIONS[1:]), sweep),
        rules=colour_rules(sweep) + running_head(sweep.checkpoint.file, _date(sweep)),
    )


def _date(sweep: Sweep) -> str:
    return max((call.created[:10] for call in sweep.calls), default="at no recorded time")


def _subject(sweep: Sweep) -> str:
    points, rows = len(sweep.points), sweep.data.test
    planned, missing = unmade(sweep)
    made = f" {count(planned - len(missing))} of {count(planned)} planned points are made." if planned else ""
    groups = f" of {count(rows.groups)} groups" if sweep.data.group and rows.groups < rows.rows else ""
    return (
        f"Task against what is read at {named(sweep.setup.layer)}: {count(points)} "
        f"point{'' if points == 1 else 's'}, by method and weight, and the checkpoint untouched. "
        f"Swept {_date(sweep)} on {count(rows.rows)} test rows{groups}.{made}"
    )
