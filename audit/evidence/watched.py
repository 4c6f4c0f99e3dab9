"""Attributes that nobody asked to keep: what is left of them tells what a release destroys."""

from collections.abc import Mapping
from typing import Final, Literal

from audit.evidence.findings import Estimate
from audit.evidence.json_file import Frozen, Text
from audit.evidence.metric import MetricName

Area = Literal["auroc", "r2"]
AREA: Final[Mapping[MetricName, Area]] = {"balanced_accuracy": "auroc", "r2": "r2"}
"""The figure without a threshold in which what is kept is counted, by the metric of the verdict."""
GUESS: Final[Mapping[Area, float]] = {"auroc": 0.5, "r2": 0.0}


class Watched(Frozen):
    """What a linear attacker reads of one attribute at one layer, on the test rows, without a verdict."""

    attribute: Text
    layer: str
    metric: Area
    """Mean over classes of one against the others, or of a quantity R²."""
    attacker: Text
    """`logistic on standardised` or `on whitened`: the one that was better on the selection rows."""
    figure: Estimate
    at_best: Estimate | None = None
    """As of a measurement."""
    rows: int
    """Test rows."""

    @property
    def guess(self) -> float:
        """The figure of who knows nothing."""
        return GUESS[self.metric]
