"""What a linear attacker reads of attributes that nobody asked to keep: what features are good for beside the task."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from audit.attackers.attack import attack, persistent
from audit.attackers.learner import Matrix
from audit.data.columns import AnyColumn
from audit.errors import DataError
from audit.evidence.watched import AREA, Watched
from audit.progress import Track
from audit.protocol.baselines import Baselines
from audit.protocol.kept.at_best import at_best
from audit.protocol.splits import Splits
from audit.protocol.target import Target, make_target
from audit.settings import Settings

LINEAR = ("logistic",)
"""Of a quantity it is a ridge regression."""


def watched(
    layers: Mapping[str, Matrix],
    columns: Mapping[str, AnyColumn],
    private: Sequence[AnyColumn],
    splits: Splits,
    settings: Settings,
    baselines: Baselines,
    track: Track,
) -> Iterator[Watched | str]:
    """Yield what is read of each attribute at each layer; or, in words, why one cannot be watched.

    Args:
        layers: Features of every row by the name of their layer, each (n, d).
        columns: The attributes of every row.
        private: What should not be told.
        splits: Rows that fit, select and test; the attributes had no part in drawing them.
        settings: Of the audit.
        baselines: The predicted task label.
        track: Shows progress.
    """
    linear = replace(settings, attackers=LINEAR, ceiling=False)
    for name, column in track([*columns.items()], len(columns), "watched attributes"):
        try:
            target = make_target(name, column, splits, linear, baselines)
        except DataError:  # whose text may name a class of one row
            yield f"{name!r} is not watched: too few rows have a value, or fewer than two classes have enough of them"
            continue
        for layer, z in layers.items():
            yield _read(z, layer, target, private, linear)


def _read(z: Matrix, layer: str, target: Target, private: Sequence[AnyColumn], linear: Settings) -> Watched:
    data, metric = target.audited.split(z), AREA[target.audited.problem.metric]
    found = persistent(lambda failed: attack(data, linear, failed=failed))
    return Watched(
        attribute=target.attribute,
        layer=layer,
        metric=metric,
        attacker=found.strongest,
        figure=found.headline.estimate(metric, target.resamples),
        at_best=at_best(found.headline, target, private),
        rows=len(target.audited.rows[2]),
    )
