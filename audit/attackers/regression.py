"""How attackers of a quantity, such as an age, are fitted, joined and read: by R²."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from audit.attackers.families import Family, Make
from audit.attackers.learner import Labels, Learner, Matrix, Three
from audit.attackers.scoring import QuantityReading, Standing
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.evidence.metric import MetricName


@dataclass(frozen=True)
class RegressionFit:
    """A regressor fitted on the training split, its answers shrunk towards the mean."""

    learner: Learner
    answers: tuple[Doubles, Doubles]
    """Of the selection and the test rows, in the attribute's unit; empty where they are not to be averaged."""
    select: Standing
    test: QuantityReading
    slope: float
    """Shrinkage fitted on the selection split: 1 is none, 0 is answering the mean."""

    def again(self, learner: Learner, z: Matrix, v: Labels, test: Matrix) -> Doubles:
        """Fit another attacker of the same make, and answer the test rows with the same shrinkage, (t,)."""
        middle, scale = _units(v)
        answers = learner.fit(z, (v - middle) / scale).answers(test)
        return np.asarray(middle + scale * self.slope * answers)


@dataclass(frozen=True)
class Regression:
    """Attack a quantity, as Classification does classes."""

    metric: MetricName = "r2"
    control_tries: Final[int | None] = None

    @property
    def guess(self) -> float:
        """The metric of a guess."""
        return 0.0

    def strata(self, v: Labels) -> Ints | None:  # noqa: ARG002
        """Return what rows are drawn evenly by: nothing."""
        return None

    def can_learn(self, v: Sequence[Labels]) -> bool:
        """Return whether the values of every split differ."""
        return min(float(np.ptp(part)) for part in v) > 0

    def makes(self, family: Family, seed: int) -> tuple[Make, ...]:
        """Return the family's regressors."""
        return family.regressors(seed)

    def fit(self, learner: Learner, z: Three, v: Sequence[Labels]) -> RegressionFit:
        """Fit on the training split, in units of its deviation; shrink by the slope that the selection split fits."""
        middle, scale = _units(v[0])
        learner.fit(z[0], (v[0] - middle) / scale)
        select, test = (learner.answers(rows) for rows in z[1:])
        wanted = (v[1] - middle) / scale
        slope = float(np.clip(select @ wanted / max(float(select @ select), 1e-12), 0, 1))
        answers = middle + scale * slope * select, middle + scale * slope * test
        chosen = QuantityReading(answers[0], v[1])
        return RegressionFit(
            learner, answers, Standing(chosen.score, chosen.loss), QuantityReading(answers[1], v[2]), slope
        )

    def loss(self, answer: Doubles, v: Sequence[Labels]) -> float:
        """Return −R² of joined answers."""
        return QuantityReading(answer, v[1]).loss

    def ensemble(self, select: Doubles, test: Doubles, v: Sequence[Labels]) -> tuple[QuantityReading, QuantityReading]:
        """Read selection and test split from joined answers."""
        return QuantityReading(select, v[1]), QuantityReading(test, v[2])

    def headline(self, before: Doubles, answer: Doubles, v: Sequence[Labels]) -> QuantityReading:  # noqa: ARG002
        """Read the test split."""
        return QuantityReading(answer, v[2])


def _units(v: Labels) -> tuple[float, float]:
    return float(v.mean()), float(v.std()) or 1.0
