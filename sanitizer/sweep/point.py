"""One point of a sweep: a fresh copy of the checkpoint, fine-tuned by one method at one weight, and audited."""

import datetime
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from audit.data.labelled import LabelledData
from audit.errors import (
    BottleneckError,
    CheckpointError,
    DataError,
    TrainingError,
    as_float,
    require_kind,
    require_number,
)
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.json_file import Options
from audit.evidence.sweep_result import UNTOUCHED, SweepFigures, SweepKept, SweepPoint, SweepReading, title
from audit.model.checkpoint import LoadedModel, require_weights
from audit.model.describe import describe_checkpoint
from audit.model.forward import Encoder
from audit.progress import Track, untracked
from audit.run import audit
from audit.settings import Provenance, Settings
from sanitizer.checkpoint import require_finite
from sanitizer.job import TrainingJob
from sanitizer.method_table import card_of, make_method, require_task_kind
from sanitizer.methods.base import Method
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.plain import Plain
from sanitizer.training.forward import require_trainable
from sanitizer.training.loop import Outcome, fine_tune


@dataclass(frozen=True)
class PointRequest:
    """One point that is asked for."""

    name: str
    """The method as it was named, or `untouched`."""
    weight: float | None
    """None for a method that takes no weight."""
    method: Method | None
    """None leaves the checkpoint as it is."""

    @property
    def settings(self) -> Options:
        """All settings of the method."""
        return {} if self.method is None else asdict(self.method)  # type: ignore[call-overload]

    @property
    def title(self) -> str:
        """Return the name of the point."""
        return title(self.name, self.weight)


@dataclass(frozen=True)
class SweepJob:
    """The parts that all points of a sweep share."""

    fresh: Callable[[], LoadedModel]
    training: TrainingJob
    """Its method is each point's own."""
    audited: LabelledData
    """Rows that no point is trained on."""
    settings: Settings
    limit_set_by: Literal["user", "default"] | None


def requests(methods: Mapping[str, Sequence[float]]) -> list[PointRequest]:
    """Return the points of a sweep: the untouched checkpoint, then each method at each of its weights.

    A method whose own weight is 0 (plain, leace) takes none and is one point; without weights, each is at its own.
    None at all, an unknown one, or one that takes no weight is an IreneError.
    """
    if not methods:
        raise TrainingError("No method was named. Name at least one, for instance --methods plain,irene.")
    found = [PointRequest(UNTOUCHED, None, None)]
    for name, weights in methods.items():
        own = make_method(name, {})
        if own.weight == 0:
            found.append(PointRequest(name, None, own))
        else:
            for weight in _numbers(name, weights) or [own.weight]:
                found.append(PointRequest(name, weight, make_method(name, {"weight": weight})))
    return found


def _numbers(method: str, weights: Sequence[float]) -> list[float]:
    """Return weights as a user gives them, an array or a list; raise an IreneError for what are no numbers."""
    weights = [*weights] if isinstance(weights, np.ndarray) and weights.ndim == 1 else weights
    require_kind(weights, Sequence, f"The weights of {method} are", "Give a list: {'irene': [0.5, 2]}.")
    for weight in weights:
        require_number(f"A weight of {method}", weight, 0, whole=False)
    return [as_float(weight) for weight in weights]


def rehearse(job: SweepJob, wanted: Sequence[PointRequest]) -> None:
    """Fail on what points could not be trained with: too few rows for a batch, an answer by chance, another task."""
    for one in wanted:
        if one.method is not None:
            require_task_kind(one.method, job.training.answer)
    recipe, loaded = replace(job.training.recipe, epochs=0), job.fresh()
    require_trainable(loaded.module.to(job.training.device), job.training)
    _fine_tune(loaded, replace(job.training, method=Plain(), recipe=recipe), untracked)


