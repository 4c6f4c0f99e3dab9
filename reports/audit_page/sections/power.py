"""Whether these attackers would have found a leak: how they gain by more rows, and what they read of planted leaks."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.findings import Finding, Measurement, Spike
from audit.evidence.numbers import Figure, change, count, fixed, named, shorten
from audit.evidence.verdict import RECOVERED, growing, is_partial, unseen
from reports.charts.attribute import Drawing
from reports.charts.learning_curve import curve_drawing
from reports.inputs.by_attribute import LARGE, by_attribute, severity, worst
from reports.inputs.comparison import Comparison, Pair
from reports.render.section import Section
from reports.render.table import Body, Row, Table, over
from reports.text.sentences import attribute_at

NO_ROOM = (
    "No leak of half the size asked for could be planted: these features tell the predicted task label, or nothing, "
    "and have no room for one."
)
MOST, FEW = 8, 2
"""How many attributes are shown on a page, and on a large one."""


@dataclass(frozen=True)
class PowerView:
    """One attribute, at the layer that decides."""

    attribute: str
    layer: str
    others: str
    """That the evidence holds the same for other layers, or empty."""
    drawing: Drawing | None
    grows: str
    """What the last doubling of the rows gained, or empty without curves."""
    planted: Table | None
    recovered: str
    """What the planted leaks mean, or empty without any."""


@dataclass(frozen=True)
class Power:
    """All views, and how many attributes have none."""

    views: tuple[PowerView, ...]
    not_shown: str


def view(comparison: Comparison) -> Power | None:
    """Prepare curves and planted leaks of the audit that the verdict is on; None for older evidence, without them."""
    looked = [some for some in by_attribute(comparison.pairs) if _has(worst(some))]
    if not looked:
        return None
    most = FEW if len(comparison.pairs) > LARGE else MOST
    shown = sorted(looked, key=lambda some: severity(worst(some)))[:most]
    rest = len(looked) - len(shown)
    others = f"{count(rest)} other attribute{'' if rest == 1 else 's'}"
    views = tuple(
        _view(some, f"power-{place}") for place, some in enumerate(looked) if any(some is one for one in shown)
    )
    return Power(views, f"The worst attributes are shown; the evidence holds the same for {others}." if rest else "")


SECTION = Section("power", "Would a leak have been found", view, heading="Would a leak have been found?")


def _has(pair: Pair) -> bool:
    return bool(pair.last.measurement.curves or pair.last.measurement.spikes)


def _view(pairs: Sequence[Pair], salt: str) -> PowerView:
    pair, rest = worst(pairs), len(pairs) - 1
    found = pair.last.found
    layers = f"{count(rest)} other layer{'' if rest == 1 else 's'}"
    return PowerView(
        attribute=shorten(found.attribute),
        layer=shorten(found.layer),
        others=f"The worst layer is shown; the evidence holds the same for {layers}." if rest else "",
        drawing=curve_drawing(found, salt) if found.measurement.curves else None,
        grows=_grows(found.measurement, found.decided.limit),
        planted=planted(pair) if found.measurement.spikes else None,
        recovered=_recovered(found),
    )


def _grows(measurement: Measurement, limit: float) -> str:
    if not measurement.curves:
        return ""
    curve = growing(measurement, limit) or max(measurement.curves, key=lambda one: one.gain.value)
    gain = change(curve.gain, in_points=measurement.kind.percent)
    unit = "" if measurement.kind.percent else f" of {measurement.kind.title}"
    told = f"The last doubling of the rows gained {gain}{unit} ({named(curve.attacker)})"
    if growing(measurement, limit):
        return f"{told}: the curve still rises, so that what was read is a lower bound, and more rows would read more."
    return f"{told}: the curve has settled, as far as the limit goes."


def planted(pair: Pair) -> Table:
    """Return every planted leak, and what the attackers read of it."""
    measurement = pair.last.measurement
    unit = "points" if measurement.kind.percent else measurement.kind.title
    rows = tuple(
        Row(f"{one.kind}, {count(one.draws)} drawn", (_by(one), *_figures(one, measurement)))
        for one in sorted(measurement.spikes, key=lambda one: (one.kind, one.planted))
    )
    return Table(
        f"Leaks planted in the features of {attribute_at(pair.last.found)}, beyond the floor",
        ("Leak", "Read by", f"Planted, {unit}", f"Read, {unit}", "Share read, %"),
        kind=f"planted-{measurement.metric}",
        bodies=(Body("", rows),),
        lead=1,
    )


def _by(spike: Spike) -> str:
    return ", ".join(map(shorten, spike.attackers[:MOST]))


def _figures(spike: Spike, measurement: Measurement) -> tuple[str, ...]:
    scale, digits = (100, 1) if measurement.kind.percent else (1, 3)
    planted, read = fixed(scale * spike.planted, digits), fixed(scale * spike.read, digits)
    return tuple(over(Figure(told, "")) for told in (planted, read, fixed(100 * spike.share, 0)))


def _recovered(found: Finding) -> str:
    """Return in a sentence what was read of the largest leak of each kind, and what that means at this limit."""
    measurement, decision = found.measurement, found.decided
    largest = list({one.kind: one for one in sorted(measurement.spikes, key=lambda one: one.planted)}.values())
    if not largest:
        return NO_ROOM if measurement.curves and decision.limit else ""
    told = " and ".join(f"{100 * one.share:.0f} % where it was {one.kind}" for one in sorted(largest, key=_kind))
    most = max(100 * one.planted for one in largest)
    means = "would have shown"
    if min(one.share for one in largest) < RECOVERED:
        means = "could have stayed unseen"
    elif decision.verdict != "FAIL" and unseen(measurement, decision.limit):
        means = "could hide in the interval of what was read"
    lower = " More rows may read more than was read here." if any(map(is_partial, largest)) else ""
    return (
        f"Of a leak of {most:.1f} {measurement.kind.unit} these attackers read {told}: such a leak in the attribute "
        f"itself {means}.{lower}"
    )


def _kind(spike: Spike) -> str:
    return spike.kind
