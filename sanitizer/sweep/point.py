"""One point of a sweep: a fresh copy of the checkpoint, fine-tuned by one method at one weight, and audited."""

import datetime
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch

from audit.data.labelled import LabelledData
from audit.errors import BottleneckError, CheckpointError, DataError, TrainingError
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.json_file import Options
from audit.evidence.sweep_result import (
    UNTOUCHED,
    SweepFigures,
    SweepKept,
    SweepPoint,
    SweepReading,
    title,
)
from audit.model.checkpoint import LoadedModel, require_weights
from audit.model.describe import describe_checkpoint
from audit.model.layers import Pool
from audit.model.representations import Encoder
from audit.model.state_dict import Weights
from audit.progress import Track, untracked
from audit.run import audit
from audit.settings import Provenance, Settings
from sanitizer.methods.base import Method
from sanitizer.methods.table import card_of, make_method
from sanitizer.training.loop import Outcome, fine_tune
from sanitizer.training.step import Recipe


@dataclass(frozen=True)
class Trial:
    """One point that is asked for."""

    method: str
    weight: float | None
    """None for a method that takes no weight."""
    made: Method | None
    """None leaves the checkpoint as it is."""

    @property
    def settings(self) -> Options:
        """Return all settings of the method."""
        return {} if self.made is None else asdict(self.made)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Bench:
    """What every point of a sweep is made with."""

    fresh: Callable[[], LoadedModel]
    """Loads the checkpoint anew."""
    train: LabelledData
    audited: LabelledData
    task: str
    private: Sequence[str]
    keep: Sequence[str]
    layer: str
    pool: Pool
    recipe: Recipe
    settings: Settings
    limit_set_by: Literal["user", "default"]
    device: torch.device


def trials(methods: Sequence[str], weights: Sequence[float]) -> list[Trial]:
    """Return the points of a sweep: the untouched checkpoint, then each method at each weight.

    A method whose own weight is 0 (plain, leace) takes none and is one point; without weights, each is at its own.

    Raises:
        TrainingError: No method was named.
        UnknownNameError: No such method.
        IreneError: One cannot be made with a weight.
    """
    if not methods:
        raise TrainingError("No method was named. Name at least one, for instance --methods plain,irene.")
    found = [Trial(UNTOUCHED, None, None)]
    for name in methods:
        own = make_method(name, {})
        if own.weight == 0:
            found.append(Trial(name, None, own))
        else:
            found += [Trial(name, weight, make_method(name, {"weight": weight})) for weight in weights or [own.weight]]
    return found


def rehearse(bench: Bench) -> None:
    """Fail on what no point could be trained with: too few rows for a batch, a module that is not there."""
    _fine_tune(bench, bench.fresh(), None, replace(bench.recipe, epochs=0), untracked)


def run(trial: Trial, bench: Bench, *, parent: str, call: int, track: Track) -> tuple[SweepPoint, AuditResult | None]:
    """Train and audit one point; the audit is None where training left nothing to audit.

    Args:
        trial: Method and weight.
        bench: What all points share.
        parent: SHA-256 of the checkpoint.
        call: Which of the sweep's calls this is.
        track: Shows progress.

    Raises:
        CheckpointError: The file is another one by now.
        IreneError: Of any other kind, if it is no fault of the method's.
    """
    loaded = bench.fresh()
    if loaded.sha256 != parent:
        raise CheckpointError(f"{loaded.path} was changed while it was swept. Restore it, and run the command again.")

    def told(items: Iterable[Any], length: int, label: str) -> Iterable[Any]:
        return track(items, length, f"{title(trial.method, trial.weight)}: {label}")

    outcome, result, failure = Outcome([], None, {}, 0), None, None
    clock = [time.perf_counter()]
    try:
        if trial.made is not None:
            outcome = _fine_tune(bench, loaded, trial.made, bench.recipe, told)
        clock.append(time.perf_counter())
        result = _audit(bench, loaded, told, touched=trial.made is not None)
    except TrainingError as error:
        failure = str(error)
    clock.append(time.perf_counter())
    point = SweepPoint(
        method=trial.method,
        weight=trial.weight,
        card=None if trial.made is None else card_of(trial.made),
        settings=trial.settings,
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


def _fine_tune(bench: Bench, loaded: LoadedModel, method: Method | None, recipe: Recipe, track: Track) -> Outcome:
    """Train the copy in place.

    Raises:
        TrainingError: It diverged, however that showed.
    """
    try:
        outcome = fine_tune(
            loaded.module.to(bench.device),
            bench.train,
            task=bench.task,
            private=bench.private,
            keep=bench.keep,
            method=method,
            layer=bench.layer,
            recipe=recipe,
            pool=bench.pool,
            device=bench.device,
            track=track,
        )
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise TrainingError("Fine-tuning diverged: the method found no finite solution.") from None
    _as_written(require_weights(loaded), loaded.module)
    return outcome


def _as_written(weights: Weights, model: torch.nn.Module) -> None:
    """Round the weights to the types of the checkpoint, as a file of them would.

    Raises:
        TrainingError: One is not finite: no loss was taken after the last step.
    """
    state = model.state_dict()
    for key, old in weights.tensors.items():
        if old.is_floating_point():
            state[key].copy_(state[key].to(old.dtype))
            if not torch.isfinite(state[key]).all():
                raise TrainingError(
                    f"Fine-tuning diverged: {key} became NaN or infinite. Try a smaller --lr or --weight."
                )


def _audit(bench: Bench, loaded: LoadedModel, track: Track, *, touched: bool) -> AuditResult:
    """Audit with fresh attackers; what could be audited before and cannot be now is the training's fault."""
    described, notes = describe_checkpoint(loaded)
    try:
        return audit(
            Encoder(loaded.module.to(bench.device), bench.pool, workers=bench.recipe.workers),
            bench.audited,
            private=bench.private,
            task=bench.task,
            layer=bench.layer,
            keep=bench.keep,
            settings=bench.settings,
            provenance=Provenance(described, notes=notes, limit_set_by=bench.limit_set_by, track=track),
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
        read=[_reading(one) for one in result.private],
        kept=[_retained(one) for one in result.retained],
    )


def _reading(one: Finding) -> SweepReading:
    measurement, decision = one.measurement, one.decided
    return SweepReading(
        attribute=one.attribute,
        test_rows=measurement.test_rows,
        chance=measurement.guess,
        entropy=measurement.entropy or 0.0,
        strongest=measurement.strongest,
        balanced_accuracy=measurement.score,
        bits=measurement.figures["bits"],
        floor=measurement.floor_score,
        excess=measurement.excess,
        verdict=decision.verdict,
        reason=decision.reason,
        certificate=one.certificate,
    )


def _retained(one: Finding) -> SweepKept:
    measurement = one.measurement
    return SweepKept(
        attribute=one.attribute,
        test_rows=measurement.test_rows,
        chance=measurement.guess,
        strongest=measurement.strongest,
        auroc=measurement.figures["auroc"],
        balanced_accuracy=measurement.score,
    )
