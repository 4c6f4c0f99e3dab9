"""How the figures of a finding are named and written: classes are measured by balanced accuracy, quantities by R²."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MetricName = Literal["balanced_accuracy", "r2"]


@dataclass(frozen=True)
class Metric:
    """The metric that a verdict is on, and the figures that are reported beside it."""

    name: MetricName
    title: str
    unit: str
    """What a hundredth of it is called."""
    guess: str
    """The attacker who knows nothing, in words."""
    percent: bool
    """Whether it is written as a percentage, or as a decimal."""
    figures: tuple[str, ...]
    """Figures of every attacker, the metric itself first."""
    floor: tuple[str, ...]
    """Figures of the task-label baseline, the metric itself first."""
    baseline: tuple[str, ...]
    """Figures of a guess, the metric itself first."""
    drawn: tuple[str, ...]
    """Figures whose bootstrap draws are kept."""


METRICS: Mapping[MetricName, Metric] = {
    "balanced_accuracy": Metric(
        "balanced_accuracy",
        title="balanced accuracy",
        unit="points",
        guess="a guess",
        percent=True,
        figures=("balanced_accuracy", "auroc", "bits"),
        floor=("balanced_accuracy", "bits"),
        baseline=("balanced_accuracy",),
        drawn=("balanced_accuracy", "auroc"),
    ),
    "r2": Metric(
        "r2",
        title="R²",
        unit="points of R²",
        guess="answering the mean",
        percent=False,
        figures=("r2", "mae"),
        floor=("r2",),
        baseline=("r2", "mae"),
        drawn=("r2", "mae"),
    ),
}
GIVEN_TASK = "given_task"
"""A figure of classes where there is a task: usable information in bits that z adds to the true task label."""
EXCESS = "excess"
