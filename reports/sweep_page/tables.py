"""The tables of a sweep: every point as it was found and as it was made, and what was the same for all."""

from audit.evidence.numbers import bits, count, decimal, excess, limit_points, percent, rows_told, share, shorten
from audit.evidence.sweep_result import UNTOUCHED, Sweep, SweepFigures, SweepKept, SweepPoint, SweepReading
from reports.inputs.sweep_choice import keeps_the_task, least_read, untouched
from reports.render.facts import Fact, listed, pairs_told, protocol_facts, row_facts
from reports.render.table import Cell, Table, cell, figure_cell
from reports.sweep_page.verdict import called
from reports.text.bounds import read_at_most, told_at_most
from reports.text.method_descriptions import described
from reports.text.verdicts import MARKS

SHORT = 14
"""Characters of a kept attribute's name beside a leakage; it stands in full in a table of its own."""
LONGEST_REASON = 300
"""Characters of why a point has no figures."""
LONG = 120
"""Seconds from which a time is told in minutes."""


def points_table(sweep: Sweep, attribute: str) -> Table:
    """Return every point with what was read of one attribute, beside the task and what should stay."""
    kept = ("Kept, AUROC",) if sweep.setup.keep else ()
    columns = (
        "Point", "Accuracy on the task", *kept, "Strongest fresh attacker", "Floor", "Excess", "Verdict",
        "Any attacker, at most", "Information",
    )  # fmt: skip
    found = tuple(_point(point, sweep, attribute, len(columns) - 1) for point in sweep.points)
    return Table(f"Every point: {shorten(attribute)} at {shorten(sweep.setup.layer)}", columns, found)


def kept_tables(sweep: Sweep) -> tuple[Table, ...]:
    """Return, for each attribute that should stay readable, what was read of it at every point."""
    return tuple(_kept(sweep, place, name) for place, name in enumerate(sweep.setup.keep))


def made_table(sweep: Sweep) -> Table:
    """Return how each point was made, and how long that took."""
    columns = ("Point", "Settings of the method", "Epochs trained", "Epoch audited", "Training", "Audit", "Call")
    return Table("How each point was made", columns, tuple(map(_made, sweep.points)))


def held_tables(sweep: Sweep) -> tuple[Table, ...]:
    """Return what was the same for every point."""
    return (
        listed("The checkpoint that every point starts from", _checkpoint(sweep)),
        listed("Rows that every point was audited on", [*row_facts(sweep.data), _fingerprint(sweep)]),
        listed("How every point was trained", _training(sweep)),
        listed("How every point was audited", protocol_facts(sweep.protocol, limit_points(sweep.protocol.limit))),
    )


def calls_tables(sweep: Sweep) -> tuple[Table, ...]:
    """Return the commands that made the points."""
    alone = len(sweep.calls) == 1
    return tuple(
        listed(
            "The call" if alone else f"Call {number + 1} of {len(sweep.calls)}",
            [
                ("Command", cell(call.command or "not recorded: made from Python", kind="code")),
                ("Points", cell(count(sum(point.call == number for point in sweep.points)))),
                ("Created", cell(call.created)),
                ("Device", cell(call.device)),
                ("Versions", cell(pairs_told(call.versions))),
            ],
        )
        for number, call in enumerate(sweep.calls)
    )


def _point(point: SweepPoint, sweep: Sweep, attribute: str, width: int) -> tuple[Cell, ...]:
    if point.figures is None:
        return cell(called(point)), _failed(point, width)
    best, figures = least_read(sweep, attribute), point.figures
    found = next(one for one in figures.read if one.attribute == attribute)
    is_best = best is not None and point is best.point
    return (
        cell(called(point)),
        _task(figures, sweep),
        *([_kept_cell(figures)] if figures.kept else []),
        figure_cell(
            share(found.balanced_accuracy), f"by {shorten(found.strongest)}", tag="least read" if is_best else ""
        ),
        figure_cell(share(found.floor)),
        figure_cell(excess(found.excess, sweep.protocol.limit)),
        cell(f"{MARKS[found.verdict]}\N{NO-BREAK SPACE}{found.verdict}", kind="number"),
        _bound(found),
        figure_cell(bits(found.bits)),
    )


