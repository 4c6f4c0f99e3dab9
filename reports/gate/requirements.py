"""What a gate asks of a model beside its leakage: that it does its task, and keeps what it was to keep."""

from collections.abc import Iterator
from dataclasses import dataclass

from audit.errors import EvidenceError, as_float, require_flag, require_number
from audit.evidence.audit_result import AnyTask
from audit.evidence.findings import Estimate
from audit.evidence.headline import not_above
from audit.evidence.numbers import change, limit_points, one_line, plain
from reports.inputs.comparison import Comparison, Pair
from reports.inputs.paired_difference import Change, task_change
from reports.inputs.retention import Retention, loss, retention, within
from reports.text.figures import pair_change


@dataclass(frozen=True)
class Losses:
    """The largest losses that a gate lets pass."""

    task: float | None = None
    """Of the task's accuracy, or R², since the audit before, in [0, 1]; None: not looked at."""
    kept: float | None = None
    """Of the balanced accuracy, or R², of each retained attribute; None: not looked at."""
    allow_chance: bool = False
    """Let pass a model that is no better at its task than always answering the most frequent class."""

    def __post_init__(self) -> None:
        for name in ("task", "kept"):
            if getattr(self, name) is not None:
                require_number(f"The largest loss of {name}", getattr(self, name), 0, whole=False)
                object.__setattr__(self, name, as_float(getattr(self, name)))
        require_flag("allow_chance of the losses", self.allow_chance)


@dataclass(frozen=True)
class Requirement:
    """One thing that was asked, and what came of it."""

    name: str
    """`task above chance`, `task drop`, `keep drop` or `policy`."""
    subject: str
    """The task, or the attribute and its layer."""
    state: Retention
    reason: str
    """In one sentence."""
    loss: Estimate | None = None
    """Since the audit before."""
    tolerance: float | None = None
    must: bool = False
    """--allow-inconclusive does not let it pass while it is open."""


def requirements(comparison: Comparison, losses: Losses) -> tuple[Requirement, ...]:
    """Hold an audit against what is asked of it.

    Raises:
        EvidenceError: A loss is to be limited, and there is no audit before, no task, or nothing that was to be kept.
    """
    last = comparison.last
    for option, asked, there in (
        ("--task-drop", losses.task, last.task),
        ("--keep-drop", losses.kept, comparison.retained),
    ):
        if asked is not None and len(comparison.audits) < 2:
            raise EvidenceError(f"{option} limits a loss since an audit before, and there is none. Give --before.")
        if asked is not None and not there:
            missing = "task" if option == "--task-drop" else "attribute to keep"
            raise EvidenceError(
                f"{option} limits a loss, and no {missing} was audited. Audit with {option.partition('-drop')[0]}, or "
                "leave it out."
            )
    return tuple(_requirements(comparison, losses))


def _requirements(comparison: Comparison, losses: Losses) -> Iterator[Requirement]:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if tasks and tasks[-1].is_at_chance and not losses.allow_chance:
        told = plain(not_above(tasks[-1]))
        yield Requirement("task above chance", one_line(tasks[-1].name), "lost", f"{told[0].upper()}{told[1:]}.")
    if losses.task is not None:
        yield _of_task(tasks[-1], task_change(*tasks), losses.task)
    if losses.kept is not None:
        yield from (_of_kept(pair, losses.kept) for pair in comparison.retained)


def _of_task(task: AnyTask, changed: Change, tolerance: float) -> Requirement:
    lost, told = loss(changed), change(changed.estimate, in_points=task.percent)
    state, most = within(lost, tolerance), _most(tolerance, in_points=task.percent)
    reason = f"The task's {task.title} changed by {told}; at most {most} may be lost."
    return Requirement("task drop", one_line(task.name), state, reason, lost, tolerance)


def _most(tolerance: float, *, in_points: bool) -> str:
    return limit_points(tolerance) if in_points else f"{tolerance:g} of R²"


def _of_kept(pair: Pair, tolerance: float) -> Requirement:
    found, changed = pair.last.found, pair.change
    state = retention(pair, tolerance)
    if changed is None or state is None:
        raise EvidenceError("A loss needs an audit before. Give --before.")
    subject = f"{one_line(found.attribute)} at {one_line(found.layer)}"
    most = _most(tolerance, in_points=found.measurement.kind.percent)
    told, lost = pair_change(pair, found.measurement.metric), loss(changed)
    aside = "" if state == within(lost, tolerance) else ", and it is not clearly read above its floor now"
    reason = f"What is read of it changed by {told}; at most {most} may be lost{aside}."
    return Requirement("keep drop", subject, state, reason, lost, tolerance)
