"""One audit from end to end: features, splits, attackers, evidence."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from audit.attackers.classification import ClassFit
from audit.attackers.preprocessing import VIEWS
from audit.bootstrap import Resamples, resample
from audit.caveats import (
    IS_TRUTH,
    NO_LAYER,
    NO_TASK,
    SPLIT_BY_KEPT,
    TRAINED_ON_THESE,
    cautions,
    class_order,
    grave,
    how_drawn,
    in_bins,
    is_trained_on,
    rare_classes,
    released,
)
from audit.column_names import several
from audit.data.class_order import BetterOrder, better_order
from audit.data.columns import MISSING, Answers, AnyColumn, Column, Ints, Quantity, Undecided
from audit.data.labelled import LabelledData, require_labelled
from audit.data.layers import given_layers
from audit.data.loading import require_steady
from audit.data.on_disk import in_memory
from audit.environment import describe_device, versions
from audit.errors import DataError
from audit.evidence.audit_result import AnyTask, AuditResult, Checkpoint, DataRows, Protocol, Split
from audit.evidence.findings import Certificate, Finding, Verification, Where
from audit.evidence.verdict import LIMIT, judge
from audit.evidence.watched import Watched
from audit.model.checkpoint import LoadedModel
from audit.model.describe import describe_checkpoint, describe_features, describe_model, is_as_loaded
from audit.model.features.gathered import Features
from audit.model.forward import Encoder, device_of, first_input, with_arguments
from audit.model.representations import encoding, extract, ready_made
from audit.model.structure.label_names import in_named_order
from audit.model.structure.listing import OUTPUT, suggest
from audit.model.structure.scores import Answer
from audit.parallel.backends import workers
from audit.protocol.attribution import Attacked
from audit.protocol.attribution import where as attribute
from audit.protocol.baselines import Baselines
from audit.protocol.bound import cells, certify
from audit.protocol.budget import rows_within_budget
from audit.protocol.densities.both import densities
from audit.protocol.duplicates import are_copies, join_copies
from audit.protocol.kept.at_best import at_best
from audit.protocol.kept.watched import watched
from audit.protocol.leakage import Measured, measure
from audit.protocol.splits import Splits, split_rows
from audit.protocol.target import Target, make_target
from audit.protocol.task_performance import (
    BetterUnit,
    better_unit,
    performance,
    quantity_performance,
    require_task_rows,
)
from audit.request import AuditRequest
from audit.settings import Provenance, Settings, given_provenance, given_settings
from audit.verification.verification import identified, tested, verify


def audit(
    model: LoadedModel | nn.Module | Encoder,
    data: LabelledData,
    *,
    private: str | Sequence[str],
    task: str | None = None,
    layer: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    settings: Settings | None = None,
    provenance: Provenance | None = None,
) -> AuditResult:
    """Measure the leakage of each private attribute at each layer of a frozen model.

    Args:
        model: What `irene.load` returned, so that the evidence names its file and what a sanitizer recorded of it; or a
            module that takes inputs (n, …). Left exactly as found, on the device it is on. An Encoder says more of how
            it is run: pooling, batch size, workers.
        data: Rows that the model was not trained on.
        private: Columns that should not leak; `a+b` is the intersection of two.
        task: Column that the model scores, (n, classes), or predicts, (n,), if it is a quantity; without one the floor
            is chance.
        layer: Where to look, several in one pass; the suggested bottleneck if none is named.
        keep: Columns that should stay: measured alike, without a verdict.
        settings: Attackers, limit, seed, sizes, attribution.
        provenance: What only the caller knows, for the record.

    Raises:
        IreneError: Any of its kinds; see audit.errors.
    """
    settings = given_settings(settings)
    encoder, provenance = _known(model, given_provenance(provenance))
    require_labelled(data)
    several([] if task is None else [task])  # it is a text
    data = in_named_order(encoder.model, identified(data, settings.keep_identity), task)
    data = with_arguments(encoder.model, data)
    request = AuditRequest.of(data, task, private, keep, settings)
    request.require_rows(data, settings)  # said before the pass, not after it
    require_steady(data)
    x = first_input(encoder.model, data, rows=encoder.fixed_batch or 2)
    outputs = Answer.of(data, task, encoder.scores).outputs if task else None
    layers = several(layer) or [
        suggest(encoder.model, x, classes=outputs, fixed_batch=encoder.fixed_batch, output=encoder.output)
    ]
    if not layer and (OUTPUT in layers or task is None):
        told = NO_LAYER if OUTPUT in layers else NO_TASK
        provenance = replace(provenance, notes=[*provenance.notes, told])
    with workers(settings.backend):
        features = extract(
            encoder,
            data,
            layers,
            task=task,
            columns=[*request.columns],
            raw=settings.ceiling,
            seed=settings.seed,
            track=provenance.track,
        )
        run = _Run(features, data, request, settings, provenance, encoder)
        return run.evidence(provenance.checkpoint or describe_model(encoder.model), device_of(encoder.model))


def _known(model: LoadedModel | nn.Module | Encoder, provenance: Provenance) -> tuple[Encoder, Provenance]:
    """Return how a model is run, and where it is from, as far as it says so itself."""
    if not isinstance(model, LoadedModel):
        return model if isinstance(model, Encoder) else Encoder(model), provenance
    if provenance.checkpoint is None and is_as_loaded(model):
        checkpoint, notes = describe_checkpoint(model)
        provenance = replace(provenance, checkpoint=checkpoint, notes=[*notes, *provenance.notes])
    elif provenance.checkpoint is None:
        note = f"the weights are no longer those of {model.path.name}, which the model was loaded from"
        provenance = replace(provenance, notes=[note, *provenance.notes])
    return Encoder(model.module, fixed_batch=model.fixed_batch), provenance


def audit_embeddings(
    layers: Mapping[str, object],
    data: LabelledData,
    *,
    private: str | Sequence[str],
    task: str | None = None,
    predicted: str | None = None,
    keep: str | Sequence[str] = (),
    settings: Settings | None = None,
    provenance: Provenance | None = None,
) -> AuditResult:
    """Measure the leakage of each private attribute in representations that some model made.

    Args:
        layers: Representations by name, each (n, d): arrays, tensors, frames or lists of floats.
        data: Their labels; its inputs are not looked at.
        private: As of `audit`, and so are `keep`, `settings` and `provenance`.
        task: Column with the true label of what the model was for.
        predicted: Column with what the model answered, for the floor; without one the floor is chance.

    Raises:
        IreneError: Any of its kinds; see audit.errors.
    """
    settings, provenance = given_settings(settings), given_provenance(provenance)
    found = given_layers(layers, data)
    data = identified(data, settings.keep_identity)
    request = AuditRequest.of(data, task, private, keep, settings, predicted)
    request.require_rows(data, settings, answers=predicted is not None)
    answers = _predictions(data, predicted, task) if predicted else None
    if answers is not None and task and _is_truth(answers, data.attribute(task, "task")):
        told = IS_TRUTH.format(predicted=predicted, task=task)
        provenance = replace(provenance, notes=[*provenance.notes, told])
    features = ready_made(found, data, predicted=answers, columns=[*request.columns])
    run = _Run(features, data, request, settings, provenance, None)
    with workers(settings.backend):
        return run.evidence(provenance.checkpoint or describe_features(data, found), torch.device("cpu"))


def _predictions(data: LabelledData, name: str, task: str | None) -> Answers:
    """Return what a column says that the model answered: codes of the task's classes, or numbers of a quantity."""
    answered = data.attribute(name, "predicted")
    target = data.attribute(task, "task") if task else answered
    if isinstance(target, Quantity):
        told = data.columns.get(name)
        numbers = told.quantity if isinstance(told, Undecided) else answered
        if not isinstance(numbers, Quantity) or not numbers.known.all():
            fact = "not known in all rows" if isinstance(numbers, Quantity) else "no quantity"
            raise DataError(
                f"Predicted column {name!r} is {fact}, and {task or name!r} is one. Give the number that the model "
                f"answered for every row (--continuous {name})."
            )
        return numbers.values
    if not isinstance(answered, Column):
        raise DataError(
            f"Predicted column {name!r} is a quantity, and task {task!r} is of classes. Give the class that the model "
            f"answered, or read the task as a quantity (--continuous {task})."
        )
    return _same_classes(answered, target, name)


