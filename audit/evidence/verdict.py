"""Pass, leak or open: by the interval of the excess over the floor, never by its middle.

A pass is earned: the interval lies below the limit, the learning curve has settled, and of a leak of twice the limit,
planted in the same features, the same attackers read clearly more than was read of the attribute.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from audit.evidence.findings import (
    ENSEMBLE,
    PLANTED_MOST,
    PLANTED_ROOM,
    Certificate,
    Decision,
    Estimate,
    Finding,
    LearningCurve,
    Measurement,
    Spike,
    Verdict,
)
from audit.evidence.metric import Metric, MetricName

CONFIDENCE = 0.95
FEWEST_RESAMPLES = 40
"""So that one lies beyond each end of a 95 % interval."""
LIMIT = 0.05
"""The largest excess that passes where nobody says another."""
TOO_FINE = 1000
"""How many times finer than the test rows can tell a limit may be before no number of rows is worth naming."""
LEAST_LIMIT = 0.01
"""Of R²: a smaller limit is resolved as if it were this large, since the error of an R² of 0 vanishes."""

NOTHING_TO_READ = (
    "The layer gives the same vector for every row, so nothing can be read from it, and no task be done with it: the "
    "model or its input may be broken. A layer that tells rows apart would settle it."
)
MEAN_HIDES = (
    "Attackers saw the mean over the layer's positions, and the model takes or gives out more of them, or may, so what "
    "the mean hides was not audited. --pool flatten, or a layer behind the model's own pooling, would settle it; where "
    "the mean is what leaves, --pool channels-first or channels-last says so."
)
ROWS_SEEN = (
    "By their labels, the rows are those that the removal trained on, of which attackers read less than of others, and "
    "no bound holds. An audit of rows that it has not seen would settle it."
)
PROJECTED = (
    "The layer is so wide that its {:,} numbers were projected at random to {:,}, where a leak in a few of them may "
    "drown; a narrower layer, or one behind it, would settle it."
)

SLACK = 1.01
"""Times twice the limit that a planted leak may be, since it is solved for."""
LEAST_TOLD = 0.1
"""Points: a smaller rest is told as none."""
FLAT = 0.2
"""Of the limit: a last doubling of the rows that gains less has settled."""
RECOVERED = 1 / 3
"""The share of a planted leak that attackers who may certify must read."""
COMPLETE = 0.9
"""The share of a planted leak below which a figure is called a lower bound."""
POSSIBLE = 100
"""How many times the rows held may be asked for; beyond it, only a narrower layer helps."""


DoubtKind = Literal[
    "constant", "floor", "limit", "rows", "seen", "mean", "room", "failed", "weak", "rows or layer", "asked", "layer"
]


@dataclass(frozen=True)
class Doubt:
    """Why there is neither a PASS nor a FAIL."""

    kind: DoubtKind
    """What it lies in: a layer that gives one vector, a floor that leaves less than the limit, a limit too fine for any
    rows, rows, rows that a removal trained on, a mean that hides, features without room, attackers that failed or are
    weak, rows or the layer's width, a limit that was not asked for in the audit, or the width alone."""
    reason: str
    """In a sentence, with what would settle it."""


def judge(measurement: Measurement, limit: float, certificate: Certificate | None = None) -> Decision:
    """Decide on a private attribute: PASS and FAIL by the interval of the excess, PASS by able attackers alone.

    `certificate` is the bound on every attacker, if there is one: where it lies within the limit even of the floor's
    lower end, neither the learning curve nor planted leaks are asked how able the attackers were.
    """
    verdict, reason = _by_figures(measurement, limit)
    found = doubt(measurement, limit, certificate)
    return Decision(limit=limit, verdict="INCONCLUSIVE" if found else verdict, reason=found.reason if found else reason)


