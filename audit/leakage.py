"""The measurement protocol: how much of v can be read from z, by attackers that never saw the test rows.

1. Three splits, whole groups each: attackers are fitted on *train*, calibrated, thresholded and chosen
   on *select*, and the one that won there is reported on *test*.
2. Balanced accuracy and usable information (Xu et al., ICLR 2020) with 95 % bootstrap intervals over groups.
3. Beside them: chance, the floor (an attacker that sees the predicted task label alone), and a null band
   (the same attacker refitted on shuffled labels).
4. The verdict is on the excess over the floor, by its interval, against a limit that the user sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.naive_bayes import CategoricalNB

from audit.calibration import Reading, read_attacker
from audit.data import Column, Ints
from audit.errors import DataError
from audit.evidence import AttackerResult, Estimate, Leakage, NullBand, Verdict
from audit.probes import VIEWS, Matrix, attacker, view
from audit.splits import Splits, class_rows

CONFIDENCE = 0.95
LIMIT = 0.05


@dataclass(frozen=True)
class Settings:
    """What a user may change about the measurement."""

    attackers: tuple[str, ...]
    limit: float = LIMIT
    """Largest excess of balanced accuracy over the floor that passes."""
    seed: int = 0
    bootstrap: int = 1000
    """Resamples of the test groups."""
    null_refits: int = 20
    fit_rows: int = 5000
    """At most this many rows fit an attacker."""


def measure(
    z: Matrix,
    column: Column,
    predicted: Ints,
    splits: Splits,
    *,
    attribute: str,
    layer: str,
    settings: Settings,
) -> Leakage:
    """Attack one attribute at one layer.

    Args:
        z: Features, (n, d).
        column: v of each row.
        predicted: ŷ of each row, (n,): what the floor's attacker sees.
        splits: Which rows do what.
        attribute: Its name.
        layer: The layer's name.
        settings: Attackers, limit, seed.

    Raises:
        DataError: A class has too few rows, or no attacker could run.
    """
    classes = class_rows(attribute, column, splits)
    codes = np.unique(column.codes, return_inverse=True)[1].astype(np.int64)  # classes without a row are gone
    k = len(classes)
    parts = (_at_most(splits.train, settings.fit_rows, settings.seed), splits.select, splits.test)
    v = [codes[rows] for rows in parts]
    resamples = resample(splits.groups[splits.test], settings)
    views = {name: _seen(name, [z[rows] for rows in parts]) for name in VIEWS}

    results: list[AttackerResult] = []
    readings: dict[tuple[str, str], Reading] = {}
    for view_name, name in product(VIEWS, settings.attackers):
        try:
            reading = read_attacker(attacker(name, settings.seed), views[view_name], v, k)
        except (ValueError, np.linalg.LinAlgError, MemoryError) as error:
            fact = (str(error).splitlines() or [type(error).__name__])[0]
            results.append(_failed(name, view_name, fact))
            continue
        readings[name, view_name] = reading
        results.append(
            AttackerResult(
                name=name,
                view=view_name,
                select=reading.select,
                balanced_accuracy=resamples.estimate(reading.recalls(resamples.weights, k)),
                bits=resamples.estimate(reading.bits(resamples.weights, k)),
            )
        )
    if not readings:
        raise DataError(f"No attacker could run on {attribute!r} at {layer!r}: {results[0].failure}.")
    name, view_name = max(readings, key=lambda pair: readings[pair].select)
    best = readings[name, view_name]

    told = np.unique(predicted, return_inverse=True)[1]
    floor = _floor([told[rows] for rows in parts], v, k)
    against = resamples.estimate(floor.recalls(resamples.weights, k))
    excess = resamples.estimate(best.recalls(resamples.weights, k) - floor.recalls(resamples.weights, k))
    resolution = _resolution(max(against.value, 1 / k), [one.test for one in classes])
    verdict, reason = judge(excess, resolution, settings.limit, len(splits.test))
    missing = len(results) - len(readings)
    if missing and verdict == "PASS":
        verdict = "INCONCLUSIVE"
        reason = f"{missing} of {len(results)} attackers could not run; a pass needs all of them to have tried."
    return Leakage(
        attribute=attribute,
        layer=layer,
        width=z.shape[1],
        classes=classes,
        chance=1 / k,
        entropy=float(scipy.stats.entropy(np.bincount(v[2]), base=2)),
        attackers=results,
        strongest=f"{name} on {view_name}",
        balanced_accuracy=resamples.estimate(best.recalls(resamples.weights, k)),
        bits=resamples.estimate(best.bits(resamples.weights, k)),
        floor=against,
        floor_bits=resamples.estimate(floor.bits(resamples.weights, k)),
        null=_null(name, views[view_name], v, k, settings),
        excess=excess,
        resolution=resolution,
        limit=settings.limit,
        verdict=verdict,
        reason=reason,
    )


def judge(excess: Estimate, resolution: float, limit: float, n: int) -> tuple[Verdict, str]:
    """Decide by the interval of the excess, never by its middle, and say why.

    Args:
        excess: Balanced accuracy of the strongest attacker minus the floor.
        resolution: The smallest difference that these test rows can tell.
        limit: The largest excess that passes.
        n: Test rows.
    """
    points = f"{100 * limit:g} points"
    if excess.low > limit:
        return (
            "FAIL",
            f"The attacker beats the floor by at least {100 * excess.low:.1f} points; the limit is {points}.",
        )
    if excess.high <= limit and resolution <= limit:
        return (
            "PASS",
            f"The attacker beats the floor by at most {100 * max(excess.high, 0):.1f} points; the limit is {points}.",
        )
    width = max(resolution, (excess.high - excess.low) / 2)
    room = abs(limit - excess.value)
    needed = (
        f"about {int(np.ceil(n * (width / room) ** 2 / 100) * 100)} test rows"
        if room > 0.1 * width
        else "many more test rows"
    )
    if excess.high <= limit:
        needed = (
            f"about {int(np.ceil(n * (resolution / limit) ** 2 / 100) * 100)} test rows"
            if limit > 0
            else "a limit above 0"
        )
        return "INCONCLUSIVE", (
            f"These {n} test rows cannot tell a leak smaller than {100 * resolution:.1f} points, and the limit "
            f"is {points}; {needed} would settle it."
        )
    return "INCONCLUSIVE", (
        f"The excess over the floor lies between {100 * excess.low:.1f} and {100 * excess.high:.1f} points, "
        f"on both sides of the limit of {points}; {needed} would settle it."
    )


@dataclass(frozen=True)
class Resamples:
    """Bootstrap weights of the test rows, the first resample being the rows as they are."""

    weights: NDArray[np.float64]
    """How often each test row is drawn, (1 + resamples, n)."""

    def estimate(self, figures: NDArray[np.float64]) -> Estimate:
        """Return the figure of the real rows with its percentile interval over the others, (1 + resamples,)."""
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(figures[1:], [tail, 1 - tail])
        return Estimate(value=float(figures[0]), low=float(low), high=float(high))


def resample(groups: Ints, settings: Settings) -> Resamples:
    """Draw the groups of the test rows, (n,), with replacement, `settings.bootstrap` times."""
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    drawn = np.random.default_rng(settings.seed).multinomial(count, np.full(count, 1 / count), size=settings.bootstrap)
    weights = np.concatenate([np.ones((1, count), dtype=np.int64), drawn])
    return Resamples(weights[:, member].astype(np.float64))


def _seen(name: str, parts: Sequence[Matrix]) -> list[Matrix]:
    """Show all splits as a view that is fitted on the first."""
    fitted = view(name, parts[0])
    return [fitted.transform(z) for z in parts]


def _failed(name: str, view_name: str, fact: str) -> AttackerResult:
    return AttackerResult(name=name, view=view_name, select=None, balanced_accuracy=None, bits=None, failure=fact)


def _floor(told: Sequence[Ints], v: Sequence[Ints], k: int) -> Reading:
    """Read v from ŷ alone: with one discrete input, the table of frequencies is the best attacker there is."""
    table = CategoricalNB(min_categories=max(int(part.max()) for part in told) + 1)
    return read_attacker(table, [part.reshape(-1, 1) for part in told], v, k)


def _null(name: str, inputs: Sequence[Matrix], v: Sequence[Ints], k: int, settings: Settings) -> NullBand:
    """Refit the strongest attacker on labels that are shuffled everywhere: what reading nothing looks like."""
    generator = np.random.default_rng(settings.seed)
    figures = []
    for _ in range(settings.null_refits):
        labels = [generator.permutation(part) for part in v]
        reading = read_attacker(attacker(name, settings.seed), inputs, labels, k)
        figures.append(reading.recalls(np.ones((1, len(labels[2]))), k)[0])
    mean, deviation = float(np.mean(figures)), float(np.std(figures, ddof=1))
    reach = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(figures) - 1) * deviation * np.sqrt(1 + 1 / len(figures))
    return NullBand(mean=mean, low=max(0.0, mean - reach), high=min(1.0, mean + reach), refits=len(figures))


def _resolution(share: float, rows: Sequence[int]) -> float:
    """Return the half-width of a 95 % interval of balanced accuracy at a given recall of every class."""
    variance = sum(share * (1 - share) / n for n in rows) / len(rows) ** 2
    return float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(variance))


def _at_most(rows: Ints, most: int, seed: int) -> Ints:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