def _is_truth(answers: Answers, task: AnyColumn) -> bool:
    """Return whether predictions are the task's true labels, wherever these are known."""
    truth = task.values if isinstance(task, Quantity) else task.codes
    return bool((answers[task.known] == truth[task.known]).all())


def _same_classes(answered: Column, target: Column, name: str) -> Ints:
    """Return the predictions as codes of the task's classes."""
    codes = answered.codes_among(target.classes)
    if (codes == MISSING).any():
        raise DataError(
            f"Predicted column {name!r} has {int((~answered.known).sum())} missing values and the classes "
            f"{', '.join(answered.classes)}; the task has {', '.join(target.classes)}. Give one of these for every row."
        )
    return codes


@dataclass(frozen=True)
class _Run:
    """One audit under way, from the features on."""

    features: Features
    data: LabelledData
    request: AuditRequest
    settings: Settings
    provenance: Provenance
    encoder: Encoder | None
    """None for features that some other program made."""

    def evidence(self, checkpoint: Checkpoint, device: torch.device) -> AuditResult:
        """Attack every attribute at every layer, and write down what came out."""
        features, settings = self.features, self.settings
        read = self.data.take(features.rows)
        columns = {name: column.take(features.rows) for name, column in self.request.columns.items()}
        groups, copies = join_copies(read.groups(), features)
        splits = split_rows(groups, [*columns.values()], seed=settings.seed, key=features.key)
        limited, told = self._within_budget(columns, splits)
        if self.settings.test_rows is not None and self.settings.test_rows < len(splits.test):
            told.append(how_drawn(columns[name] for name in self.request.audited))
        targets = limited._targets(columns, splits)
        bins = {name: one.bins for name, one in targets.items() if one.bins is not None}
        task, better = self._task(columns, splits, bins)
        trained = is_trained_on(read, checkpoint.sanitizing)
        findings = limited._findings(read, targets, columns, trained=trained)
        seen = [*limited._watched(columns, splits)]
        return AuditResult(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            command=self.provenance.command,
            checkpoint=checkpoint,
            data=DataRows(
                name=self.data.name,
                options=dict(self.data.options),
                rows=len(self.data),
                fingerprint=features.fingerprint,
                group=self.data.group_name or ("group" if self.data.group is not None else None),
                unreadable=len(self.data) - len(read),
                copies=copies,
                copies_joined=are_copies(features) if copies else None,
                train=_split(splits.train, groups),
                select=_split(splits.select, groups),
                test=_split(splits.test, groups),
            ),
            task=task,
            protocol=limited._protocol(),
            findings=findings,
            verifications=self._verifications(read, columns, splits),
            watched=[one for one in seen if isinstance(one, Watched)],
            warnings=[
                *([TRAINED_ON_THESE] if trained else []),
                *grave(features, findings, task, better),
                *told,
                *self.provenance.notes,
                *read.notes,
                *features.notes,
                *self.request.unwatched,
                *(one for one in seen if isinstance(one, str)),
                *cautions(self.data, features, columns, copies),
                *rare_classes(findings),
                *self._assumed(task, checkpoint),
                *([in_bins(bins, str(self.request.task or "the prediction"))] if bins else []),
            ],
            versions=versions(),
            device=describe_device(device),
        )

    def _within_budget(self, columns: Mapping[str, AnyColumn], splits: Splits) -> tuple["_Run", list[str]]:
        """Return the audit with as many rows to fit attackers as its seconds allow, and a note if these are not all."""
        settings, rows = self.settings, len(splits.train)
        first, baselines = self.request.audited[0], self._baselines(columns)
        fit_rows = rows_within_budget(
            self.features.z,
            lambda probing: make_target(first, columns[first], splits, probing, baselines),
            len(self.request.audited),
            rows,
            settings,
        )
        if fit_rows == settings.fit_rows:
            return self, []
        note = f"a budget of {settings.budget:g} s let {fit_rows:,} of {rows:,} rows fit an attacker on this machine"
        return replace(self, settings=replace(settings, fit_rows=fit_rows)), [note]

    def _baselines(self, columns: Mapping[str, AnyColumn]) -> Baselines:
        task = columns[self.request.task] if self.request.task else None
        y = task.values if isinstance(task, Quantity) else None if task is None else task.codes
        return Baselines(self.features.predicted, y, self.features.raw, self.features.raw_source)

    def _task(
        self, columns: Mapping[str, AnyColumn], splits: Splits, bins: dict[str, int]
    ) -> tuple[AnyTask | None, BetterOrder | BetterUnit | None]:
        """Return how well the model does its task, and the order of classes, or unit, in which it would far better."""
        name, predicted = self.request.task, self.features.predicted
        if name is None or predicted is None:
            return None, None
        column, fitting = columns[name], np.concatenate([splits.train, splits.select])
        require_task_rows(name, column, splits.test, self.settings.min_class)  # groups with a copy are joined by now
        resamples = partial(resample, times=self.settings.bootstrap, seed=self.settings.seed, key=splits.key)

        def draw(rows: Ints) -> Resamples:
            return resamples(splits.groups[rows])

        if isinstance(column, Quantity):
            done = quantity_performance(name, column, predicted, splits.test, draw)
            return done.model_copy(update={"bins": bins}), better_unit(column, predicted, fitting, splits.test)
        answer = predicted.astype(np.int64)
        task = performance(name, column, answer, splits.test, draw)
        return task, better_order(column, answer, fitting, splits.test)

    def _assumed(self, task: AnyTask | None, checkpoint: Checkpoint) -> list[str]:
        """Say what was taken for granted of the model's outputs, of its release, and of the split."""
        ordered = task is not None and task.name in self.data.ordered
        outputs = [] if task is None or self.encoder is None else class_order(task, self.features, ordered=ordered)
        return [*outputs, *released(self.encoder, checkpoint), *([SPLIT_BY_KEPT] if self.request.keep else [])]

    def _targets(self, columns: Mapping[str, AnyColumn], splits: Splits) -> dict[str, Target]:
        settings, baselines = self.settings, self._baselines(columns)
        return {name: make_target(name, columns[name], splits, settings, baselines) for name in self.request.audited}

    def _watched(self, columns: Mapping[str, AnyColumn], splits: Splits) -> Iterator[Watched | str]:
        rows = self.features.rows
        return watched(
            self.features.z,
            {name: column.take(rows) for name, column in self.request.watched.items()},
            [columns[name] for name in self.request.private],
            splits,
            self.settings,
            self._baselines(columns),
            self.provenance.track,
        )

    def _findings(
        self, read: LabelledData, targets: Mapping[str, Target], columns: Mapping[str, AnyColumn], *, trained: bool
    ) -> list[Finding]:
        """Return the findings, the private attributes first; of rows that were `trained` on none is a PASS."""
        features, settings, track = self.features, self.settings, self.provenance.track
        codes = {layer: cells(z) for layer, z in features.z.items()}
        private = [columns[name] for name in self.request.private]
        places = [(name, layer) for layer in features.z for name in self.request.audited]
        found = []
        for name, layer in track(places, len(places), "attacks"):
            z, projection = features.z[layer], features.projections.get(layer)
            wide = None if projection is None else int(projection.n_features_in_)
            measured = measure(z, targets[name], settings, layer=layer, projected_from=wide)
            layout = features.pooling.layouts.get(layer)
            doubts = {"mean_hides": bool(layout and layout.beyond), "rows_seen": trained}
            measured = replace(measured, measurement=measured.measurement.model_copy(update=doubts))
            if name in self.request.keep:
                best = at_best(measured.attack.headline, targets[name], private)
                kept = measured.measurement.model_copy(update={"at_best": best})
                found.append(Finding(role="retained", attribute=name, layer=layer, measurement=kept))
            else:
                found.append(self._finding(measured, targets[name], layer, codes[layer], read))
        return sorted(found, key=lambda one: one.role != "private")

    def _verifications(
        self, read: LabelledData, columns: Mapping[str, AnyColumn], splits: Splits
    ) -> list[Verification]:
        private = {name: columns[name] for name in self.request.private}
        asked = tested(read, private, splits, self.settings)
        return [] if asked is None else [*verify(self.features.z, asked)]

    def _finding(
        self, measured: Measured, target: Target, layer: str, code: Ints | None, read: LabelledData
    ) -> Finding:
        """Judge a private attribute."""
        name, measurement = target.attribute, measured.measurement
        is_classes = measurement.entropy is not None
        certificate = _bound(code, target) if is_classes and not measurement.rows_seen else None
        return Finding(
            role="private",
            attribute=name,
            layer=layer,
            measurement=measurement,
            decision=judge(measurement, self.settings.limit, certificate),
            where=self._where(measured, target, layer, read) if self.settings.where and is_classes else None,
            certificate=certificate,
            densities=densities(measured.attack, target),
        )

    def _where(self, measured: Measured, target: Target, layer: str, read: LabelledData) -> Where | None:
        """Ask the strongest single attacker: an ensemble reads by all of its members."""
        rows, best = target.audited.rows[2], measured.attack.best
        fit, preprocessing = best.fit, best.preprocessing
        if not isinstance(fit, ClassFit):
            return None
        with encoding(self.encoder, layer, self.features) if self.encoder else nullcontext() as encode:
            attacked = Attacked(
                best.title,
                lambda z: fit.log2_posterior(preprocessing.transform(z)),
                in_memory(self.features.z[layer], rows).astype(np.float32),
                target.audited.split_labels[2],
                encode,
                read.take(rows).inputs,
            )
            return attribute(attacked, seed=self.settings.seed, track=self.provenance.track)

    def _protocol(self) -> Protocol:
        settings = self.settings
        return Protocol(
            seed=settings.seed,
            attackers=list(settings.attackers),
            views=list(VIEWS),
            bootstrap=settings.bootstrap,
            null_refits=settings.null_refits,
            fit_rows=settings.fit_rows,
            test_rows=settings.test_rows,
            null_rows=settings.null_rows,
            min_class=settings.min_class,
            merge_rare=settings.merge_rare,
            pool=self.encoder.pool if self.encoder else "none",
            limit=settings.limit,
            limit_set_by=self.provenance.limit_set_by or ("default" if settings.limit == LIMIT else "user"),
            private=self.request.private,
            keep=self.request.keep,
        )


def _bound(code: Ints | None, target: Target) -> Certificate | None:
    """Bound every attacker of a finite code on all rows of the classes that were audited."""
    if code is None:
        return None
    labels = target.audited.labels
    own = labels >= 0
    code, v = (np.unique(values[own], return_inverse=True)[1].astype(np.int64) for values in (code, labels))
    return certify(code, v, target.groups[own])


def _split(rows: Ints, groups: Ints) -> Split:
    return Split(rows=len(rows), groups=len(np.unique(groups[rows])))
