"""One attribute as it is attacked at every layer: its rows, labels, resamples and baselines, made once."""

from collections.abc import Callable
from dataclasses import dataclass

from audit.attackers.scoring import Reading
from audit.bootstrap import Resamples, resample
from audit.data.columns import AnyColumn, Ints
from audit.evidence.findings import Ceiling
from audit.protocol.audited_rows import Audited, audited
from audit.protocol.baselines import Baselines, input_control, task_label_baseline, task_labels
from audit.protocol.splits import Splits
from audit.settings import Settings


@dataclass(frozen=True)
class Target:
    """One attribute, ready to be attacked at any layer."""

    attribute: str
    audited: Audited
    resamples: Resamples
    """Of the test rows."""
    floor: Reading
    """The task-label baseline on the test rows."""
    ceiling: Ceiling | None
    y: Ints | None
    """The true task label of every row, as in TaskLabels."""
    predicted: Ints | None
    """ŷ of every row, as in TaskLabels."""
    bins: int | None
    """Into how many a task that is a quantity was cut for this attribute; None for any other."""
    draw: Callable[[Ints], Resamples]
    """Resamples other test rows alike."""
    groups: Ints
    key: bytes
    """What resamples are drawn from beside the seed."""


def make_target(
    attribute: str, column: AnyColumn, splits: Splits, settings: Settings, baselines: Baselines | None = None
) -> Target:
    """Prepare an attribute: rows, labels, resamples, task-label baseline, input control."""
    beside = baselines or Baselines()
    found = audited(attribute, column, splits, settings)
    labels = task_labels(beside, found)

    def draw(rows: Ints) -> Resamples:
        return resample(splits.groups[rows], times=settings.bootstrap, seed=settings.seed, key=splits.key)

    return Target(
        attribute,
        found,
        resamples=draw(found.rows[2]),
        floor=task_label_baseline(labels.predicted, found),
        ceiling=input_control(attribute, column, splits, settings, beside),
        y=labels.y,
        predicted=labels.predicted,
        bins=labels.bins,
        draw=draw,
        groups=splits.groups,
        key=splits.key,
    )
