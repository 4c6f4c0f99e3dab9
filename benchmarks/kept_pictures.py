"""A picture for each set of kept.py: what is read above the floor, against how much is kept of what could be at best.

    python benchmarks/kept_pictures.py [--runs benchmarks/kept.jsonl] [--folder docs/pictures]

Every arm is a point, the mean over its seeds, with a bar to what nobody can read more than, where a code is released.
The best there could be is drawn: nothing read above the floor, and all of the ceiling kept.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from kept import ARMS, METHODS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from removal import read

from audit.atomic_write import write_whole
from reports.charts.svg import HAIRLINE, INK, MUTED, NAME, drawing, measured, picture
from sanitizer.method_table import card_of

WIDTH, HEIGHT = 620.0, 330.0
BEST = "the best there could be"
Box = tuple[float, float, float, float]
OTHERS = {"untouched": (".", INK), "LEACE": ("X", "#6b5900"), "k-means code, untrained": ("h", MUTED)}
"""Mark and colour of arms that are no method of irene's."""


def look(arm: str) -> tuple[str, str]:
    """Return the mark and the colour of an arm, those of its method."""
    if arm in OTHERS:
        return OTHERS[arm]
    card = card_of(METHODS[arm])
    assert card is not None  # all are of irene
    return card.mark, card.light


@dataclass(frozen=True)
class Spot:
    """An arm's point, in percent of the ceiling and points above the floor."""

    arm: str
    kept: float
    left: float
    bound: float | None
    """Of what anybody can read, where a code is released."""


def spots_of(runs: list[dict[str, Any]], name: str) -> list[Spot]:
    """Return the means of a set's arms over their seeds."""
    own = [one for one in runs if one["set"] == name]
    most = {one["seed"]: one["ceiling"] - 0.5 for one in own if "ceiling" in one}
    found = []
    for arm in ARMS:
        rows = [one for one in own if one["arm"] == arm]
        if rows:
            left, kept = (
                float(np.mean([100 * (one["strongest"] - one["floor"]) for one in rows])),
                float(np.mean([100 * (one["kept"] - 0.5) / most[one["seed"]] for one in rows])),
            )
            bounds = [100 * (one["certified"] - one["floor"]) for one in rows if one["certified"]]
            found.append(Spot(arm, kept, left, float(np.mean(bounds)) if bounds else None))
    return found


def draw(spots: list[Spot], name: str) -> str:
    """Return the picture of a set as an SVG file of its own."""
    with drawing(WIDTH, HEIGHT, salt=name) as figure:
        axes = figure.add_axes((0.09, 0.15, 0.87, 0.72))
        _frame(axes, name)
        for spot in spots:
            mark, colour = look(spot.arm)
            if spot.bound is not None:
                axes.plot([spot.kept, spot.kept], [spot.left, spot.bound], color=colour, linewidth=1)
            size = 9 if mark == "." else 7
            axes.plot(spot.kept, spot.left, marker=mark, color=colour, markersize=size, linestyle="none")
        axes.autoscale_view()  # else places are not known yet
        low, high = axes.get_ylim()
        axes.set_ylim(low - 0.08 * (high - low), high)  # room for names under the points
        taken = [_box(axes, 100, 0, (-9, -9), (18, 18))]
        taken += [_box(axes, spot.kept, spot.left, (-5, -5), (10, 10)) for spot in spots]
        bars = [
            (spot, axes.transData.transform((spot.kept, spot.bound))[1]) for spot in spots if spot.bound is not None
        ]
        taken += [(*_box(axes, spot.kept, spot.left, (-2, 0), (4, 0))[:3], top) for spot, top in bars]
        for spot in spots:
            _name(axes, spot.arm, (spot.kept, spot.left), look(spot.arm)[1], taken)
        _name(axes, BEST, (100, 0), INK, taken)
        told = "; ".join(f"{spot.arm}: {spot.left:.1f} points, {spot.kept:.0f} %" for spot in spots)
        return picture(figure, title=f"{name}, read above the floor and kept of the ceiling. {told}.")


def _box(axes: Axes, x: float, y: float, shift: tuple[float, float], size: tuple[float, float]) -> Box:
    """Return left, low, right and high end, in pixels, of what stands so far from a point."""
    across, up = axes.transData.transform((x, y))
    return across + shift[0], up + shift[1], across + shift[0] + size[0], up + shift[1] + size[1]


def _name(axes: Axes, words: str, at: tuple[float, float], colour: str, taken: list[Box]) -> None:
    """Write words beside a point, where nothing is written yet."""
    assert isinstance(axes.figure, Figure)
    wide, high = measured(axes.figure, words, size=9)
    room = axes.bbox.x0, axes.bbox.y0 + 2, axes.bbox.x1 + 15, axes.bbox.y1 + 10
    ups = [4, -13, 16, -25, 28, -37, 40, -49]
    shifts = [(x, up) for up in ups for x in (8, -8 - wide, -wide / 2)]
    boxes = [(shift, _box(axes, *at, shift, (wide, high))) for shift in shifts]
    free = (
        (shift, box)
        for shift, box in boxes
        if room[0] <= box[0] and room[1] <= box[1] and box[2] <= room[2] and box[3] <= room[3]
        and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken)
    )  # fmt: skip
    shift, box = next(free, boxes[0])
    taken.append(box)
    pointer = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.6, "shrinkA": 0, "shrinkB": 4}
    axes.annotate(
        words,
        at,
        shift,
        textcoords="offset points",
        fontsize=9,
        color=colour,
        gid=f"{NAME}-{words}",
        arrowprops=pointer,
    )


def _frame(axes: Axes, name: str) -> None:
    """Draw what does not depend on the runs: the axes, and the best there could be."""
    axes.set_title(name, loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.set_xlabel("kept, % of what could be at best", fontsize=10, color=MUTED)
    axes.set_ylabel("read above the floor, points", fontsize=10, color=MUTED)
    axes.axhline(0, color=HAIRLINE, linewidth=1, zorder=0)
    axes.axvline(100, color=HAIRLINE, linewidth=1, zorder=0)
    axes.plot(100, 0, marker="o", markersize=13, markerfacecolor="none", color=INK, linestyle="none")
    axes.tick_params(labelsize=9, colors=MUTED, length=3)
    axes.margins(0.12)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(HAIRLINE)


@click.command()
@click.option("--runs", type=click.Path(path_type=Path), default=Path("benchmarks/kept.jsonl"), show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs/pictures"), show_default=True)
def main(runs: Path, folder: Path) -> None:
    """Write a picture of each set that has runs."""
    found = read(runs)
    for name in dict.fromkeys(one["set"] for one in found):
        path = folder / f"kept-{re.sub('[^a-z0-9]+', '-', name.lower())}.svg"
        write_whole(path, draw(spots_of(found, name), name).encode())
        click.echo(f"Wrote {path}")


if __name__ == "__main__":
    main()
