"""One audit from end to end: features, splits, attackers, evidence."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from audit.attackers import families
from audit.bootstrap import draws, estimate_share, resample
from audit.caveats import cautions, told_of_rare
from audit.data.columns import AnyColumn, Column, Ints, Quantity
from audit.data.labelled import LabelledData
from audit.data.on_disk import in_memory
from audit.environment import describe_device, versions
from audit.errors import DataError
from audit.evidence import audit_result, findings
from audit.evidence.verdict import judged, judged_continuous
from audit.model.describe import describe_features, describe_model
from audit.model.forward import device_of, first_input
from audit.model.layers import Pool, suggest
from audit.model.representations import Encoder, Features, encoding, extract, ready_made
from audit.progress import Track, untracked
from audit.protocol.attribution import Encode
from audit.protocol.attribution import where as locate
from audit.protocol.bound import cells, certify
from audit.protocol.continuous import measure_continuous, read_continuous_ceiling
from audit.protocol.duplicates import join_copies
from audit.protocol.leakage import Beside, Measured, measure, read_ceiling
from audit.protocol.splits import Splits, split_rows
from audit.request import Asked, several
from audit.settings import Settings

Encoding = Callable[[str], AbstractContextManager[Encode]]
"""Layer -> a block in which its features can be made."""


def audit(
    model: nn.Module,
    data: LabelledData,
    *,
    private: str | Sequence[str],
    task: str | None = None,
    layer: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    settings: Settings | None = None,
    where: bool = False,
    pool: Pool = "mean",
    batch_size: int = 128,
    fixed_batch: int | None = None,
    workers: int = 0,
    checkpoint: audit_result.Checkpoint | None = None,
    limit_set_by: Literal["user", "default"] = "user",
    command: str = "",
    notes: Sequence[str] = (),
    track: Track = untracked,
) -> audit_result.AuditResult:
    """Measure how much of each private attribute can be read at each layer of a frozen model.

    Args:
        model: Takes inputs (n, …); left exactly as found, on the device it is on.
        data: Rows that the model was not trained on.
        private: Columns that should not be readable; `a+b` is the intersection of two.
        task: Column that the model scores, (n, classes); without one the floor is chance.
        layer: Where to look, several in one pass; the suggested bottleneck if none is named.
        keep: Columns that should stay readable: measured alike, without a verdict.
        settings: Attackers, limit, seed, sizes.
        where: Whether to tell which units, and where in the input, the strongest attacker reads.
        pool: How maps and tokens become one vector a row.
        batch_size: Rows in one forward pass.
        fixed_batch: Rows that the model takes, if it takes no other number.
        workers: Processes that read inputs.
        checkpoint: Where the model came from; a hash over its weights if not given.
        limit_set_by: Who chose the limit.
        command: What was run, for the record.
        notes: What the reader should know beforehand.
        track: Shows progress.

    Raises:
        IreneError: Any of its kinds; see audit.errors.
    """
    settings = settings or Settings()
    asked = Asked.of(data, task, private, keep, settings)
    asked.require_rows(data, settings, where=where)  # told before the pass, not after it
    x = first_input(model, data, rows=fixed_batch or 1)
    layers = several(layer) or [suggest(model, x)]
    how = Encoder(model, pool, batch_size, fixed_batch, workers)
    columns = [*asked.columns]
    features = extract(
        how, data, layers, task=task, columns=columns, raw=settings.ceiling, seed=settings.seed, track=track
    )

    def encoder(name: str) -> AbstractContextManager[Encode]:
        return encoding(how, name, features.projections.get(name))

    record = _Record(
        checkpoint or describe_model(model), pool, limit_set_by, command, notes, describe_device(device_of(model))
    )
    return _result(features, data, asked, settings, record, where=where, encoder=encoder, track=track)


def audit_embeddings(
    layers: Mapping[str, NDArray[Any]],
    data: LabelledData,
    *,
    private: str | Sequence[str],
    task: str | None = None,
    predicted: str | None = None,
    keep: str | Sequence[str] = (),
    settings: Settings | None = None,
    where: bool = False,
    checkpoint: audit_result.Checkpoint | None = None,
    limit_set_by: Literal["user", "default"] = "user",
    command: str = "",
    notes: Sequence[str] = (),
    track: Track = untracked,
) -> audit_result.AuditResult:
    """Measure how much of each private attribute can be read from features that some model made.

    Args:
        layers: Features by name, each (n, d).
        data: Their labels; its inputs are not looked at.
        private: Columns that should not be readable; `a+b` is the intersection of two.
        task: Column with the true label of what the model was for.
        predicted: Column with what the model answered, for the floor; without one the floor is chance.
        keep: Columns that should stay readable.
        settings: Attackers, limit, seed, sizes.
        where: Whether to tell which units the strongest attacker reads.
        checkpoint: Where the features came from; a hash over them if not given.
        limit_set_by: Who chose the limit.
        command: What was run, for the record.
        notes: What the reader should know beforehand.
        track: Shows progress.

    Raises:
        IreneError: Any of its kinds; see audit.errors.
    """
    settings = settings or Settings()
    asked = Asked.of(data, task, private, keep, settings)
    asked.require_rows(data, settings, where=where)
    told = data.column(predicted, "predicted") if predicted else None
    answers = None if told is None else _same_classes(told, data.column(task, "task") if task else told, str(predicted))
    features = ready_made(layers, data, predicted=answers, columns=[*asked.columns])
    device = describe_device(torch.device("cpu"))
    record = _Record(checkpoint or describe_features(data, layers), "none", limit_set_by, command, notes, device)
    return _result(features, data, asked, settings, record, where=where, encoder=None, track=track)


def _same_classes(told: Column, target: Column, name: str) -> Ints:
    """Return the predictions as codes of the task's classes.

    Raises:
        DataError: They name other classes, or some are missing.
    """
    if not told.known.all() or not set(told.classes) <= set(target.classes):
        raise DataError(
            f"Predicted column {name!r} has {int((~told.known).sum())} missing values and the classes "
            f"{', '.join(told.classes)}; the task has {', '.join(target.classes)}. Give one of these for every row."
        )
    return np.array([target.classes.index(one) for one in told.classes], dtype=np.int64)[told.codes]


@dataclass(frozen=True)
class _Record:
    """What the evidence says of the circumstances."""

    checkpoint: audit_result.Checkpoint
    pool: str
    limit_set_by: Literal["user", "default"]
    command: str
    notes: Sequence[str]
    device: str


def _result(
    features: Features,
    data: LabelledData,
    asked: Asked,
    settings: Settings,
    record: _Record,
    *,
    where: bool,
    encoder: Encoding | None,
    track: Track,
) -> audit_result.AuditResult:
    read = data.take(features.rows)
    columns = {name: column.take(features.rows) for name, column in asked.columns.items()}
    groups, copies = join_copies(read.groups(), features)
    splits = split_rows(groups, [*columns.values()], seed=settings.seed)
    target = columns[asked.task] if asked.task else None
    y = target.codes if isinstance(target, Column) else None
    beside = Beside(features.predicted, y, features.raw, features.raw_source)
    ceilings = {name: _ceiling(name, columns[name], splits, settings, beside) for name in asked.audited}
    places = [(name, layer) for layer in features.z for name in asked.audited]
    codes = {layer: cells(z) for layer, z in features.z.items()}
    leakage, continuous, kept, kept_continuous = [], [], [], []
    for name, layer in track(places, len(places), "attacks"):
        given: dict[str, Any] = {
            "attribute": name,
            "layer": layer,
            "settings": settings,
            "beside": beside,
            "ceiling": ceilings[name],
        }
        projection = features.projections.get(layer)
        wide = {"projected_from": int(projection.n_features_in_)} if projection is not None else {}
        column, z, private = columns[name], features.z[layer], name in asked.private
        if isinstance(column, Quantity):
            regression = measure_continuous(z, column, splits, **given).model_copy(update=wide)
            if private:
                continuous.append(judged_continuous(regression, settings.limit))
            else:
                kept_continuous.append(regression)
            continue
        measured = measure(z, column, splits, **given)
        figures = measured.figures.model_copy(update=wide)
        if private:
            place = _where(measured, z, read, encoder, settings, track) if where else None
            certificate = _certificate(codes[layer], column, figures, groups)
            leakage.append(judged(figures, settings.limit, place, certificate))
        else:
            kept.append(figures)
    return audit_result.AuditResult(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=record.command,
        checkpoint=record.checkpoint,
        data=audit_result.DataRows(
            name=data.name,
            options=dict(data.options),
            rows=len(data),
            fingerprint=features.fingerprint,
            group=data.group_name or ("group" if data.group is not None else None),
            unreadable=len(data) - len(read),
            copies=copies,
            train=_split(splits.train, groups),
            select=_split(splits.select, groups),
            test=_split(splits.test, groups),
        ),
        task=_task(asked.task, target, features.predicted, splits, settings),
        protocol=audit_result.Protocol(
            seed=settings.seed,
            attackers=list(settings.attackers),
            views=list(families.VIEWS),
            bootstrap=settings.bootstrap,
            null_refits=settings.null_refits,
            fit_rows=settings.fit_rows,
            null_rows=settings.null_rows,
            pool=record.pool,
            limit=settings.limit,
            limit_set_by=record.limit_set_by,
        ),
        leakage=leakage,
        continuous=continuous,
        kept=kept,
        kept_continuous=kept_continuous,
        warnings=[
            *record.notes,
            *read.notes,
            *features.notes,
            *cautions(data, features, columns, copies),
            *dict.fromkeys(told_of_rare(one) for one in (*leakage, *kept) if one.left_out),
        ],
        versions=versions(),
        device=record.device,
    )


def _ceiling(
    name: str, column: AnyColumn, splits: Splits, settings: Settings, beside: Beside
) -> findings.Ceiling | None:
    if isinstance(column, Quantity):
        return read_continuous_ceiling(name, column, splits, settings=settings, beside=beside)
    return read_ceiling(name, column, splits, settings=settings, beside=beside)


def _where(
    measured: Measured,
    z: NDArray[Any],
    data: LabelledData,
    encoder: Encoding | None,
    settings: Settings,
    track: Track,
) -> findings.Where:
    """Ask the strongest single attacker: a committee reads by all of its members."""
    rows, best = measured.rows, measured.attack.best
    with encoder(measured.figures.layer) if encoder else nullcontext() as encode:
        return locate(
            best.log2_posterior,
            in_memory(z, rows).astype(np.float32),
            measured.v,
            attacker=best.title,
            seed=settings.seed,
            encode=encode,
            inputs=data.take(rows).inputs,
            track=track,
        )


def _certificate(
    code: Ints | None, column: Column, figures: findings.Readability, groups: Ints
) -> findings.Certificate | None:
    """Bound every attacker of a finite code on all rows of the classes that were audited."""
    if code is None:
        return None
    own = np.isin(column.codes, [column.classes.index(one.name) for one in figures.classes])
    code, v = (np.unique(values[own], return_inverse=True)[1].astype(np.int64) for values in (code, column.codes))
    return certify(code, v, groups[own])


def _task(
    name: str | None, target: AnyColumn | None, predicted: Ints | None, splits: Splits, settings: Settings
) -> audit_result.Task | None:
    if name is None or predicted is None or not isinstance(target, Column):
        return None
    rows = splits.test[target.known[splits.test]]
    y, answer = target.codes[rows], predicted[rows]
    resamples = resample(splits.groups[rows], times=settings.bootstrap, seed=settings.seed)
    right = resamples.means(y == answer)
    return audit_result.Task(
        name=name,
        classes=list(target.classes),
        accuracy=estimate_share(right, resamples.weights.shape[1]),
        balanced_accuracy=estimate_share(
            resamples.mean_recall(y == answer, y, len(target.classes)), resamples.independent(y, len(target.classes))
        ),
        chance=float(np.bincount(y).max() / len(y)),
        missing=int((~target.known).sum()),
        accuracy_draws=draws(right),
    )


def _split(rows: Ints, groups: Ints) -> audit_result.Split:
    return audit_result.Split(rows=len(rows), groups=len(np.unique(groups[rows])))
