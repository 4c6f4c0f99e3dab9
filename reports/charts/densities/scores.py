"""How sure the strongest attacker is of each class: a density of its scores for each, on one scale.

Scores are log-odds and the scale is even in them, so that what is nearly certain does not fall onto one place; what
stands at it is the probability.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audit.evidence.densities import ScoreDensity
from audit.evidence.numbers import count, percent, shorten
from reports.charts import intervals
from reports.charts.attribute import Drawing
from reports.charts.intervals import Layout
from reports.charts.svg import BAND, HAIRLINE, INK, MUTED, drawing, element, fitted, printable
from reports.inputs.comparison import Pair, Reading

MOST = 6
"""Classes that are drawn; of more, those that are recognised most."""
WIDE, NARROW = replace(intervals.WIDE, row=40), replace(intervals.NARROW, row=58)
TOP, UNDER, HEADING, HEIGHT = 26.0, 46.0, 24.0, 26.0
"""Pixels over and under the lanes, of the line that says when, and of the highest step of a density."""
PROBABILITIES = (0.5, 0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.25, 0.75, 0.4, 0.6, 0.45, 0.55)
"""What may stand at the scale, as far as there is room, the first first."""
ROOM = 44.0
"""Pixels of a probability at the scale."""
NARROWEST = 2.0
"""Bits that the scale is wide at least."""
CAPTION = "Densities of each class's test rows. Triangle: their median."


@dataclass(frozen=True)
class _Lane:
    """One class in one audit."""

    density: ScoreDensity
    is_last: bool
    """Whether it is of the audit that the verdict is on."""
    top: float
    """Pixels from the top of the lanes to the highest step."""


def score_drawing(pair: Pair, salt: str) -> Drawing | None:
    """Draw the scores of each class, before above after; None where nothing of them is told.

    Args:
        pair: A private attribute at one layer.
        salt: Sets this drawing apart from the others on the page.
    """
    shown = chosen(pair)
    told = [(one, some) for one in pair.readings if (some := [each for each in _scores(one) if each.name in shown])]
    if not told:
        return None
    found, k = pair.last.found, len(pair.last.measurement.classes)
    wanted = shorten(pair.last.measurement.classes[1].name) if k == 2 else "the row's own class"
    said = f"probability of {wanted}", _in_words(told, pair)
    drawn = [
        _draw(told, pair, layout, said, 1 / k, f"{salt}-{name}")
        for layout, name in ((WIDE, "wide"), (NARROW, "narrow"))
    ]
    fewer = f"The {MOST} most recognised of {count(k)} classes. " if len(shown) == MOST < k else ""
    return Drawing(shorten(found.attribute), shorten(found.layer), drawn[0], drawn[1], f"{fewer}{CAPTION}")


def chosen(pair: Pair) -> list[str]:
    """Return the classes that are drawn: those of which anything is told, or of many those that are recognised most."""
    measurement = pair.last.measurement
    densities = [one.found.densities for one in pair.readings if one.found.densities]
    told = {each.name for one in densities for each in one.scores} | {
        each.name for one in densities for each in one.map
    }
    recalls = measurement.exposure.recalls if measurement.exposure else []
    known = {one.name: one.recall.value for one in recalls if one.recall}
    names = [one.name for one in measurement.classes if one.name in told]
    most = sorted(names, key=lambda name: -known.get(name, 0.0))[:MOST]
    return [name for name in names if name in most]


def _scores(reading: Reading) -> list[ScoreDensity]:
    return reading.found.densities.scores if reading.found.densities else []


def _draw(
    told: Sequence[tuple[Reading, list[ScoreDensity]]],
    pair: Pair,
    layout: Layout,
    said: tuple[str, str],
    guess: float,
    salt: str,
) -> Markup:
    lanes, headings, inner = _placed(told, pair, layout)
    height = TOP + inner + UNDER
    with drawing(layout.width, height, salt=salt) as figure:
        side = 16.0 if layout.names == 0 else 0.0
        left, right = layout.names + side, layout.width - (layout.figures - 60 if layout.figures else 0) - side
        axes = figure.add_axes((left / layout.width, UNDER / height, (right - left) / layout.width, inner / height))
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        words = fitted(figure, printable(said[0], 80), right - left, size=layout.text - 1)
        _set_scale(axes, lanes, guess, words, layout, right - left)
        axes.set_ylim(inner, 0)
        for lane in lanes:
            _draw_lane(axes, lane, guess)
        _write(figure, lanes, headings, layout, (TOP, height))
        _name_guess(axes, guess, layout, inner)
        return element(figure, title="How sure the strongest attacker is", description=said[1], salt=salt, colours={})


def _placed(
    told: Sequence[tuple[Reading, list[ScoreDensity]]], pair: Pair, layout: Layout
) -> tuple[list[_Lane], list[tuple[str, float]], float]:
    """Return the lanes, what stands over them with its place, and how high all of them are."""
    lanes, headings, y = [], [], 0.0
    for reading, densities in told:
        if pair.first:
            headings.append((reading.when, y + HEADING / 2))
            y += HEADING
        for density in densities:
            lanes.append(_Lane(density, reading is pair.last, y + layout.row - HEIGHT - 8))
            y += layout.row
    return lanes, headings, y


def _set_scale(axes: Axes, lanes: Sequence[_Lane], guess: float, words: str, layout: Layout, pixels: float) -> None:
    ends = [edge for lane in lanes for edge in lane.density.edges] + [_bits(guess)]
    room = max(0.04 * (max(ends) - min(ends)), (NARROWEST - max(ends) + min(ends)) / 2)
    low, high = min(ends) - room, max(ends) + room
    axes.set_xlim(low, high)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.set_yticks([])
    shown: list[float] = []
    for one in PROBABILITIES:
        apart = [abs(_bits(one) - _bits(other)) / (high - low) * pixels for other in shown]
        if low <= _bits(one) <= high and min(apart, default=ROOM) >= ROOM:
            shown.append(one)
    axes.set_xticks([_bits(one) for one in shown], [percent(one) for one in shown])
    axes.tick_params(axis="x", labelcolor=MUTED, labelsize=layout.text - 1, length=4, color=HAIRLINE, pad=4)
    axes.set_xlabel(words, color=MUTED, fontsize=layout.text - 1, labelpad=4)


def _draw_lane(axes: Axes, lane: _Lane, guess: float) -> None:
    """Draw the steps of a density over its base, the guess through it, and its median under it."""
    edges, foot = np.array(lane.density.edges), lane.top + HEIGHT
    high = np.array(lane.density.shares) / np.diff(edges)
    xs, ys = np.repeat(edges, 2), np.concatenate([[0], np.repeat(high / max(high.max(), 1e-9), 2), [0]])
    up = foot - HEIGHT * ys
    axes.plot(axes.get_xlim(), [foot, foot], color=HAIRLINE, linewidth=0.8, clip_on=False)
    axes.fill(
        xs, up, color=MUTED if lane.is_last else BAND, alpha=0.4 if lane.is_last else 1, linewidth=0, clip_on=False
    )
    axes.plot(xs, up, color=INK if lane.is_last else MUTED, linewidth=1.4, solid_joinstyle="miter", clip_on=False)
    axes.plot([_bits(guess)] * 2, [lane.top - 2, foot], color=INK, linewidth=1, linestyle=":", clip_on=False)
    axes.plot([quantile(lane.density, 0.5)], [foot + 4], "^", color=INK, markersize=6, clip_on=False)


def _write(
    figure: Figure,
    lanes: Sequence[_Lane],
    headings: Sequence[tuple[str, float]],
    layout: Layout,
    heights: tuple[float, float],
) -> None:
    """Set names at the left and medians at the right; on a narrow drawing both stand over their lane."""
    top, height = heights
    for words, y in headings:
        figure.text(0, 1 - (top + y) / height, words, va="center", fontsize=layout.text, color=INK, weight="bold")
    is_narrow = layout.names == 0
    for lane in lanes:
        y = 1 - (top + (lane.top - 12 if is_narrow else lane.top + HEIGHT / 2 + 4)) / height
        room = (layout.width - 24) * 0.6 if is_narrow else layout.names - 10
        name = fitted(figure, printable(lane.density.name), room, size=layout.text)
        middle = f"median {_told(quantile(lane.density, 0.5))}"
        for x, side, words, color in ((0, "left", name, INK), (1, "right", middle, MUTED)):
            figure.text(x, y, words, ha=side, va="center", fontsize=layout.text, color=color)


def _name_guess(axes: Axes, guess: float, layout: Layout, inner: float) -> None:
    low, high = axes.get_xlim()
    to_left = (_bits(guess) - low) / (high - low) > 0.6
    axes.annotate(
        f"a guess {percent(guess)}", (_bits(guess), 1 + 8 / inner), xycoords=axes.get_xaxis_transform(),
        ha="right" if to_left else "left", va="bottom", fontsize=layout.text - 1, color=INK,
    )  # fmt: skip


def quantile(density: ScoreDensity, share: float) -> float:
    """Return the score that so many rows lie below, in bits, if those of a step lie evenly in it."""
    below = np.concatenate([[0], np.cumsum(density.shares)])
    return float(np.interp(share * below[-1], below, density.edges))


def _in_words(told: Sequence[tuple[Reading, list[ScoreDensity]]], pair: Pair) -> str:
    said = []
    for reading, densities in told:
        when = f"{reading.when}: " if pair.first else ""
        each = [
            f"{shorten(one.name)} {_told(quantile(one, 0.5))} "
            f"({_told(quantile(one, 0.1))} to {_told(quantile(one, 0.9))})"
            for one in densities
        ]
        said.append(f"{when}median, and what four of five rows lie between: {'; '.join(each)}.")
    return " ".join(said)


def _bits(probability: float) -> float:
    return math.log2(probability / (1 - probability))


def _told(bits: float) -> str:
    share = 1 / (1 + 2**-bits)
    return percent(share, 0 if 0.01 <= share <= 0.99 else 1)
