"""The page of a sweep: its evidence as one offline HTML file, with the curve, every point and how far to trust them."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from audit.evidence.numbers import LONGEST_TEXT, count, named, percent, shorten
from audit.evidence.sweep_result import Sweep
from reports.charts.attribute import Drawing
from reports.charts.tradeoff_curve import curves
from reports.inputs.sweep_choice import audited, least_read, level, refuse_unsound
from reports.render.print_css import running_head
from reports.render.table import Table
from reports.render.template import fill, write_page
from reports.sweep_page.tables import calls_tables, held_tables, kept_tables, made_table, points_table
from reports.sweep_page.verdict import CAVEAT, ChoiceView, called, choice

MOST_DRAWN = 6
"""Curves on one page; further attributes stand in its tables alone."""


@dataclass(frozen=True)
class SweepPage:
    """Everything that the template shows."""

    file: str
    subject: str
    choices: tuple[ChoiceView, ...]
    caveat: str
    level: str
    """The lowest accuracy at which the task counts as kept."""
    warnings: tuple[str, ...]
    curves: tuple[Drawing, ...]
    undrawn: int
    """Private attributes without a curve."""
    points: tuple[Table, ...]
    kept: tuple[Table, ...]
    made: Table
    held: tuple[Table, ...]
    calls: tuple[Table, ...]
    asked: str
    """The options of `irene sanitize` that make the point to choose."""
    has_bounds: bool
    rules: Markup
    """What the printed sheets have at their head."""


def render_sweep(sweep: Sweep) -> str:
    """Return the page of a sweep; the same evidence gives the same page, byte for byte.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
    """
    return fill("sweep.html.j2", "report.css", "sweep.css", page=sweep_page(sweep))


def write_sweep(path: Path, sweep: Sweep) -> None:
    """Write the page of a sweep, whole or not at all.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
        IreneError: The file cannot be written.
    """
    write_page(path, render_sweep(sweep))


def sweep_page(sweep: Sweep) -> SweepPage:
    """Prepare everything that the template shows.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
    """
    refuse_unsound(sweep)
    private = sweep.setup.private
    return SweepPage(
        file=shorten(sweep.checkpoint.file),
        subject=_subject(sweep),
        choices=tuple(choice(sweep, name) for name in private),
        caveat=CAVEAT,
        level=percent(level(sweep)),
        warnings=_warnings(sweep),
        curves=curves(sweep, private[:MOST_DRAWN]),
        undrawn=len(private[MOST_DRAWN:]),
        points=tuple(points_table(sweep, name) for name in private),
        kept=kept_tables(sweep),
        made=made_table(sweep),
        held=held_tables(sweep),
        calls=calls_tables(sweep),
        asked=_asked(sweep),
        has_bounds=any(one.read.certificate for name in private for one in audited(sweep, name)),
        rules=running_head(sweep.checkpoint.file, _date(sweep)),
    )


def _date(sweep: Sweep) -> str:
    return max((call.created[:10] for call in sweep.calls), default="at no recorded time")


def _subject(sweep: Sweep) -> str:
    points, rows = len(sweep.points), sweep.data.test
    groups = f" of {count(rows.groups)} groups" if sweep.data.group and rows.groups < rows.rows else ""
    return (
        f"How well it does its task against what fresh attackers read at {named(sweep.setup.layer)}: "
        f"{count(points)} point{'' if points == 1 else 's'}, each a copy fine-tuned by one method at one weight, and "
        f"the checkpoint untouched. Swept {_date(sweep)} on "
        f"{count(rows.rows)} test rows{groups}."
    )


def _warnings(sweep: Sweep) -> tuple[str, ...]:
    failed = [point for point in sweep.points if point.figures is None]
    beyond = [
        f"{named(name)} at {named(called(one.point))}: the strongest attacker's whole interval lies above the bound on "
        "every attacker, so one of them is wrong. Take the attacker's figure, and look for rows that belong together."
        for name in sweep.setup.private
        for one in audited(sweep, name)
        if one.read.certificate and one.read.balanced_accuracy.low > one.read.certificate.balanced_accuracy
    ]
    return (
        CAVEAT,
        *(
            ["Code inside the checkpoint file ran when it was loaded (--allow-pickle). Such code could change "
             "anything, these figures too; they are worth as much as the trust in whoever made the file."]
            if sweep.checkpoint.pickle_ran
            else []
        ),
        *(
            [f"Training failed at {', '.join(map(called, failed))}; the tables say why."] if failed else []
        ),
        *beyond,
        *(shorten(text, LONGEST_TEXT) for text in sweep.warnings),
    )  # fmt: skip


def _asked(sweep: Sweep) -> str:
    """Return the options that make the point with the least to read of the first attribute whose task is kept."""
    best = least_read(sweep, sweep.setup.private[0])
    point = best.point if best else sweep.points[-1]
    weight = "" if point.weight is None else f" --weight {point.weight:g}"
    return f"--method {shlex.quote(shorten(point.method))}{weight}"
