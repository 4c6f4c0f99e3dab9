"""The protocol for a continuous attribute, such as an age: the same splits and views, regressors, R² and MAE."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.stats

from audit.attackers.classification import views
from audit.attackers.ensemble import choose_members, joined
from audit.attackers.families import VIEWS, Make, Matrix, family, view
from audit.bootstrap import CONFIDENCE, Doubles, Resamples, draws, estimate, resample
from audit.data.columns import Ints, Quantity
from audit.data.labelled import MIN_ROWS
from audit.data.on_disk import in_memory
from audit.errors import DataError
from audit.evidence.findings import COMMITTEE, Ceiling, ClassRows, Regression, RegressorResult
from audit.parallel import side_by_side
from audit.protocol.leakage import CEILING, CEILING_ROWS, Beside, null_band
from audit.protocol.splits import Splits, at_most, chosen
from audit.settings import Settings


@dataclass(frozen=True)
class _Member:
    name: str
    view: str
    make: Make
    failure: str | None
    answers: tuple[Doubles, Doubles]
    """Of the select and test rows, each (n,), drawn towards the mean as far as select asks for."""
    slope: float
    """How far: 1 is not at all, 0 is answering the mean."""


def measure_continuous(
    z: Matrix,
    quantity: Quantity,
    splits: Splits,
    *,
    attribute: str,
    layer: str,
    settings: Settings,
    beside: Beside | None = None,
    ceiling: Ceiling | None = None,
) -> Regression:
    """Attack one continuous attribute at one layer; arguments as in audit.leakage.measure.

    Raises:
        DataError: A split has too few rows, or no attacker could run.
    """
    beside = beside or Beside()
    rows = value_rows(attribute, quantity, splits, settings)
    values = [quantity.values[part] for part in rows]
    resamples = resample(splits.groups[rows[2]], times=settings.bootstrap, seed=settings.seed)
    members, strongest, answer = _attack(z, values, rows, settings, place=f"{attribute!r} at {layer!r}")
    r2 = _r2(answer, values[2], resamples)
    floor = (
        np.zeros_like(r2)
        if beside.predicted is None
        else _r2(_told(beside.predicted, values, rows), values[2], resamples)
    )
    errors = resamples.means(np.abs(answer - values[2]))
    able = [member for member in members if member.failure is None]
    best = max(able, key=lambda member: _share(member.answers[0], values[1]))
    return Regression(
        attribute=attribute,
        layer=layer,
        width=z.shape[1],
        missing=int((~quantity.known).sum()),
        rows=ClassRows(name=attribute, train=len(rows[0]), select=len(rows[1]), test=len(rows[2])),
        attackers=[_result(member, values, resamples) for member in members],
        strongest=strongest,
        r2=estimate(r2),
        mae=estimate(errors),
        median_mae=float(np.abs(values[2] - np.median(values[0])).mean()),
        floor=estimate(floor),
        ceiling=ceiling,
        null=null_band(_shuffled(best, z, values, rows, settings)),
        excess=estimate(r2 - floor),
        resolution=_resolution(max(settings.limit, 0.01), len(rows[2])),
        r2_draws=draws(r2),
        mae_draws=draws(errors),
        excess_draws=draws(r2 - floor),
    )


def read_continuous_ceiling(
    attribute: str, quantity: Quantity, splits: Splits, *, settings: Settings, beside: Beside
) -> Ceiling | None:
    """Read a continuous attribute from the raw input, where there is one."""
    if beside.raw is None or not settings.ceiling:
        return None
    own = tuple(name for name in settings.attackers if name in CEILING) or settings.attackers
    fewer = replace(settings, attackers=own, fit_rows=min(settings.fit_rows, CEILING_ROWS))
    rows = value_rows(attribute, quantity, splits, fewer)
    values = [quantity.values[part] for part in rows]
    _, strongest, answer = _attack(beside.raw, values, rows, fewer, place=f"{attribute!r} in the raw input")
    resamples = resample(splits.groups[rows[2]], times=settings.bootstrap, seed=settings.seed)
    return Ceiling(source=beside.source, strongest=strongest, figure=estimate(_r2(answer, values[2], resamples)))


def value_rows(attribute: str, quantity: Quantity, splits: Splits, settings: Settings) -> tuple[Ints, Ints, Ints]:
    """Return the rows with a value that fit, choose and test.

    Raises:
        DataError: There are too few.
    """
    rows = chosen(quantity, splits, fit=settings.fit_rows, test=settings.test_rows, seed=settings.seed)
    if min(map(len, rows)) < MIN_ROWS:
        counts = " / ".join(str(len(part)) for part in rows)
        raise DataError(
            f"{attribute!r} has a value in {counts} rows to fit, choose and test attackers; each needs {MIN_ROWS}. "
            "Give more rows."
        )
    return rows


def _attack(
    z: Matrix, values: Sequence[Doubles], rows: Sequence[Ints], settings: Settings, *, place: str
) -> tuple[list[_Member], str, Doubles]:
    """Return every attacker, who is the headline, and what it says of the test rows, fitted on train and select."""
    given = [in_memory(z, part) for part in rows]
    _, seen = views(given)
    jobs = [
        (name, look, make)
        for look in VIEWS
        for name in settings.attackers
        for make in family(name).regressors(settings.seed)
    ]

    def one(job: tuple[str, str, Make]) -> _Member:
        name, look, make = job
        try:
            answers, slope = _answers(make(seen[look][0].shape[1]), seen[look], values)
            return _Member(name, look, make, None, answers, slope)
        except (ValueError, np.linalg.LinAlgError, MemoryError, TypeError) as error:
            fact = (str(error).splitlines() or [type(error).__name__])[0]
            return _Member(name, look, make, fact, (np.empty(0), np.empty(0)), 0.0)

    tried = side_by_side(one, jobs)
    members = [
        _best(tried, name, look, values[1]) for look in VIEWS for name in settings.attackers if _any(tried, name)
    ]
    able = [member for member in members if member.failure is None]
    if not able:
        reason = members[0].failure if members else "none of them reads numbers"
        raise DataError(f"{place}: No attacker could run: {reason}.")
    shares = choose_members([member.answers[0] for member in able], lambda said: -_share(said, values[1]))
    labels = np.concatenate(values[:2])

    def again(job: tuple[_Member, float]) -> Doubles:
        member, share = job
        if share == 0:
            return np.empty(0)
        train, select, test = seen[member.view]
        fitted = [np.concatenate([train, select]), select, test]
        # select is in the fit now, and would ask for no drawing at all
        answers, _ = _answers(member.make(train.shape[1]), fitted, [labels, *values[1:]], slope=member.slope)
        return answers[1]

    answer = joined(side_by_side(again, list(zip(able, shares, strict=True))), shares)
    alone = [member for member, share in zip(able, shares, strict=True) if share > 0]
    strongest = COMMITTEE if len(alone) > 1 else f"{alone[0].name} on {alone[0].view}"
    return members, strongest, answer


def _answers(
    estimator: Any, z: Sequence[Matrix], values: Sequence[Doubles], *, slope: float | None = None
) -> tuple[tuple[Doubles, Doubles], float]:
    """Fit on train, in units of its deviation, and answer select and test, drawn towards the mean by `slope`.

    If none is given, it is the one that select asks for; it is returned too.
    """
    middle, scale = float(values[0].mean()), float(values[0].std()) or 1.0
    estimator.fit(z[0], (values[0] - middle) / scale)
    select, test = (np.asarray(estimator.predict(part), dtype=np.float64).ravel() for part in z[1:])
    if slope is None:
        wanted = (values[1] - middle) / scale
        slope = float(np.clip(select @ wanted / max(float(select @ select), 1e-12), 0, 1))
    return (middle + scale * slope * select, middle + scale * slope * test), slope


def _any(tried: Sequence[_Member], name: str) -> bool:
    return any(one.name == name for one in tried)


def _best(tried: Sequence[_Member], name: str, look: str, select: Doubles) -> _Member:
    own = [one for one in tried if (one.name, one.view) == (name, look)]
    able = [one for one in own if one.failure is None]
    return max(able, key=lambda member: _share(member.answers[0], select)) if able else own[0]


def _share(answer: Doubles, values: Doubles) -> float:
    """Return R² on rows as they are."""
    return 1 - float(((values - answer) ** 2).sum() / max(float(((values - values.mean()) ** 2).sum()), 1e-300))


def _r2(answer: Doubles, values: Doubles, resamples: Resamples) -> Doubles:
    """Return R² in each resample."""
    centred = values - values.mean()  # large numbers would cancel in the variance
    mean = resamples.means(centred)
    variance = resamples.means(centred**2) - mean**2
    error = resamples.means((values - answer) ** 2)
    return np.asarray(1 - np.divide(error, variance, out=np.full_like(error, np.nan), where=variance > 0))


def _told(predicted: Ints, values: Sequence[Doubles], rows: Sequence[Ints]) -> Doubles:
    """Answer the test rows by the mean of the training rows with the same ŷ: the best there is from ŷ alone."""
    told = np.unique(predicted, return_inverse=True)[1]
    count = int(told.max()) + 1
    sums = np.bincount(told[rows[0]], values[0], count)
    rows_each = np.bincount(told[rows[0]], minlength=count)
    means = np.where(rows_each > 0, sums / np.maximum(rows_each, 1), values[0].mean())
    return np.asarray(means[told[rows[2]]])


def _result(member: _Member, values: Sequence[Doubles], resamples: Resamples) -> RegressorResult:
    if member.failure is not None:
        return RegressorResult(
            name=member.name, view=member.view, select=None, r2=None, mae=None, failure=member.failure
        )
    select, test = member.answers
    return RegressorResult(
        name=member.name,
        view=member.view,
        select=_share(select, values[1]),
        r2=estimate(_r2(test, values[2], resamples)),
        mae=estimate(resamples.means(np.abs(test - values[2]))),
    )


def _shuffled(
    best: _Member, z: Matrix, values: Sequence[Doubles], rows: Sequence[Ints], settings: Settings
) -> list[float]:
    """Refit the strongest single attacker on shuffled values."""
    generator = np.random.default_rng(settings.seed)
    few = at_most(np.arange(len(rows[0])), settings.null_rows, settings.seed)
    lens = view(best.view, in_memory(z, rows[0]))
    seen = [lens.transform(in_memory(z, part)).astype(np.float32) for part in (rows[0][few], rows[1], rows[2])]
    draws = [
        [generator.permutation(part) for part in (values[0][few], *values[1:])] for _ in range(settings.null_refits)
    ]
    return side_by_side(lambda drawn: _share(_answers(best.make(seen[0].shape[1]), seen, drawn)[0][1], drawn[2]), draws)


def _resolution(share: float, n: int) -> float:
    """Return the half-width of a 95 % interval of R² of about a given size, for jointly normal values."""
    error = np.sqrt(4 * share * (1 - share) ** 2 / n)
    return float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2) * error)
