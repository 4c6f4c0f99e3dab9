"""The points of a sweep as they are drawn: where each stands, its mark, its colour and its name."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from audit.evidence.findings import Estimate
from audit.evidence.sweep_result import UNTOUCHED, Sweep, SweepPoint, title
from reports.charts.svg import INK, MUTED, printable
from reports.inputs.sweep_choice import audited, kept_of_best, least_read


@dataclass(frozen=True)
class Look:
    """What tells a method from others."""

    mark: str
    """A matplotlib marker: shapes tell the methods apart without colour."""
    colour: str
    """On white paper."""
    dark: str
    """On dark paper; empty where the page knows the colour."""
    variable: str
    """What a page's CSS calls the colour, for dark paper too."""


NEUTRAL = ("*", "H", "p", "8")
"""Marks of methods without a card of their own, in turn."""


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
    most: float
    """What may be read of it: its floor with the limit on top."""
    efficient: bool
    """No other point is as good in both and better in one."""
    chosen: bool
    """It leaves least to read among those that keep the task."""


def spots_of(sweep: Sweep, attribute: str) -> list[Spot]:
    """Return the points of one attribute's drawing, in the order they were made; one without figures has none."""
    found = audited(sweep, attribute)
    best = efficient([(one.read.balanced_accuracy.value, one.figures.accuracy.value) for one in found])
    known, chosen = looks(sweep), least_read(sweep, attribute)
    return [
        Spot(
            number=1 + next(place for place, point in enumerate(sweep.points) if point is one.point),
            method=one.point.method,
            weight=one.point.weight,
            title=called(one.point),
            look=known[one.point.method],
            x=one.read.balanced_accuracy,
            y=one.figures.accuracy,
            floor=one.read.floor.value,
            most=one.read.floor.value + sweep.protocol.limit,
            efficient=is_best,
            chosen=chosen is not None and one.point is chosen.point,
        )
        for one, is_best in zip(found, best, strict=True)
    ]


def kept_spots(sweep: Sweep, attribute: str) -> list[Spot]:
    """Return the same points with what they keep further up (`kept_of_best`); none where the evidence does not tell."""
    shares = {
        1 + place: share
        for place, point in enumerate(sweep.points)
        if point.figures and (share := kept_of_best(point.figures, sweep)) is not None
    }
    spots = [
        replace(one, y=shares[one.number], chosen=False) for one in spots_of(sweep, attribute) if one.number in shares
    ]
    best = efficient([(one.x.value, one.y.value) for one in spots])
    return [replace(one, efficient=is_best) for one, is_best in zip(spots, best, strict=True)]


def efficient(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each (read, what is kept) whether no other one is as good in both and better in one."""
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


def in_words(spots: Sequence[Spot], up: str = "task") -> str:
    """Return the figures of a drawing in words; `up` is what goes up."""
    return "; ".join(f"{one.number} {one.title}: {up} {one.y.value:.1%}, read {one.x.value:.1%}" for one in spots)


def looks(sweep: Sweep) -> dict[str, Look]:
    """Return what tells each method from others: as its card says, and grey where it has none."""
    cards = {point.method: point.card for point in sweep.points if point.method != UNTOUCHED}
    plain = itertools.cycle(NEUTRAL)
    found = {UNTOUCHED: Look("D", INK, "", "ink")}
    for number, (method, card) in enumerate(cards.items(), 1):
        own = Look(card.mark, card.light, card.dark, f"method-{number}") if card else None
        found[method] = own or Look(next(plain), MUTED, "", "muted")
    return found


def colours(sweep: Sweep) -> dict[str, str]:
    """Return what a page's CSS calls the colour of each method."""
    return {one.colour: one.variable for one in looks(sweep).values()}


def colour_rules(sweep: Sweep) -> Markup:
    """Return the rules that give a page the colours of its methods, on light and on dark paper."""
    own = [one for one in looks(sweep).values() if one.dark]
    light, dark = (";".join(f"--{one.variable}:{colour}" for one, colour in zip(own, some, strict=True))
                   for some in ([one.colour for one in own], [one.dark for one in own]))  # fmt: skip
    return Markup(f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}")
