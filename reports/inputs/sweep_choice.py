"""The point of a sweep with the least leakage while the task is kept, and the checks that a sweep has to pass first.

The task is kept where its accuracy is no lower than the lower end of the untouched checkpoint's interval. The choice
is made on the test rows themselves, so the figures of the chosen point are better than those of a fresh audit.
"""

from dataclasses import dataclass

from audit.errors import EvidenceError
from audit.evidence.findings import Estimate
from audit.evidence.numbers import one_line
from audit.evidence.sweep_result import UNTOUCHED, Sweep, SweepFigures, SweepPoint, SweepReading, title
from reports.inputs.integrity import refuse_unfounded_pass


@dataclass(frozen=True)
class Wanted:
    """What somebody would accept: two limits of their own."""

    leak: float
    """Largest excess of every private attribute."""
    task_loss: float
    """Largest loss of the task's accuracy since the untouched checkpoint."""


@dataclass(frozen=True)
class Recommended:
    """What two limits leave."""

    best: "SweepPoint | None"
    """Of the points within both, the one that does the task best; None without any."""
    within_leak: tuple["SweepPoint", ...]
    within_task: tuple["SweepPoint", ...]
    is_sure: bool
    """Whether the evidence says of the best one that the attackers were able to tell at this limit; true without one.
    It was asked at the sweep's own limit: a PASS there says it of a larger one too, a bound on every attacker of any.
    """


@dataclass(frozen=True)
class Audited:
    """A point that was audited, and the leakage of one private attribute there."""

    point: SweepPoint
    figures: SweepFigures
    read: SweepReading


def refuse_unsound(sweep: Sweep) -> None:
    """Refuse a sweep whose points cannot be compared, or with a PASS that its figures deny.

    Raises:
        EvidenceError: The untouched checkpoint or an attribute is missing, or a PASS does not follow.
    """
    begins = sweep.find(UNTOUCHED, None)
    if begins is None or begins.figures is None:
        raise EvidenceError(
            "The sweep has no figures of the untouched checkpoint, which all others are read against. Sweep again."
        )
    for point in sweep.points:
        if point.figures is not None:
            _refuse_unsound(one_line(title(point.method, point.weight)), point.figures, sweep)


def _refuse_unsound(name: str, figures: SweepFigures, sweep: Sweep) -> None:
    measured = [one.attribute for one in figures.read], [one.attribute for one in figures.kept]
    if measured != (sweep.setup.private, sweep.setup.keep) or not sweep.setup.private:
        raise EvidenceError(f"{name} was not audited for the attributes that the sweep is about. Sweep again.")
    for one in figures.read:
        where = f"The sweep says PASS for {one_line(one.attribute)} at {name}"
        refuse_unfounded_pass(one.verdict, one.excess, sweep.protocol.limit, where=where, again="Sweep again.")


def audited(sweep: Sweep, attribute: str) -> list[Audited]:
    """Return the leakage of one attribute at every point that has figures, in the order the points were made."""
    return [
        Audited(point, point.figures, one)
        for point in sweep.points
        if point.figures
        for one in point.figures.read
        if one.attribute == attribute
    ]


def has_bounds(sweep: Sweep) -> bool:
    """Whether any point has a bound on every attacker."""
    return any(one.read.certificate for name in sweep.setup.private for one in audited(sweep, name))


def untouched(sweep: Sweep, attribute: str) -> Audited:
    """Return the leakage of one attribute at the untouched checkpoint; `refuse_unsound` sees that there is one."""
    return next(one for one in audited(sweep, attribute) if one.point.method == UNTOUCHED)


def kept_of_best(figures: SweepFigures, sweep: Sweep) -> Estimate | None:
    """Return how much is read at a point of what could be kept of the untouched checkpoint's features at best.

    A share of AUROC above one half, mean over the attributes to keep of which something could be kept; its ends are the
    means of theirs. None where the evidence does not tell.
    """
    begins = untouched(sweep, sweep.setup.private[0]).figures.kept
    gains = [
        (one.auroc, first.at_best.value - 0.5)
        for one, first in zip(figures.kept, begins, strict=True)
        if first.at_best and min(first.at_best.low, first.at_best.value) > 0.5
    ]
    if not gains:
        return None
    value, low, high = (
        sum((getattr(auroc, end) - 0.5) / best for auroc, best in gains) / len(gains)
        for end in ("value", "low", "high")
    )
    return Estimate(value=value, low=low, high=high)


def level(sweep: Sweep) -> float:
    """Return the lowest accuracy at which the task counts as kept."""
    return untouched(sweep, sweep.setup.private[0]).figures.accuracy.low


def keeps_the_task(one: SweepFigures, sweep: Sweep) -> bool:
    """Whether a point does the task as well as the untouched checkpoint, within the noise."""
    return one.accuracy.value >= level(sweep)


def recommended(sweep: Sweep, wanted: Wanted) -> Recommended:
    """Return the point that two limits leave, and which points are within each; the untouched one is none of them.

    A leak is within its limit where the whole interval of every attribute's excess is, and the attackers were able to
    tell, as far as the evidence says; the task where its accuracy is no lower than the untouched checkpoint's less the
    loss.
    """
    begins = untouched(sweep, sweep.setup.private[0]).figures.accuracy.value
    made = [(one, one.figures) for one in sweep.points if one.figures and one.method != UNTOUCHED]
    leak = [one for one, figures in made if all(_is_within(read, sweep, wanted.leak) for read in figures.read)]
    task = [one for one, figures in made if figures.accuracy.value >= begins - wanted.task_loss]
    both = [(one, figures) for one, figures in made if one in leak and one in task]
    best = max(both, key=lambda each: each[1].accuracy.value, default=(None, None))[0]
    read = best.figures.read if best and best.figures else []
    is_sure = all(_is_sure(one, sweep, wanted.leak) for one in read)
    return Recommended(best, tuple(leak), tuple(task), is_sure)


def _is_within(read: SweepReading, sweep: Sweep, limit: float) -> bool:
    is_doubted = read.verdict == "INCONCLUSIVE" and read.excess.high <= sweep.protocol.limit
    return read.excess.high <= limit and not is_doubted


def _is_sure(read: SweepReading, sweep: Sweep, limit: float) -> bool:
    passes = read.verdict == "PASS" and sweep.protocol.limit <= limit
    most = read.certificate
    return passes or (most is not None and most.balanced_accuracy <= read.floor.low + limit)


def unmade(sweep: Sweep) -> tuple[int, tuple[str, ...]]:
    """Return how many points were planned, and which of them are not made yet; 0 where the evidence does not tell."""
    planned = dict.fromkeys(name for call in sweep.calls for name in call.planned)
    made = {title(one.method, one.weight) for one in sweep.points}
    return len(planned), tuple(name for name in planned if name not in made)


def keeping(sweep: Sweep, attribute: str) -> list[Audited]:
    """Return the points that keep the task, the untouched checkpoint itself not among them."""
    found = audited(sweep, attribute)
    return [one for one in found if one.point.method != UNTOUCHED and keeps_the_task(one.figures, sweep)]


def least_read(sweep: Sweep, attribute: str) -> Audited | None:
    """Return the point that leaves least to read of one attribute while it keeps the task, if any keeps it.

    Of two that leave as little it is the one that does the task better, and then the one that was made first.
    """

    def order(one: Audited) -> tuple[float, float]:
        return one.read.balanced_accuracy.value, -one.figures.accuracy.value

    return min(keeping(sweep, attribute), key=order, default=None)