def make_point(
    request: PointRequest, job: SweepJob, *, parent: str, call: int, track: Track
) -> tuple[SweepPoint, AuditResult | None]:
    """Train and audit one point, in one of the sweep's calls; the audit is None where training left nothing to audit.

    Raises:
        CheckpointError: The file no longer has the SHA-256 of the parent.
        IreneError: Of any other kind, if it is no fault of the method's.
    """
    loaded = job.fresh()
    if loaded.sha256 != parent:
        raise CheckpointError(f"{loaded.path} was changed while it was swept. Restore it, and run the command again.")

    def labelled(items: Iterable[Any], length: int, label: str) -> Iterable[Any]:
        return track(items, length, f"{request.title}: {label}")

    outcome, result, failure = Outcome([], None, {}, 0), None, None
    clock = [time.perf_counter()]
    try:
        if request.method is not None:
            training = replace(job.training, method=request.method)
            if isinstance(request.method, NonlinearMap):  # as `sanitize` does: the encoder stays
                training = replace(training, recipe=replace(training.recipe, epochs=0, batch_size=2))
            outcome = _fine_tune(loaded, training, labelled)
        clock.append(time.perf_counter())
        result = _audit(job, loaded, labelled, touched=request.method is not None)
    except TrainingError as error:
        failure = str(error)
    clock.append(time.perf_counter())
    point = SweepPoint(
        method=request.name,
        weight=request.weight,
        card=None if request.method is None else card_of(request.method),
        settings=request.settings,
        epochs=len(outcome.trace),
        chosen=outcome.chosen,
        figures=None if result is None else _figures(result),
        failure=failure,
        train_seconds=round(clock[1] - clock[0], 3),
        audit_seconds=round(clock[-1] - clock[1], 3),
        created=now(),
        call=call,
    )
    return point, result


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _fine_tune(loaded: LoadedModel, job: TrainingJob, track: Track) -> Outcome:
    """Train the copy in place, and round its weights to the types of the checkpoint, as a file of them would."""
    outcome = fine_tune(loaded.module, job, track=track)
    weights, state = require_weights(loaded), loaded.module.state_dict()
    require_finite(weights, loaded.module)
    for key, old in weights.tensors.items():
        if old.is_floating_point():
            state[key].copy_(state[key].to(old.dtype))
    return outcome


def _audit(job: SweepJob, loaded: LoadedModel, track: Track, *, touched: bool) -> AuditResult:
    """Audit with fresh attackers; what could be audited before and cannot be now is the training's fault."""
    described, notes = describe_checkpoint(loaded)
    training = job.training
    try:
        return audit(
            Encoder(
                loaded.module.to(training.device),
                training.pool,
                workers=training.recipe.workers,
                padding=training.padding,
                scores=training.scores,
                output=training.output,
            ),
            job.audited,
            private=training.private,
            task=training.task,
            layer=training.layer,
            keep=training.keep,
            settings=job.settings,
            provenance=Provenance(described, notes=notes, limit_set_by=job.limit_set_by, track=track),
        )
    except (BottleneckError, DataError) as error:
        if not touched:
            raise
        raise TrainingError(f"Fine-tuning left a model that cannot be audited. {error}") from None


def _figures(result: AuditResult) -> SweepFigures:
    assert result.task is not None  # a task was named, and the model predicts it
    return SweepFigures(
        accuracy=result.task.accuracy,
        balanced_accuracy=result.task.balanced_accuracy,
        read=[
            SweepReading(
                **_measured(one),
                entropy=one.measurement.entropy or 0.0,
                bits=one.measurement.figures["bits"],
                floor=one.measurement.floor_score,
                excess=one.measurement.excess,
                verdict=one.decided.verdict,
                reason=one.decided.reason,
                certificate=one.certificate,
            )
            for one in result.private
        ],
        kept=[
            SweepKept(**_measured(one), auroc=one.measurement.figures["auroc"], at_best=one.measurement.at_best)
            for one in result.retained
        ],
    )


def _measured(one: Finding) -> dict[str, Any]:
    """Return the figures that a private and a retained attribute share."""
    return {
        "attribute": one.attribute,
        "test_rows": one.measurement.test_rows,
        "chance": one.measurement.guess,
        "strongest": one.measurement.strongest,
        "balanced_accuracy": one.measurement.score,
    }
