"""Permutation null: the strongest attacker, refitted on shuffled labels."""

from collections.abc import Sequence

import numpy as np
import scipy.stats

from audit.attackers.attack import FittedAttacker, SplitData, again
from audit.attackers.classification import Classification
from audit.evidence.findings import NullBand
from audit.evidence.verdict import CONFIDENCE
from audit.parallel import side_by_side
from audit.protocol.splits import at_most
from audit.settings import Settings


def permutation_null(best: FittedAttacker, data: SplitData, settings: Settings) -> NullBand:
    """Refit the strongest single attacker on shuffled labels."""
    generator = np.random.default_rng(settings.seed)
    train, classes = data.v[0], isinstance(data.problem, Classification)
    codes = train.astype(np.int64) if classes else None
    few = at_most(np.arange(len(train)), settings.null_rows, settings.seed, codes)
    z = [best.preprocessing.transform(rows).astype(np.float32) for rows in (data.z[0][few], *data.z[1:])]
    shuffled = [
        [generator.permutation(part) for part in (train[few], *data.v[1:])] for _ in range(settings.null_refits)
    ]

    def score(v: Sequence[np.ndarray]) -> float:
        return again(best, z[0].shape[1], lambda estimator: data.problem.fit(estimator, z, v).test.score)

    return null_band(side_by_side(score, shuffled))


def null_band(figures: Sequence[float]) -> NullBand:
    """Return the mean of the refits and a 95 % prediction interval for one more."""
    mean, deviation = float(np.mean(figures)), float(np.std(figures, ddof=1))
    reach = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(figures) - 1) * deviation * np.sqrt(1 + 1 / len(figures))
    return NullBand(mean=mean, low=mean - float(reach), high=mean + float(reach), refits=len(figures))