def _task(figures: SweepFigures, sweep: Sweep) -> Cell:
    return figure_cell(share(figures.accuracy), *([] if keeps_the_task(figures, sweep) else ["not kept"]))


def _kept_cell(figures: SweepFigures) -> Cell:
    first, *others = [f"{shorten(one.attribute, SHORT)} {decimal(one.auroc).value}" for one in figures.kept]
    return cell(first, *others, kind="number")


def _bound(found: SweepReading) -> Cell:
    one = found.certificate
    if one is None:
        return cell("–", kind="missing")
    return cell(read_at_most(one), told_at_most(one), f"{count(one.codes)} vectors", kind="number")


def _failed(point: SweepPoint, width: int) -> Cell:
    return cell("failed", shorten(point.failure or "no reason", LONGEST_REASON), kind="missing", span=width)


def _kept(sweep: Sweep, place: int, name: str) -> Table:
    columns = ("Point", "AUROC", "Balanced accuracy", "Accuracy on the task")
    chance = untouched(sweep, sweep.setup.private[0]).figures.kept[place].chance
    found = tuple(
        (cell(called(point)), *_kept_row(point.figures.kept[place], point.figures, sweep))
        if point.figures
        else (cell(called(point)), _failed(point, len(columns) - 1))
        for point in sweep.points
    )
    return Table(f"{shorten(name)}, which should stay readable; a guess: {percent(chance)}", columns, found)


def _kept_row(one: SweepKept, figures: SweepFigures, sweep: Sweep) -> tuple[Cell, ...]:
    return (
        figure_cell(decimal(one.auroc), f"by {shorten(one.strongest)}"),
        figure_cell(share(one.balanced_accuracy)),
        _task(figures, sweep),
    )


def _made(point: SweepPoint) -> tuple[Cell, ...]:
    chosen = "–" if point.chosen is None else count(point.chosen + 1)
    return (
        cell(called(point), "the checkpoint as it is" if point.method == UNTOUCHED else described(point.method)),
        cell(pairs_told(point.settings)),
        cell(count(point.epochs), *(["failed"] if point.failure else []), kind="number"),
        cell(chosen, kind="number"),
        cell(_time(point.train_seconds), kind="number"),
        cell(_time(point.audit_seconds), kind="number"),
        cell(count(point.call + 1), kind="number"),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < LONG else f"{seconds / 60:.1f} min"


def _checkpoint(sweep: Sweep) -> list[Fact]:
    one = sweep.checkpoint
    return [
        ("File", cell(one.file, kind="code")),
        ("SHA-256", cell(one.sha256, kind="code")),
        ("Architecture", cell(one.architecture, kind="code")),
        ("Parameters", cell(count(one.parameters))),
        ("Layer", cell(sweep.setup.layer, kind="code")),
        ("Task", cell(sweep.setup.task, f"most frequent class: {percent(sweep.task_chance)} accuracy")),
        ("Private", cell(", ".join(sweep.setup.private))),
        ("To be kept", cell(", ".join(sweep.setup.keep) or "none")),
    ]


def _fingerprint(sweep: Sweep) -> Fact:
    return "Fingerprint", cell(sweep.data.fingerprint, kind="code")


def _training(sweep: Sweep) -> list[Fact]:
    setup = sweep.setup
    return [
        ("Rows", cell(f"{rows_told(setup.train_rows)}, which no attacker saw")),
        ("Their labels, SHA-256", cell(setup.train_labels, kind="code")),
        ("Labels of the audited rows, SHA-256", cell(setup.audit_labels, kind="code")),
        ("Recipe", cell(pairs_told(setup.recipe))),
        ("Seed", cell(str(setup.seed))),
    ]
