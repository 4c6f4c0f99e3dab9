"""The measurement protocol: how much of v can be read from z, by attackers that never saw the test rows.

1. Three splits, whole groups each: attackers are fitted on *train*, calibrated, thresholded and chosen
   on *select*; the one that won there is fitted once more on both, and reported on *test*.
2. Balanced accuracy, AUROC and usable information (Xu et al., ICLR 2020) with 95 % bootstrap intervals over
   groups.
3. Beside them: chance, the floor (an attacker that sees the predicted task label alone), the ceiling (the raw
   input), a null band (refitted on shuffled labels), and what z adds to the true task label (Hewitt et al.,
   EMNLP 2021).
4. The verdict is on the excess over the floor, by its interval, against a limit that the user sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.stats
from scipy.stats.contingency import crosstab
from sklearn.naive_bayes import CategoricalNB

from audit.attackers.calibration import Reading
from audit.attackers.classification import Attack, Failure, Member, Parts, attack, from_scratch
from audit.attackers.families import Matrix
from audit.bootstrap import CONFIDENCE, Resamples, draws, estimate, estimate_share, resample
from audit.data.columns import MISSING, Column, Ints
from audit.data.on_disk import in_memory
from audit.errors import DataError
from audit.evidence.findings import COMMITTEE, AttackerResult, Ceiling, ClassRows, Estimate, NullBand, Readability
from audit.parallel import side_by_side
from audit.protocol.splits import Rows, Splits, at_most, chosen, class_rows, without_rare
from audit.settings import Settings

CEILING = ("logistic", "rbf-svm")
"""Who attacks the raw input, in one setting each: enough to show that they are able to."""
CEILING_ROWS = 2000
INDEPENDENT = 0.05
"""ŷ tells something of v only if the chance of such a table without it is smaller (χ² test)."""


@dataclass(frozen=True)
class Beside:
    """What the figures are read against."""

    predicted: Ints | None = None
    """ŷ of each row, (n,): what the floor's attacker sees. None: the floor is chance."""
    y: Ints | None = None
    """The true task label, (n,), MISSING where it is not known."""
    raw: Matrix | None = None
    """The input of each row, reduced to (n, m), for the ceiling."""
    source: str = ""
    """What `raw` is, in words."""


@dataclass(frozen=True)
class Measured:
    """The figures of one attribute at one layer, and the attack that they come from."""

    figures: Readability
    attack: Attack
    rows: Ints
    """The test rows, (t,)."""
    v: Ints
    """Their classes, (t,), in 0 … k − 1."""


def measure(
    z: Matrix,
    column: Column,
    splits: Splits,
    *,
    attribute: str,
    layer: str,
    settings: Settings,
    beside: Beside | None = None,
    ceiling: Ceiling | None = None,
) -> Measured:
    """Attack one attribute at one layer.

    Args:
        z: Features, (n, d).
        column: v of each row.
        splits: Which rows do what.
        attribute: Its name; classes of an intersection, `a+b`, that are too rare are left out and counted.
        layer: The layer's name.
        settings: Attackers, seed, sizes.
        beside: Predictions and labels of the task.
        ceiling: What was read from the raw input, see `read_ceiling`.

    Raises:
        DataError: A class has too few rows, or no attacker could run.
    """
    beside = beside or Beside()
    column, rows, left_out, classes = used(attribute, column, splits, settings)
    codes, k = _numbered(column), len(classes)
    parts = Parts(_each(z, rows), _each(codes, rows))
    resamples = resample(splits.groups[rows[2]], times=settings.bootstrap, seed=settings.seed)
    try:
        found = attack(parts, settings)
    except DataError as error:
        raise DataError(f"{attribute!r} at {layer!r}: {error}") from None

    headline = found.headline
    read, areas = headline.recalls(resamples), headline.auroc(resamples)
    floor = _floor(beside.predicted, parts.v, rows, k)
    floor_recalls = np.full_like(read, 1 / k) if floor is None else floor.recalls(resamples)
    independent = resamples.independent(parts.v[2], k)
    against = estimate(floor_recalls) if floor is None else estimate_share(floor_recalls, independent)
    return Measured(
        Readability(
            attribute=attribute,
            layer=layer,
            width=z.shape[1],
            missing=int((~column.known).sum()) - sum(left_out.values()),
            left_out=dict(left_out),
            classes=classes,
            chance=1 / k,
            entropy=float(scipy.stats.entropy(np.bincount(parts.v[2]), base=2)),
            attackers=_results(found, resamples),
            strongest=found.strongest,
            balanced_accuracy=estimate_share(read, independent),
            auroc=estimate(areas),
            bits=estimate(headline.bits(resamples)),
            floor=against,
            floor_bits=Estimate(value=0, low=0, high=0) if floor is None else estimate(floor.bits(resamples)),
            given_task=_given_task(found, z, codes, beside.y, rows, splits, settings),
            ceiling=ceiling,
            null=_null(found.best, parts, settings),
            excess=estimate(read - floor_recalls),
            resolution=_resolution(max(against.value, 1 / k), [one.test for one in classes]),
            balanced_accuracy_draws=draws(read),
            auroc_draws=draws(areas),
            excess_draws=draws(read - floor_recalls),
        ),
        found,
        rows[2],
        parts.v[2],
    )


