"""Where the classes lie: the strongest attacker's scores, and a map of the features, as densities of test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from audit.evidence.densities import FEWEST, MapDensity
from audit.evidence.numbers import shorten
from reports.charts.attribute import Drawing
from reports.charts.densities.map import Panel, densities_of, panel
from reports.charts.densities.scores import chosen, score_drawing
from reports.inputs.by_attribute import LARGE, by_attribute, severity, worst
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.render.section import Section

PICTURED = 2
"""How many attributes are drawn: the worst; of a large page one."""
WORDS = (
    f"No row is drawn: each step and each cell is of {FEWEST} people of a class or more, and a class of fewer is left "
    "out."
)
SCORES = (
    "Scores: the probability that the strongest attacker gives, as if all classes were as frequent, on a scale that is "
    "even in log-odds. Each density is as high as its lane; rows beyond its outer steps are counted in them."
)
MAP = (
    "Map of the features, to the right: a linear reading of the attribute (Fisher's discriminant of the whitened "
    "features). Up: the direction of the standardised features that varies most of those uncorrelated with it. Both "
    "come from rows that fit, and test rows are drawn: the darker, the more of the class's. Where few lie a cell is "
    "larger; blank is withheld or empty."
)
ANEW = "After sanitizing both directions are taken anew by the same rule: places before and after are not the same."


@dataclass(frozen=True)
class Maps:
    """The maps of one audit."""

    when: str
    """Empty for one audit alone."""
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Lying:
    """How the classes of one attribute lie at the layer that decides."""

    attribute: str
    layer: str
    scores: Drawing | None
    """None where every class has too few people."""
    maps: tuple[Maps, ...]


@dataclass(frozen=True)
class Densities:
    """The worst attributes."""

    words: tuple[str, ...]
    each: tuple[Lying, ...]


def view(comparison: Comparison) -> Densities | None:
    """Prepare the densities of the worst attributes; None where none are told, as in older evidence."""
    pairs = sorted(map(worst, by_attribute(comparison.pairs)), key=severity)
    told = (pair for pair in pairs if any(one.found.densities for one in pair.readings))
    most = 1 if len(comparison.pairs) > LARGE else PICTURED
    each = tuple(_lying(pair, f"scores-{place}") for place, pair in enumerate(islice(told, most)))
    has_scores, maps = any(one.scores for one in each), max((len(one.maps) for one in each), default=0)
    words = (WORDS, *([SCORES] if has_scores else []), *([f"{MAP} {ANEW}" if maps > 1 else MAP] if maps else []))
    return Densities(words, each) if each else None


SECTION = Section("densities", "Densities", view, heading="Where classes lie", template="densities.html.j2")


def _lying(pair: Pair, salt: str) -> Lying:
    shown, found = chosen(pair), pair.last.found
    each = [_maps(one, shown, "" if pair.first is None else one.when) for one in pair.readings]
    maps = tuple(one for one in each if one.panels)
    return Lying(shorten(found.attribute), shorten(found.layer), score_drawing(pair, salt), maps)


def _maps(reading: Reading, shown: Sequence[str], when: str) -> Maps:
    told = [one for one in (reading.found.densities.map if reading.found.densities else ()) if one.name in shown]
    return Maps(when, tuple(panel(one, _most(told), when) for one in told))


def _most(told: Sequence[MapDensity]) -> float:
    return max((share for one in told for share in densities_of(one).values()), default=0.0)
