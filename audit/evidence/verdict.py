"""Pass, leak or open: by the interval of the excess over the floor, never by its middle."""

import math

from audit.evidence.findings import (
    COMMITTEE,
    Certificate,
    ContinuousLeakage,
    Estimate,
    Leakage,
    Readability,
    Regression,
    Verdict,
    Where,
)

TOO_FINE = 1000
"""How many times finer than the test rows can tell a limit may be before no number of rows is worth naming."""


def judge(excess: Estimate, resolution: float, limit: float, n: int, unit: str = "points") -> tuple[Verdict, str]:
    """Decide by the interval of the excess, and say why.

    Args:
        excess: What the strongest attacker reads beyond the floor: of balanced accuracy, or of R².
        resolution: The smallest difference that these test rows can tell.
        limit: The largest excess that passes.
        n: Test rows.
        unit: What a hundredth of the excess is called.
    """
    points = f"{100 * limit:g} {unit}"
    if excess.low > limit:
        return (
            "FAIL",
            f"The attacker beats the floor by at least {100 * excess.low:.1f} {unit}; the limit is {points}.",
        )
    if excess.high <= limit and resolution <= limit:
        return (
            "PASS",
            f"The attacker beats the floor by at most {100 * max(excess.high, 0):.1f} {unit}; the limit is {points}.",
        )
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


def judged(
    figures: Readability, limit: float, where: Where | None = None, certificate: Certificate | None = None
) -> Leakage:
    """Put the verdict on a private attribute's figures."""
    verdict, reason = judge(figures.excess, figures.resolution, limit, sum(one.test for one in figures.classes))
    verdict, reason = _trusted(figures, verdict, reason)
    return Leakage(**dict(figures), limit=limit, verdict=verdict, reason=reason, where=where, certificate=certificate)


def judged_continuous(figures: Regression, limit: float) -> ContinuousLeakage:
    """Put the verdict on a continuous private attribute's figures."""
    verdict, reason = judge(figures.excess, figures.resolution, limit, figures.rows.test, "points of R²")
    verdict, reason = _trusted(figures, verdict, reason)
    return ContinuousLeakage(**dict(figures), limit=limit, verdict=verdict, reason=reason)


def _trusted(figures: Readability | Regression, verdict: Verdict, reason: str) -> tuple[Verdict, str]:
    """Take a PASS back that attackers who did not run, or who are plainly too weak, cannot give."""
    tried = [one for one in figures.attackers if one.name != COMMITTEE]
    missing = sum(one.failure is not None for one in tried)
    if verdict != "PASS":
        return verdict, reason
    if missing:
        return "INCONCLUSIVE", (
            f"{missing} of {len(tried)} attackers could not run; a pass needs all of them to have tried."
        )
    if figures.excess.high < 0 and figures.floor.low < figures.floor.high:
        # the prediction is made from these features, so who reads them as well as can be reads no less
        return "INCONCLUSIVE", (
            f"The attackers read at least {-100 * figures.excess.high:.1f} points less than the predicted task label "
            "alone tells, so they are too weak here; other attackers would settle it."
        )
    return verdict, reason


def _rounded(rows: float) -> int:
    return math.ceil(rows / 100) * 100
