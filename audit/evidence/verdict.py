"""Pass, leak or open: by the interval of the excess over the floor, never by its middle."""

import math
from collections.abc import Sequence
from statistics import NormalDist

from audit.evidence.findings import ENSEMBLE, Decision, Estimate, Measurement, Verdict
from audit.evidence.metric import MetricName

CONFIDENCE = 0.95
TOO_FINE = 1000
"""How many times finer than the test rows can tell a limit may be before no number of rows is worth naming."""
LEAST_LIMIT = 0.01
"""Of R²: a smaller limit is resolved as if it were this large, since the error of an R² of 0 vanishes."""

NOTHING_TO_READ = (
    "The layer gives the same vector for every row, so nothing can be read from it, and no task be done with it: the "
    "model or its input may be broken. A layer that tells rows apart would settle it."
)


def judge(measurement: Measurement, limit: float) -> Decision:
    """Decide on a private attribute: PASS and FAIL by the interval of the excess, PASS by able attackers alone."""
    verdict, reason = by_interval(
        measurement.excess, measurement.resolution, limit, measurement.test_rows, measurement.kind.unit
    )
    doubt = NOTHING_TO_READ if measurement.constant else _doubt(measurement) if verdict == "PASS" else ""
    return Decision(limit=limit, verdict="INCONCLUSIVE" if doubt else verdict, reason=doubt or reason)


def resolution(metric: MetricName, floor: float, guess: float, rows: Sequence[int], limit: float) -> float:
    """Return the half-width of a 95 % interval at the floor, by the test rows of each class, or of a quantity.

    Of balanced accuracy, every class has the same recall; of R², values are jointly normal and it is about the limit.
    """
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    if metric == "r2":
        share = max(limit, LEAST_LIMIT)
        return reach * math.sqrt(4 * share * (1 - share) ** 2 / sum(rows))
    share = max(floor, guess)
    return reach * math.sqrt(sum(share * (1 - share) / n for n in rows)) / len(rows)


def by_interval(excess: Estimate, resolution: float, limit: float, n: int, unit: str = "points") -> tuple[Verdict, str]:
    """Decide by the interval of the excess on n test rows, and say why; `unit` is what a hundredth of it is called."""
    points = f"{100 * limit:g} {unit}"
    if excess.low > limit:
        least = f"{100 * excess.low:.1f} {unit}"
        return "FAIL", f"The attacker beats the floor by at least {least}; the limit is {points}."
    if excess.high <= limit and resolution <= limit:
        most = f"{100 * max(excess.high, 0):.1f} {unit}"
        return "PASS", f"The attacker beats the floor by at most {most}; the limit is {points}."
    width = max(resolution, (excess.high - excess.low) / 2)
    room = abs(limit - excess.value)
    needed = f"about {_rounded(n * (width / room) ** 2)} test rows" if room > 0.1 * width else "many more test rows"
    if excess.high <= limit:
        enough = resolution < TOO_FINE * limit
        needed = f"about {_rounded(n * (resolution / limit) ** 2)} test rows" if enough else "a larger limit"
        return "INCONCLUSIVE", (
            f"These {n} test rows cannot tell a leak smaller than {100 * resolution:.1f} {unit}, and the limit "
            f"is {points}; {needed} would settle it."
        )
    return "INCONCLUSIVE", (
        f"The excess over the floor lies between {100 * excess.low:.1f} and {100 * excess.high:.1f} {unit}, "
        f"on both sides of the limit of {points}; {needed} would settle it."
    )


def _doubt(measurement: Measurement) -> str:
    """Return why a PASS cannot rest on these attackers: one could not run, or they are weaker than the baseline."""
    tried = [one for one in measurement.attackers if one.name != ENSEMBLE]
    if missing := sum(one.failure is not None for one in tried):
        return f"{missing} of {len(tried)} attackers could not run; a pass needs all of them to have tried."
    excess, floor = measurement.excess, measurement.floor_score
    if excess.high < 0 and floor.low < floor.high:
        # the prediction is made from these features, so an attacker as able as can be learns no less from them
        return (
            f"The attackers read at least {-100 * excess.high:.1f} points less than the predicted task label "
            "alone tells, so they are too weak here; other attackers would settle it."
        )
    return ""


def _rounded(rows: float) -> int:
    return math.ceil(rows / 100) * 100