def doubt(measurement: Measurement, limit: float, certificate: Certificate | None = None) -> Doubt | None:
    """Return the first doubt that leaves a private attribute open, as `judge` asks; None where there is a verdict."""
    verdict, reason = _by_figures(measurement, limit)
    if measurement.constant:
        return Doubt("constant", NOTHING_TO_READ)
    if told := _unbeatable(measurement, limit):
        return Doubt("floor", told)
    if verdict == "INCONCLUSIVE":
        is_too_fine = measurement.excess.high <= limit and measurement.resolution >= TOO_FINE * limit
        return Doubt("limit" if is_too_fine else "rows", reason)
    return _of_pass(measurement, limit, certificate) if verdict == "PASS" else None


def _by_figures(measurement: Measurement, limit: float) -> tuple[Verdict, str]:
    return by_interval(
        measurement.excess, measurement.resolution, limit, measurement.rows, measurement.kind, measurement.held
    )


def _of_pass(measurement: Measurement, limit: float, certificate: Certificate | None) -> Doubt | None:
    """Return why an interval below the limit is no PASS: the attackers may not have been able, or not seen all."""
    asked: tuple[tuple[DoubtKind, str], ...] = (
        ("seen", ROWS_SEEN if measurement.rows_seen else ""),
        ("mean", MEAN_HIDES if measurement.mean_hides else ""),
        ("room", _roomless(measurement, limit, certificate)),
        ("failed", _failed(measurement)),
        ("weak", _weak(measurement)),
    )
    if found := next((Doubt(kind, told) for kind, told in asked if told), None):
        return found
    if certificate is not None and _holds_anyhow(certificate, measurement, limit):
        return None
    if told := _unsettled(measurement, limit):
        return Doubt("rows or layer", told)
    if not_seen := unseen(measurement, limit):
        return not_seen
    return Doubt("layer", drowned) if (drowned := _drowned(measurement)) else None


def _holds_anyhow(certificate: Certificate, measurement: Measurement, limit: float) -> bool:
    """Return whether a bound lies within the limit even of the floor's lower end: the floor may be measured high."""
    return certificate.balanced_accuracy <= measurement.floor_score.low + limit


def is_partial(spike: Spike) -> bool:
    """Return whether so little of a planted leak was read that the attribute's own figure is a lower bound."""
    return spike.share < COMPLETE


Held = Literal["every attacker", "the attackers tried", "not held"]


def held_for(finding: Finding) -> Held | None:
    """Return for whom the limit holds; None where these rows cannot tell, and of a retained attribute."""
    if finding.decision is None or finding.decision.verdict == "INCONCLUSIVE":
        return None
    if finding.decision.verdict == "FAIL":
        return "not held"
    return "every attacker" if is_bounded(finding) else "the attackers tried"


def is_bounded(finding: Finding) -> bool:
    """Return whether there is a bound on every attacker, and it lies within the floor, as measured, and the limit."""
    most = most_allowed(finding)
    return finding.certificate is not None and finding.certificate.balanced_accuracy <= most


def is_by_measured_floor(finding: Finding) -> bool:
    """Return whether a bound within floor and limit is so by the measured floor alone, not by its lower end."""
    most = finding.certificate
    anyhow = most is not None and _holds_anyhow(most, finding.measurement, finding.decided.limit)
    return is_bounded(finding) and not anyhow


def most_allowed(finding: Finding) -> float:
    """Return the metric of an attacker who reads just as much as the limit allows."""
    return finding.measurement.floor_score.value + finding.decided.limit


def resolution(metric: MetricName, floor: float, guess: float, rows: Sequence[int], limit: float) -> float:
    """Return the half-width of a 95 % interval at the floor, by the test rows of each class, or of a quantity.

    Of balanced accuracy, every class has the same recall; of R², values are jointly normal and it is about the limit.
    """
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    if metric == "r2":
        share = max(limit, LEAST_LIMIT)
        return reach * math.sqrt(4 * share * (1 - share) ** 2 / sum(rows))
    share = min(max(floor, guess, 0.0), 1.0)
    return reach * math.sqrt(sum(share * (1 - share) / n for n in rows)) / len(rows)


