"""How attackers of classes are fitted, calibrated, joined and read: by balanced accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from audit.attackers.calibration import Calibration, calibrate, raw_scores, read
from audit.attackers.families import Estimator, Family, Labels, Make, Matrix, Three
from audit.attackers.scoring import ClassReading
from audit.bootstrap import Doubles
from audit.evidence.metric import MetricName


@dataclass(frozen=True)
class ClassFit:
    """An attacker fitted on the training split and calibrated on the selection split."""

    estimator: Estimator
    answers: tuple[Doubles, Doubles]
    """Log-odds of the selection and the test rows, which can be averaged over attackers."""
    select: ClassReading
    test: ClassReading
    prior: Doubles
    """Frequencies of the classes in the training split, (k,)."""
    calibration: Calibration

    def again(self, estimator: Estimator, z: Matrix, v: Labels, test: Matrix) -> Doubles:
        """Fit another estimator of the same make, and return its log-odds of the test rows, (t, k)."""
        estimator.fit(z, v)
        return self.calibration.log_odds(raw_scores(estimator, test, np.bincount(v) / len(v)))

    def log2_posterior(self, z: Matrix) -> Doubles:
        """Return the log-probability of each class, (n, k), in bits, from preprocessed features (n, d)."""
        return self.calibration.log2_posterior(raw_scores(self.estimator, z, self.prior))


@dataclass(frozen=True)
class Classification:
    """Attack k classes."""

    k: int
    metric: MetricName = "balanced_accuracy"
    control_tries: Final[int | None] = 1
    """Settings of each attacker that the input control tries; None: all."""
    lists_ensemble: Final = True
    """Whether the ensemble is listed among the attackers."""

    def makes(self, family: Family, seed: int) -> tuple[Make, ...]:
        """Return the family's classifiers."""
        return family.classifiers(seed)

    def fit(self, estimator: Estimator, z: Three, v: Sequence[Labels]) -> ClassFit:
        """Fit on the training split, calibrate on the selection split, and read selection and test split."""
        prior = self._prior(v[0])
        estimator.fit(z[0], v[0])
        select, test = (raw_scores(estimator, rows, prior) for rows in z[1:])
        calibration = calibrate(select, v[1], prior)
        return ClassFit(
            estimator,
            (calibration.log_odds(select), calibration.log_odds(test)),
            read(select, v[1], calibration),
            read(test, v[2], calibration),
            prior,
            calibration,
        )

    def loss(self, answer: Doubles, v: Sequence[Labels]) -> float:
        """Return the cross-entropy of joined log-odds, in bits."""
        return read(answer, v[1], Calibration(1.0, np.zeros(self.k), self._prior(v[0]))).loss

    def ensemble(self, select: Doubles, test: Doubles, v: Sequence[Labels]) -> tuple[ClassReading, ClassReading]:
        """Read selection and test split from joined log-odds."""
        calibration = calibrate(select, v[1], self._prior(v[0]))
        return read(select, v[1], calibration), read(test, v[2], calibration)

    def headline(self, before: Doubles, answer: Doubles, v: Sequence[Labels]) -> ClassReading:
        """Read the test split from `answer`, joined over attackers that were fitted again on both other splits.

        The threshold moves with them, from what they said of the selection rows, `before`.
        """
        calibration = calibrate(before, v[1], self._prior(v[0]))
        return read(answer, v[2], calibration.moved(before, answer))

    def _prior(self, v: Labels) -> Doubles:
        return np.bincount(v, minlength=self.k) / len(v)
