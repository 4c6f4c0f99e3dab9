"""Permutation null: the strongest attacker, refitted on shuffled labels."""

from collections.abc import Sequence

import numpy as np
import scipy.stats

from audit.attackers.attack import Fits, SplitData, again
from audit.data.on_disk import in_memory
from audit.evidence.findings import NullBand
from audit.evidence.verdict import CONFIDENCE
from audit.parallel.side_by_side import Work
from audit.protocol.splits import at_most
from audit.settings import Settings

READ_ROWS = 10_000
"""At most this many rows choose the threshold of a refit, and as many test it."""


def permutation_null(found: Fits, data: SplitData, settings: Settings) -> Work[NullBand]:
    """Return the refits of the strongest single attacker on shuffled labels of some rows, drawn by class."""
    generator, best, problem = np.random.default_rng(settings.seed), found.best, data.problem
    most = settings.null_rows, READ_ROWS, READ_ROWS
    few = [
        at_most(np.arange(len(v)), rows, settings.seed, problem.strata(v)) for v, rows in zip(data.v, most, strict=True)
    ]
    z = [in_memory(part, rows) for part, rows in zip(found.seen[best.sees][1], few, strict=True)]
    labels = [v[rows] for v, rows in zip(data.v, few, strict=True)]
    shuffled = [[generator.permutation(part) for part in labels] for _ in range(settings.null_refits)]

    def score(v: Sequence[np.ndarray]) -> float:
        return again(best, z[0].shape[1], lambda learner: problem.fit(learner, z, v).test.score)

    return Work(score, shuffled, null_band)


def null_band(figures: Sequence[float]) -> NullBand:
    """Return the mean of the refits and a 95 % prediction interval for one more."""
    mean, deviation = float(np.mean(figures)), float(np.std(figures, ddof=1))
    reach = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(figures) - 1) * deviation * np.sqrt(1 + 1 / len(figures))
    return NullBand(mean=mean, low=mean - float(reach), high=mean + float(reach), refits=len(figures))