def read_ceiling(
    attribute: str, column: Column, splits: Splits, *, settings: Settings, beside: Beside
) -> Ceiling | None:
    """Read one attribute from the raw input, where there is one: who finds nothing here is too weak."""
    if beside.raw is None or not settings.ceiling:
        return None
    column, (train, select, test), _, _ = used(attribute, column, splits, settings)
    codes = _numbered(column)
    own = tuple(name for name in settings.attackers if name in CEILING) or settings.attackers
    rows = at_most(train, CEILING_ROWS, settings.seed, codes[train]), select, test
    found = attack(Parts(_each(beside.raw, rows), _each(codes, rows)), replace(settings, attackers=own), tries=1)
    resamples = resample(splits.groups[rows[2]], times=settings.bootstrap, seed=settings.seed)
    return Ceiling(source=beside.source, strongest=found.strongest, figure=_recall(found.headline, resamples))


def used(
    attribute: str, column: Column, splits: Splits, settings: Settings
) -> tuple[Column, Rows, dict[str, int], list[ClassRows]]:
    """Return the classes that are audited, the rows that have one, the rare cells left out, and the classes' rows.

    Raises:
        DataError: A class has too few rows.
    """
    sizes = {"fit": settings.fit_rows, "test": settings.test_rows, "seed": settings.seed}
    left_out: dict[str, int] = {}
    if "+" in attribute:
        column, left_out = without_rare(column, chosen(column, splits, **sizes))
    rows = chosen(column, splits, **sizes)
    return column, rows, left_out, class_rows(attribute, column, rows)


def _numbered(column: Column) -> Ints:
    """Return the codes without gaps: classes without a row are gone."""
    codes = np.full(len(column), MISSING, dtype=np.int64)
    codes[column.known] = np.unique(column.codes[column.known], return_inverse=True)[1]
    return codes


def _each(values: Matrix, rows: Rows) -> tuple[Matrix, Matrix, Matrix]:
    return in_memory(values, rows[0]), in_memory(values, rows[1]), in_memory(values, rows[2])


def _results(found: Attack, resamples: Resamples) -> list[AttackerResult]:
    results = []
    for member in found.members:
        if isinstance(member, Failure):
            results.append(
                AttackerResult(
                    name=member.name,
                    view=member.view,
                    select=None,
                    balanced_accuracy=None,
                    auroc=None,
                    bits=None,
                    failure=member.reason,
                )
            )
        else:
            results.append(_result(member.name, member.view, member.select, member.test, resamples))
    if found.committee is not None:
        results.append(_result(COMMITTEE, "both", *found.committee, resamples))
    return results


def _result(name: str, view: str, select: Reading, test: Reading, resamples: Resamples) -> AttackerResult:
    return AttackerResult(
        name=name,
        view=view,
        select=select.balanced_accuracy,
        balanced_accuracy=_recall(test, resamples),
        auroc=estimate(test.auroc(resamples)),
        bits=estimate(test.bits(resamples)),
    )


def _recall(reading: Reading, resamples: Resamples) -> Estimate:
    return estimate_share(reading.recalls(resamples), resamples.independent(reading.labels, reading.k))