def by_interval(
    excess: Estimate, resolution: float, limit: float, n: int, metric: Metric, held: int | None = None
) -> tuple[Verdict, str]:
    """Decide by the interval of the excess, taken with n labelled rows in all, and say why; `held` are those there."""
    unit = metric.unit
    points = f"{100 * limit:g} {unit}"
    if excess.low > limit:
        least = f"{100 * excess.low:.1f} {unit}"
        return "FAIL", f"The attacker beats the floor by at least {least}; the limit is {points}."
    if excess.high <= limit and resolution <= limit:
        most = f"{100 * max(excess.high, 0):.1f} {unit}"
        return "PASS", f"The attacker beats the floor by at most {most}; the limit is {points}."
    beyond = excess.value - excess.low if excess.value > limit else excess.high - excess.value  # the end in the way
    width = max(resolution, (excess.high - excess.low) / 2, beyond)
    room = abs(limit - excess.value)
    needed = _in_all(n * (width / room) ** 2, n, held) if room > 0.1 * width else "many more labelled rows"
    if excess.high <= limit:
        needed = _in_all(n * (resolution / limit) ** 2, n, held) if resolution < TOO_FINE * limit else "a larger limit"
        return "INCONCLUSIVE", (
            f"These rows cannot tell a leak smaller than {100 * resolution:.1f} {unit}, and the limit "
            f"is {points}; {needed} would settle it."
        )
    return "INCONCLUSIVE", (
        f"The excess over the floor lies between {100 * excess.low:.1f} and {100 * excess.high:.1f} {unit}, "
        f"on both sides of the limit of {points}; {needed} would settle it."
    )


def growing(measurement: Measurement, limit: float) -> LearningCurve | None:
    """Return the curve that still grows most by its last doubling of the rows; None where all have settled."""
    rising = [one for one in measurement.curves if one.gain.low > 0 and one.gain.value > FLAT * limit]
    return max(rising, key=lambda one: one.gain.value, default=None)


def _unsettled(measurement: Measurement, limit: float) -> str:
    """Return why a PASS cannot rest on a figure that still grows with the rows, or nothing."""
    most = growing(measurement, limit)
    if most is None:
        return ""
    doublings = math.ceil(math.log2(most.gain.value / (FLAT * limit)))
    return (
        f"The last doubling of the rows that fit still gained {100 * most.gain.value:.1f} {measurement.kind.unit} "
        f"({most.attacker}), so the figure is a lower bound; {_more(measurement, 2.0**doublings)} would settle it."
    )


def decisive(measurement: Measurement, limit: float) -> dict[str, Spike]:
    """Return by kind the planted leak that a PASS rests on: the largest of at most twice the limit."""
    fitting = [one for one in measurement.spikes if one.planted <= SLACK * 2 * limit]
    return {one.kind: one for one in sorted(fitting, key=lambda one: one.planted)}


def unseen(measurement: Measurement, limit: float) -> Doubt | None:
    """Return why a PASS cannot rest on attackers who would not have seen a leak of twice the limit, or None."""
    unit, found = measurement.kind.unit, decisive(measurement, limit)
    for kind in dict.fromkeys(one.kind for one in measurement.spikes):
        spike = found.get(kind)
        if spike is None:
            least = min(one.planted for one in measurement.spikes)
            return Doubt(
                "asked",
                f"The audit asked for leaks of {100 * least:.1f} {unit} and more, and the limit is {100 * limit:g}; "
                "an audit with this limit would settle it.",
            )
        if spike.share >= RECOVERED and measurement.excess.high <= spike.read:
            continue
        if spike.planted < limit:
            return Doubt(
                "asked",
                f"The audit asked for {kind} leaks of {100 * spike.planted:.1f} {unit} at most, and the limit is "
                f"{100 * limit:g}; an audit with this limit would settle it.",
            )
        return Doubt(
            "rows or layer",
            f"Of a planted {kind} leak of {100 * spike.planted:.1f} {unit} these attackers read "
            f"{100 * spike.read:.1f}, and of the attribute up to {100 * max(measurement.excess.high, 0):.1f}, "
            "so a leak beyond the limit could stay unseen; "
            f"{_more(measurement, _factor(spike, measurement.excess))} would settle it.",
        )
    return None


