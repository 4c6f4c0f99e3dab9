"""What an attack needs to know of the kind of attribute: classes or a quantity."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from audit.attackers.families import Estimator, Family, Make, Matrix
from audit.attackers.readings import Reading
from audit.bootstrap import Doubles
from audit.evidence.metric import MetricName

Labels = NDArray[Any]
"""v of some rows, (n,): codes 0 … k − 1 of classes, or numbers."""
Three = Sequence[Matrix]
"""Features of the training, the selection and the test split, each (n, d)."""


@dataclass(frozen=True)
class Fit(ABC):
    """One attacker, fitted on the training split."""

    estimator: Estimator
    answers: tuple[Doubles, Doubles]
    """Of the selection and the test rows, in units in which several attackers can be averaged."""
    select: Reading
    test: Reading

    @abstractmethod
    def again(self, estimator: Estimator, z: Matrix, v: Labels, test: Matrix) -> Doubles:
        """Fit another estimator of the same make on z, (n, d), and v, (n,); return its answers of the test rows."""


class Problem(Protocol):
    """How attackers are fitted, joined and read."""

    @property
    def metric(self) -> MetricName:
        """What the verdict is on."""

    @property
    def control_tries(self) -> int | None:
        """Settings of each attacker that the input control tries; None: all."""

    @property
    def lists_ensemble(self) -> bool:
        """Whether the ensemble is listed among the attackers."""

    def makes(self, family: Family, seed: int) -> tuple[Make, ...]:
        """Return a family's estimators for this kind of attribute."""

    def fit(self, estimator: Estimator, z: Three, v: Sequence[Labels]) -> Fit:
        """Fit on the training split and read the other two."""

    def loss(self, answer: Doubles, v: Sequence[Labels]) -> float:
        """Return what the ensemble is chosen by: the loss of a joined answer of the selection rows."""

    def ensemble(self, select: Doubles, test: Doubles, v: Sequence[Labels]) -> tuple[Reading, Reading]:
        """Read selection and test split from joined answers."""

    def headline(self, before: Doubles, answer: Doubles, v: Sequence[Labels]) -> Reading:
        """Read the test split from the joined answer of attackers that were fitted again.

        Args:
            before: What they answered of the selection rows, fitted on the training split.
            answer: Of the test rows, fitted on both.
            v: Labels of the three splits.
        """
