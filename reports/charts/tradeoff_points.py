"""The points of a sweep as they are drawn: where each stands, its mark, its colour and its name."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.findings import Estimate
from audit.evidence.sweep_result import UNTOUCHED, Sweep, SweepPoint, title
from reports.charts.svg import INK, MUTED, printable
from reports.inputs.sweep_choice import audited, least_read


@dataclass(frozen=True)
class Look:
    """What tells a method from others."""

    mark: str
    """A matplotlib marker: shapes tell the methods apart without colour."""
    colour: str
    """On white paper."""
    variable: str
    """What a page's CSS calls the colour, for dark paper too."""


LOOKS = {
    UNTOUCHED: Look("D", INK, "ink"),
    "plain": Look("s", MUTED, "muted"),
    "codebook": Look("o", "#0b5394", "codebook"),
    "rich": Look("P", "#17653a", "rich"),
    "irene": Look("^", "#a3410b", "irene"),
    "kernel": Look("v", "#7a3b8f", "kernel"),
    "gradient-reversal": Look("<", "#8a1c3c", "gradient-reversal"),
    "leace": Look("X", "#6b5900", "leace"),
    "end": Look(">", "#1f6f78", "end"),
    "rubi": Look("p", "#7d4e2d", "rubi"),
    "learned-mixin": Look("h", "#3d4fa8", "learned-mixin"),
    "rebias": Look("d", "#4c6b1f", "rebias"),
    "lff": Look("8", "#93306f", "lff"),
}
"""Of each method; a user's own take turns among OTHERS."""
OTHERS = (Look("*", "#2f4858", "own-1"), Look("H", "#734b00", "own-2"))
COLOURS = {look.colour: look.variable for look in (*LOOKS.values(), *OTHERS)}


@dataclass(frozen=True)
class Spot:
    """One point in one drawing."""

    number: int
    """From 1, in the order in which the points were made; one that failed has one, too."""
    method: str
    weight: float | None
    title: str
    look: Look
    x: Estimate
    """What the strongest attacker reads."""
    y: Estimate
    """The task's accuracy."""
    floor: float
    efficient: bool
    """No other point is as good in both and better in one."""
    chosen: bool
    """It leaves least to read among those that keep the task."""


def spots_of(sweep: Sweep, attribute: str) -> list[Spot]:
    """Return the points of one attribute's drawing, in the order they were made; one without figures has none."""
    found = audited(sweep, attribute)
    best = efficient([(one.read.balanced_accuracy.value, one.figures.accuracy.value) for one in found])
    looks, chosen = _looks(sweep), least_read(sweep, attribute)
    return [
        Spot(
            number=1 + next(place for place, point in enumerate(sweep.points) if point is one.point),
            method=one.point.method,
            weight=one.point.weight,
            title=called(one.point),
            look=looks[one.point.method],
            x=one.read.balanced_accuracy,
            y=one.figures.accuracy,
            floor=one.read.floor.value,
            efficient=is_best,
            chosen=chosen is not None and one.point is chosen.point,
        )
        for one, is_best in zip(found, best, strict=True)
    ]


def efficient(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each (read, accuracy) whether no other one is as good in both and better in one."""
    return [
        not any(
            read <= own_read and accuracy >= own and (read, accuracy) != (own_read, own) for read, accuracy in points
        )
        for own_read, own in points
    ]


def by_method(spots: Sequence[Spot]) -> list[list[Spot]]:
    """Return the points of each method in order of weight."""
    found: dict[str, list[Spot]] = {}
    for spot in sorted(spots, key=lambda spot: spot.weight or 0.0):
        found.setdefault(spot.method, []).append(spot)
    return [*found.values()]


def called(point: SweepPoint) -> str:
    """Return a point's name in a drawing; of a method of the user's, its last part."""
    return printable(title(point.method.rpartition(":")[2], point.weight))


def told(spots: Sequence[Spot]) -> str:
    """Return the figures of a drawing in words."""
    return "; ".join(f"{one.number} {one.title}: task {one.y.value:.1%}, read {one.x.value:.1%}" for one in spots)


def _looks(sweep: Sweep) -> dict[str, Look]:
    own = [name for name in dict.fromkeys(point.method for point in sweep.points) if name not in LOOKS]
    return LOOKS | {name: OTHERS[index % len(OTHERS)] for index, name in enumerate(own)}
