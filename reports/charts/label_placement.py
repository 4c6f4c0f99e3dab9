"""Where the names of points go in a drawing: beside their points, over no other name, mark or line if there is room."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float]
Places = NDArray[np.float64]
"""(n, 2), in pixels."""

REACHES = (10, 15, 22, 31, 42, 56, 72, 92, 116, 144)
"""How far from its point, in pixels, a name may begin."""
ANGLES = [2 * math.pi * step / 24 for step in range(24)]
ROUNDS = 4
"""How often every name is placed, the later times with all the others standing."""
CROWD = 60
"""Pixels within which points are in each other's way: the most crowded are placed first."""
AIR = 2.0
"""Pixels left free around a name."""
STEP = 5.0
"""Pixels between the places at which a leader is looked at."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; y points up."""

    left: float
    low: float
    right: float
    high: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> "Box":
        """Return the box of that size with that middle."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def widened(self, by: float) -> "Box":
        """Return the box with a margin."""
        return Box(self.left - by, self.low - by, self.right + by, self.high + by)

    def meets(self, other: "Box") -> bool:
        """Return whether two have an area in common."""
        return self.left < other.right and other.left < self.right and self.low < other.high and other.low < self.high

    def within(self, other: "Box") -> bool:
        """Return whether it lies wholly inside another."""
        return (
            other.left <= self.left and self.right <= other.right and other.low <= self.low and self.high <= other.high
        )

    def count(self, places: Places) -> int:
        """Return how many places lie inside."""
        x, y = places[:, 0], places[:, 1]
        return int(((x > self.left) & (x < self.right) & (y > self.low) & (y < self.high)).sum())

    def nearest(self, place: Place) -> Place:
        """Return the place of the box that is nearest to another."""
        return min(max(place[0], self.left), self.right), min(max(place[1], self.low), self.high)


@dataclass(frozen=True)
class Name:
    """What is to be placed."""

    at: Place
    """Of its point."""
    width: float
    height: float


@dataclass(frozen=True)
class Placed:
    """Where a name stands."""

    box: Box
    side: str
    """`left`, `center` or `right`: where its text is anchored, so that another font's widths do no harm."""
    reach: float
    """Pixels from the point."""


def place(names: Sequence[Name], marks: Sequence[Box], lines: Places, inside: Box) -> list[Placed]:
    """Return a place for each name: the nearest that is free, or else the one that covers least.

    Args:
        names: In the order of the result.
        marks: The points' marks, in the same order.
        lines: Places along what is drawn as lines, close to each other.
        inside: Names stay in here.
    """
    crowd = [sum(math.dist(one.at, other.at) < CROWD for other in names) for one in names]
    order = sorted(range(len(names)), key=lambda index: -crowd[index])
    choices = [_choices(name, [*marks[:index], *marks[index + 1 :]], marks[index], lines, inside)
               for index, name in enumerate(names)]  # fmt: skip
    found: dict[int, Placed] = {}
    for index in order * ROUNDS:
        others = [(names[other], one) for other, one in found.items() if other != index]
        best = math.inf
        for cost, one in choices[index]:
            if cost >= best:
                break  # the choices are sorted, and other names only add to the cost
            total = cost + _beside(names[index], one, others)
            if total < best:
                best, found[index] = total, one
    return [found[index] for index in range(len(names))]


def _choices(name: Name, others: Sequence[Box], own: Box, lines: Places, inside: Box) -> list[tuple[float, Placed]]:
    """Return every place that a name can have, the best first, with what it costs before other names are seen."""
    found = []
    for reach, angle in product(REACHES, ANGLES):
        across, up = math.cos(angle), math.sin(angle)
        x = name.at[0] + reach * across + name.width / 2 * max(-1.0, min(1.0, 1.6 * across))
        y = name.at[1] + reach * up + name.height / 2 * max(-1.0, min(1.0, 1.6 * up))
        side = "left" if across > 0.3 else "right" if across < -0.3 else "center"
        one = Placed(Box.around(x, y, name.width, name.height), side, reach)
        box, leader = one.box.widened(AIR), _along(name.at, one.box)
        cost = (
            reach
            + 10_000 * (not box.within(inside))
            + 400 * sum(box.meets(mark) for mark in (own, *others))
            + 12 * sum(mark.count(leader) for mark in others)
            + 5 * box.count(lines)
        )
        found.append((float(cost), one))
    return sorted(found, key=lambda choice: choice[0])


def _beside(name: Name, one: Placed, others: Sequence[tuple[Name, Placed]]) -> float:
    """Return what the other names add to the cost: none may be covered, and no two leaders cross."""
    box, leader = one.box.widened(AIR), _along(name.at, one.box)
    end = one.box.nearest(name.at)
    return sum(
        1000 * box.meets(other.box)
        + 60 * other.box.count(leader)
        + 60 * box.count(_along(its.at, other.box))
        + 80 * _cross(name.at, end, its.at, other.box.nearest(its.at))
        for its, other in others
    )


def _along(start: Place, box: Box) -> Places:
    """Return places on the leader from a point to its name."""
    a, b = np.array(start), np.array(box.nearest(start))
    steps = max(2, int(math.dist(a, b) / STEP))
    places: Places = a + np.linspace(0, 1, steps + 1)[1:-1, None] * (b - a)
    return places


def _cross(a: Place, b: Place, c: Place, d: Place) -> bool:
    """Return whether the line from a to b crosses that from c to d."""
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: Place, b: Place, c: Place) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