def _floor(predicted: Ints | None, v: Sequence[Ints], rows: Sequence[Ints], k: int) -> Reading | None:
    """Read v from ŷ alone: with one discrete input, the table of frequencies is the best attacker there is.

    None is chance: without ŷ, or where a test on the rows that fit and choose finds no sign that ŷ and v depend on
    each other; the table would then answer noise, which the excess over it would carry.
    """
    if predicted is None:
        return None
    told = np.unique(predicted, return_inverse=True)[1]
    seen = np.concatenate([told[rows[0]], told[rows[1]]])
    table = crosstab(seen, np.concatenate(v[:2])).count
    if scipy.stats.chi2_contingency(table).pvalue > INDEPENDENT:
        return None
    return from_scratch(_table(told), [told[part].reshape(-1, 1) for part in rows], v, k)[1]


def _table(labels: Ints) -> CategoricalNB:
    return CategoricalNB(min_categories=int(labels.max()) + 1)


def _given_task(
    found: Attack, z: Matrix, codes: Ints, y: Ints | None, rows: Sequence[Ints], splits: Splits, settings: Settings
) -> Estimate | None:
    """Return what the features add to the true label, in bits: CE(v | y) − CE(v | z, y).

    The strongest single attacker, and the strongest that is not linear, are fitted again on features with y beside
    them, so that they may use both: a bit that tells v only together with y tells neither of them anything alone.
    """
    if y is None:
        return None
    rows = [part[y[part] != MISSING] for part in rows]
    v = [codes[part] for part in rows]
    k = int(codes.max()) + 1
    if min(len(np.unique(part)) for part in v) < k:
        return None
    told = np.unique(y, return_inverse=True)[1]
    _, alone = from_scratch(_table(told), [told[part].reshape(-1, 1) for part in rows], v, k)
    beside = np.eye(int(told.max()) + 1, dtype=np.float32)

    def told_y(member: Member) -> tuple[Reading, Reading]:
        seen = [
            np.concatenate([member.lens.transform(in_memory(z, part)).astype(np.float32), beside[told[part]]], axis=1)
            for part in rows
        ]
        return from_scratch(member.make(seen[0].shape[1]), seen, v, k)

    curved = [one for one in found.members if isinstance(one, Member) and one.name != "logistic"]
    asked = {found.best.title: found.best}
    if curved:
        strongest = max(curved, key=lambda member: member.select.balanced_accuracy)
        smooth = [one for one in curved if one.name == "rbf-svm"] or [strongest]
        asked |= {one.title: one for one in (strongest, smooth[0])}
    _, both = min(side_by_side(told_y, list(asked.values())), key=lambda read: read[0].cross_entropy)
    resamples = resample(splits.groups[rows[2]], times=settings.bootstrap, seed=settings.seed)
    return estimate(resamples.means(both.true_log2 - alone.true_log2))


def _null(best: Member, parts: Parts, settings: Settings) -> NullBand:
    """Refit the strongest single attacker on shuffled labels: what reading nothing looks like."""
    generator = np.random.default_rng(settings.seed)
    few = at_most(np.arange(len(parts.v[0])), settings.null_rows, settings.seed, parts.v[0])
    z = [best.lens.transform(rows).astype(np.float32) for rows in (parts.z[0][few], *parts.z[1:])]
    draws = [
        [generator.permutation(part) for part in (parts.v[0][few], *parts.v[1:])] for _ in range(settings.null_refits)
    ]
    figures = side_by_side(lambda v: from_scratch(best.make(z[0].shape[1]), z, v, parts.k)[1].balanced_accuracy, draws)
    return null_band(figures)


def null_band(figures: Sequence[float]) -> NullBand:
    """Return the mean of the refits and a 95 % prediction interval for one more."""
    mean, deviation = float(np.mean(figures)), float(np.std(figures, ddof=1))
    reach = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(figures) - 1) * deviation * np.sqrt(1 + 1 / len(figures))
    return NullBand(mean=mean, low=mean - float(reach), high=mean + float(reach), refits=len(figures))


def _resolution(share: float, rows: Sequence[int]) -> float:
    """Return the half-width of a 95 % interval of balanced accuracy at a given recall of every class."""
    variance = sum(share * (1 - share) / n for n in rows) / len(rows) ** 2
    return float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(variance))
