"""The paper's Figure 4 drawn again, with fresh attackers beside the head in the loop, and what that head hides.

    python benchmarks/paper_pictures.py [--runs benchmarks/paper.jsonl] [--scale small] [--folder docs/pictures]

Lines are means over seeds, bands one deviation. In the last picture every run is a point; a ring marks a collapse: a
head that reads less than who always says the most frequent class, though fresh attackers read more than that.
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from paper_runs import FIGURE, RELEASES
from paper_tables import Runs, of
from removal import read

from audit.atomic_write import write_whole
from reports.charts.svg import HAIRLINE, INK, MUTED, drawing, picture
from sanitizer.method_table import card_of

WIDTH, HEIGHT = 760.0, 360.0
ARMS = {**FIGURE, **RELEASES}
LABELS = {"task": "digits right", "head": "head in the loop", "strongest": "strongest fresh attacker"}


def look(arm: str) -> tuple[str, str]:
    """Return the mark and the colour of an arm, those of its method."""
    if arm.startswith("IRENE"):
        return look_of(FIGURE["IRENE"])
    return look_of(ARMS[arm])


def look_of(method: Any) -> tuple[str, str]:
    """Return the mark and the colour of a method."""
    card = card_of(method)
    assert card is not None  # all are of irene
    return card.mark, card.light


def over_rho(axes: Axes, runs: Runs, key: str, arms: list[str]) -> None:
    """Draw a quantity of each arm over rho; each value of rho has as much room."""
    rhos = sorted({one["case"] for one in runs})
    for arm in arms:
        mark, colour = look(arm)
        found = [[one[key] for one in of(runs, rho, arm) if one[key] is not None] for rho in rhos]
        if not any(found):
            continue
        means = np.array([mean(values) if values else np.nan for values in found])  # no line over what was not run
        off = np.array([stdev(values) if len(values) > 1 else 0.0 for values in found])
        axes.plot(means, color=colour, marker=mark, markersize=6, linewidth=1.4, label=arm)
        axes.fill_between(range(len(rhos)), means - off, means + off, color=colour, alpha=0.12, linewidth=0)
    axes.set_xticks(range(len(rhos)), [f"{rho:g}" for rho in rhos])
    axes.set_xlabel("rho: share of a digit's images in its own colour", fontsize=10, color=MUTED)


def framed(axes: Axes, title: str, lowest: float = 0.0) -> None:
    """Dress the axes of a share."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_ylim(lowest, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.tick_params(labelsize=9, colors=MUTED, length=3)
    axes.grid(color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(HAIRLINE)


def two(runs: Runs, salt: str, title: str, draw: Any) -> str:
    """Return a picture of two panels beside each other, with one legend below."""
    with drawing(WIDTH, HEIGHT, salt=salt) as figure:
        left, right = figure.add_axes((0.07, 0.27, 0.42, 0.64)), figure.add_axes((0.56, 0.27, 0.42, 0.64))
        draw(left, right)
        entries: dict[str, Any] = {}
        for axes in (left, right):
            entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(entries.values(), entries, loc="lower center", ncols=4, frameon=False, fontsize=9)
        return picture(figure, title=f"{title} {told(runs)}")


def told(runs: Runs) -> str:
    """Return the figures in words."""
    found = []
    for case, arm in dict.fromkeys((one["case"], one["arm"]) for one in runs):
        own = of(runs, case, arm)
        values = [f"{words} {mean(one[key] for one in own):.0%}" for key, words in LABELS.items() if key in own[0]]
        found.append(f"{case} {arm}: {', '.join(values)}")
    return "; ".join(found)


def digits_right(runs: Runs) -> str:
    """Draw Figure 4 (a) and (b)."""
    arms = [*FIGURE]

    def draw(left: Axes, right: Axes) -> None:
        over_rho(left, runs, "task", arms)
        over_rho(right, runs, "task", arms)
        framed(left, "Digits right on unbiased rows")
        framed(right, "The same, enlarged", lowest=0.8)

    return two(runs, "paper-digits", "Digits right by rho.", draw)


def colour_read(runs: Runs) -> str:
    """Draw Figure 4 (c), beside what fresh attackers read."""

    def draw(left: Axes, right: Axes) -> None:
        over_rho(left, runs, "head", [*FIGURE])
        over_rho(right, runs, "strongest", [*ARMS])
        framed(left, "Colour read by the head in the loop")
        framed(right, "Colour read by the strongest fresh attacker")
        for axes in (left, right):
            axes.axhline(0.1, color=INK, linewidth=0.8, linestyle=":", label="chance")

    return two(runs, "paper-colour", "Colour read by rho.", draw)


def against_digits(runs: Runs) -> str:
    """Draw Figure 4 (d), beside what fresh attackers read."""

    def draw(left: Axes, right: Axes) -> None:
        for axes, key, arms in ((left, "head", [*FIGURE]), (right, "strongest", [*ARMS])):
            for arm in arms:
                own = [one for one in runs if one["arm"] == arm and one.get(key) is not None]
                if not own:
                    continue
                mark, colour = look(arm)
                places = [one["task"] for one in own], [one[key] for one in own]
                axes.plot(*places, linestyle="none", marker=mark, color=colour, markersize=6, alpha=0.8, label=arm)
            framed(axes, f"{LABELS[key].capitalize()} against digits right")
            axes.set_xlabel("digits right", fontsize=10, color=MUTED)
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))

    return two(runs, "paper-against", "Colour read against digits right, each run a point.", draw)