def _factor(spike: Spike, excess: Estimate) -> float:
    """Return how many times the rows it takes until a planted leak is recovered and stands out.

    What attackers recover follows from signal and noise: share² = 1 / (1 + c / rows); intervals narrow with √rows.
    """
    share, half = min(max(spike.share, 0.01), 0.999), (excess.high - excess.low) / 2
    noise = 1 / share**2 - 1
    for doubled in range(1, 4 * math.ceil(math.log2(POSSIBLE))):
        times = 2 ** (doubled / 4)
        recovered = 1 / math.sqrt(1 + noise / times)
        if recovered >= RECOVERED and max(excess.value, 0) + half / math.sqrt(times) <= recovered * spike.planted:
            return times
    return math.inf


def _more(measurement: Measurement, times: float) -> str:
    if times > POSSIBLE:
        return "many times as many labelled rows, or a narrower layer,"
    return f"{_in_all(measurement.rows * times, measurement.rows, measurement.held)}, or a narrower layer,"


def _in_all(rows: float, used: int, held: int | None) -> str:
    """Return how many rows it takes, more than were used; those held, and not drawn, are not asked for again."""
    told = math.ceil(max(rows, used + 1) / 100) * 100
    if held is not None and told <= held:
        return f"about {told:,} of the {held:,} labelled rows held (--fit-rows and --test-rows drew fewer)"
    return f"about {told:,} labelled rows in all"


def _unbeatable(measurement: Measurement, limit: float) -> str:
    """Return why a PASS says nothing where the floor leaves an attacker less than the limit to read, or nothing."""
    floor, unit = measurement.floor_score.value, measurement.kind.unit
    left = 1 - floor
    if left > limit:
        return ""
    told = "what is told anyway, the floor, leaves" if floor < 1 else "the task alone tells the attribute, and leaves"
    less = f"; a limit below {100 * left:.1f} {unit} would settle it" if 100 * left >= LEAST_TOLD else ""
    return (
        f"No attacker could beat the floor by more than the limit of {100 * limit:g} {unit}: {told} "
        f"{100 * left:.1f}{less}."
    )


def _drowned(measurement: Measurement) -> str:
    """Return why a PASS cannot rest on a random projection of a wide layer, or nothing."""
    wide = measurement.projected_from
    return PROJECTED.format(wide, measurement.width) if wide else ""


def _roomless(measurement: Measurement, limit: float, certificate: Certificate | None) -> str:
    """Return why a PASS cannot rest on features in which no leak could be planted, where no bound says more of them."""
    has_told = measurement.room is not False or certificate is not None or not measurement.kind.percent
    if (
        has_told or measurement.floor_score.high + PLANTED_ROOM * limit >= PLANTED_MOST
    ):  # beyond so high a floor nothing is planted
        return ""
    return (
        "These features tell too few rows apart for a leak to be planted in them, and give too many vectors for an "
        "upper bound, so a leak could stay unseen; another layer would settle it."
    )


def _failed(measurement: Measurement) -> str:
    """Return why a PASS cannot rest on these attackers where one of them could not run, or nothing."""
    tried = [one for one in measurement.attackers if one.name != ENSEMBLE]
    if missing := sum(one.failure is not None for one in tried):
        return f"{missing} of {len(tried)} attackers could not run; a pass needs all of them to have tried."
    return ""


def _weak(measurement: Measurement) -> str:
    """Return why a PASS cannot rest on attackers that are weaker than the baseline, or nothing."""
    excess, floor = measurement.excess, measurement.floor_score
    if excess.high < 0 and floor.low < floor.high:
        # the prediction is made from these features, so an attacker as able as can be learns no less from them
        return (
            f"The attackers read at least {-100 * excess.high:.1f} points less than the predicted task label "
            "alone tells, so they are too weak here; other attackers would settle it."
        )
    return ""
