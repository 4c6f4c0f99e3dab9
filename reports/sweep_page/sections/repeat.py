"""The commands that made the points, and how to make one of them again."""

from dataclasses import dataclass

from audit.evidence.numbers import count
from audit.evidence.sweep_result import Sweep
from reports.inputs.sweep_choice import least_read
from reports.render.facts import listed, pairs_text
from reports.render.section import Section
from reports.render.table import Table, cell
from reports.sweep_page.sections.cells import options


@dataclass(frozen=True)
class Repeat:
    """What was run, and what to run."""

    options: str
    """Of `irene sanitize`, which make the point to choose."""
    calls: tuple[Table, ...]


def view(sweep: Sweep) -> Repeat:
    """Prepare the calls that made the points, and the options that make the chosen point."""
    return Repeat(_asked(sweep), tuple(_call(sweep, number) for number in range(len(sweep.calls))))


SECTION = Section("repeat", "How to repeat it", view)


def _call(sweep: Sweep, number: int) -> Table:
    call, calls = sweep.calls[number], len(sweep.calls)
    facts = [
        ("Command", cell(call.command or "not recorded: made from Python", kind="code")),
        ("Points", cell(count(sum(point.call == number for point in sweep.points)))),
        ("Created", cell(call.created)),
        ("Device", cell(call.device)),
        ("Versions", cell(pairs_text(call.versions))),
    ]
    return listed("The call" if calls == 1 else f"Call {number + 1} of {calls}", facts)


def _asked(sweep: Sweep) -> str:
    """Return the options that make the point with the least to read of the first attribute whose task is kept."""
    best = least_read(sweep, sweep.setup.private[0])
    return options(best.point if best else sweep.points[-1])
