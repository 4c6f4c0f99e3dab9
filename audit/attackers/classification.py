"""How attackers of classes are fitted, calibrated, joined and read: by balanced accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from audit.attackers.calibration import Calibration, calibrate, read
from audit.attackers.families import Family, Make
from audit.attackers.learner import Labels, Learner, Matrix, Three
from audit.attackers.scoring import ClassReading, Standing
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.evidence.metric import MetricName


@dataclass(frozen=True)
class ClassFit:
    """An attacker fitted on the training split and calibrated on the selection split."""

    learner: Learner
    answers: tuple[Doubles, Doubles]
    """Log-odds of the selection and the test rows, which can be averaged over attackers; empty where none is to be."""
    select: Standing
    test: ClassReading
    calibration: Calibration

    def again(self, learner: Learner, z: Matrix, v: Labels, test: Matrix) -> Doubles:
        """Fit another attacker of the same make, and return its log-odds of the test rows, (t, k)."""
        return self.calibration.log_odds(learner.fit(z, v).scores(test))

    def log2_posterior(self, z: Matrix) -> Doubles:
        """Return the log-probability of each class, (n, k), in bits, from preprocessed features (n, d)."""
        return self.calibration.log2_posterior(self.learner.scores(z))


@dataclass(frozen=True)
class Classification:
    """Attack k classes."""

    k: int
    metric: MetricName = "balanced_accuracy"
    control_tries: Final[int | None] = 1
    """Settings of each attacker that the input control tries; None: all."""

    @property
    def guess(self) -> float:
        """The metric of a guess."""
        return 1 / self.k

    def strata(self, v: Labels) -> Ints | None:
        """Return what rows are drawn evenly by: their class, (n,)."""
        return np.asarray(v, dtype=np.int64)

    def can_learn(self, v: Sequence[Labels]) -> bool:
        """Return whether every split has two rows of every class."""
        return min(int(np.bincount(part, minlength=self.k).min()) for part in v) > 1

    def makes(self, family: Family, seed: int) -> tuple[Make, ...]:
        """Return the family's classifiers."""
        return family.classifiers(seed)

    def fit(self, learner: Learner, z: Three, v: Sequence[Labels]) -> ClassFit:
        """Fit on the training split, calibrate on the selection split, and read selection and test split."""
        learner.fit(z[0], v[0])
        select, test = (learner.scores(rows) for rows in z[1:])
        calibration = calibrate(select, v[1], self._prior(v[0]))
        chosen = read(select, v[1], calibration)
        return ClassFit(
            learner,
            (calibration.log_odds(select), calibration.log_odds(test)),
            Standing(chosen.score, chosen.loss),
            self._read(test, v[2], calibration),
            calibration,
        )

    def loss(self, answer: Doubles, v: Sequence[Labels]) -> float:
        """Return the cross-entropy of joined log-odds, in bits."""
        return read(answer, v[1], Calibration(1.0, np.zeros(self.k), self._prior(v[0]))).loss

    def ensemble(self, select: Doubles, test: Doubles, v: Sequence[Labels]) -> tuple[ClassReading, ClassReading]:
        """Read selection and test split from joined log-odds."""
        calibration = calibrate(select, v[1], self._prior(v[0]))
        return read(select, v[1], calibration), self._read(test, v[2], calibration)

    def headline(self, before: Doubles, answer: Doubles, v: Sequence[Labels]) -> ClassReading:
        """Read the test split from `answer`, joined over attackers that were fitted again on both other splits.

        The threshold moves with them, from what they said of the selection rows, `before`.
        """
        calibration = calibrate(before, v[1], self._prior(v[0]))
        return self._read(answer, v[2], calibration.moved(before, v[1], answer, self._prior(v[2])))

    def _read(self, scores: Doubles, v: Labels, calibration: Calibration) -> ClassReading:
        """Read rows whose classes may be of other frequencies than those that were learned from, which are known."""
        return read(scores, v, replace(calibration, prior=self._prior(v)))

    def _prior(self, v: Labels) -> Doubles:
        return np.bincount(v, minlength=self.k) / len(v)