def hidden(coloured: Runs, faces: Runs) -> str:
    """Draw the head in the loop against the strongest fresh attacker, each run of both sets a point."""

    def draw(left: Axes, right: Axes) -> None:
        for axes, runs, title in ((left, coloured, "Biased-MNIST, colour"), (right, faces, "CelebA, gender")):
            for one in runs:
                if one.get("head") is None:
                    continue
                mark, colour = look(one["arm"])
                method = one["arm"].partition(",")[0]  # at whatever gamma
                label = None if method in axes.get_legend_handles_labels()[1] else method
                at = one["head"], one["strongest"]
                axes.plot(*at, marker=mark, color=colour, markersize=6, linestyle="none", alpha=0.8, label=label)
                if is_collapse(one):
                    axes.plot(*at, marker="o", markersize=13, markerfacecolor="none", color=INK, linestyle="none")
            framed(axes, title)
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="the head is right")
            axes.set_xlim(0, 1.03)
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))
            axes.set_xlabel("read by the head in the loop", fontsize=10, color=MUTED)
        left.set_ylabel("read by the strongest fresh attacker", fontsize=10, color=MUTED)

    return two([*coloured, *faces], "paper-hidden", "Head in the loop against fresh attackers, each run a point.", draw)


def is_collapse(one: dict[str, Any]) -> bool:
    """Return whether a head does not even say the most frequent class, and fresh attackers read on."""
    return bool(one["head_right"] < one["majority"] and one["strongest"] > one["chance"] + 0.05)


@click.command()
@click.option("--runs", type=click.Path(path_type=Path), default=Path("benchmarks/paper.jsonl"), show_default=True)
@click.option("--scale", default="small", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs/pictures"), show_default=True)
def main(runs: Path, scale: str, folder: Path) -> None:
    """Write the four pictures."""
    found = [one for one in read(runs) if one["scale"] == scale]
    coloured, faces = ([one for one in found if one["part"] == part] for part in ("figure4", "table1"))
    made = {
        "digits": digits_right(coloured),
        "colour": colour_read(coloured),
        "against": against_digits(coloured),
        "hidden": hidden(coloured, faces),
    }
    for name, drawn in made.items():
        path = folder / f"paper-{name}.svg"
        write_whole(path, drawn.encode())
        click.echo(f"Wrote {path}")


if __name__ == "__main__":
    main()
