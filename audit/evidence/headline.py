"""The one figure of an attribute, whatever its kind: balanced accuracy of classes, or R² of a number."""

from audit.evidence.findings import ContinuousLeakage, Estimate, Leakage, NullBand, Readability, Regression
from audit.evidence.numbers import Figure, count, decimal, excess, limit_points, percent, quantity, share, trimmed

Measured = Readability | Regression
Judged = Leakage | ContinuousLeakage


def headline(found: Measured) -> Estimate:
    """Return what the strongest attacker read on the test rows."""
    return found.r2 if isinstance(found, Regression) else found.balanced_accuracy


def unit(found: Measured) -> str:
    """Return what the headline measures."""
    return "R²" if isinstance(found, Regression) else "balanced accuracy"


def written(found: Measured, estimate: Estimate) -> Figure:
    """Return an estimate in the headline's unit: `43.1 %` of balanced accuracy, `0.431` of R²."""
    return decimal(estimate) if isinstance(found, Regression) else share(estimate)


def guess(found: Measured) -> float:
    """Return the headline of who knows nothing: chance, or 0 for answering the mean."""
    return 0.0 if isinstance(found, Regression) else found.chance


def written_guess(found: Measured) -> str:
    """Return the headline of who knows nothing, as it is printed."""
    return written_level(found, guess(found))


def written_baseline(found: Measured) -> str:
    """Return in a sentence what every figure of an attribute is read against, and on how many rows it was taken."""
    rows = f"{count(tested_rows(found))} test rows"
    if isinstance(found, Regression):
        median = quantity(found.mae.model_copy(update={"value": found.median_mae})).value
        return f"Answering the mean gives R² 0, and the median a mean error of {median}; {rows}."
    return f"A guess gives {written_guess(found)}, AUROC 0.5 and 0 of {found.entropy:.2f} bits; {rows}."


def written_level(found: Measured, level: float) -> str:
    """Return a level on the headline's scale that has no interval: `15 %`, `0.05`."""
    return trimmed(level, 3) if isinstance(found, Regression) else percent(level)


def written_excess(found: Judged) -> Figure:
    """Return the excess over the floor, with the digits it takes to tell it from the limit."""
    return excess(found.excess, found.limit, in_points=isinstance(found, Leakage))


def written_limit(found: Judged) -> str:
    """Return the limit as the user gave it: `5 points`, `0.05 of R²`."""
    return limit_points(found.limit) if isinstance(found, Leakage) else f"{trimmed(found.limit, 5)} of R²"


def written_resolution(found: Measured) -> str:
    """Return the smallest excess that these rows can tell."""
    if isinstance(found, Regression):
        return f"{found.resolution:.3f} of R²"
    return f"{100 * found.resolution:.1f} points"


def null_estimate(null: NullBand) -> Estimate:
    """Return the null band as a figure with an interval."""
    return Estimate(value=null.mean, low=null.low, high=null.high)


def tested_rows(found: Measured) -> int:
    """Return how many test rows the figures rest on."""
    return found.rows.test if isinstance(found, Regression) else sum(one.test for one in found.classes)
